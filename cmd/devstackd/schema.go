package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"devstack/stack"
)

// runSchema prints the JSON Schema of ecosystem.yaml.
func runSchema(_ context.Context, c *command, args []string) error {
	if err := c.parse(args); err != nil {
		return err
	}
	return encodeSchema(c.stdout)
}

func encodeSchema(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(stack.Schema())
}

// writeSchema puts the schema where the first line of a draft says that it is.
func writeSchema(root string) error {
	dir := filepath.Join(root, ".devstack")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var text bytes.Buffer
	if err := encodeSchema(&text); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "schema.json"), text.Bytes(), 0o644)
}
