package main

import (
	"context"
	"encoding/json"

	"devstack/stack"
)

// runSchema prints the JSON Schema of ecosystem.yaml.
func runSchema(_ context.Context, c *command, args []string) error {
	if err := c.parse(args); err != nil {
		return err
	}
	encoder := json.NewEncoder(c.stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(stack.Schema())
}
