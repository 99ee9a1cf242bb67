package main

import (
	"context"
	"encoding/json"

	"go.yaml.in/yaml/v4"
)

// runConfig prints the resolved configuration with the origin of every value, secrets masked.
func runConfig(ctx context.Context, c *command, args []string) error {
	if err := c.parse(args); err != nil {
		return err
	}
	st, err := c.load(ctx)
	if err != nil {
		return err
	}
	resolved, err := st.Config(false)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(c.stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if c.json {
		return encoder.Encode(resolved)
	}
	// The YAML has the JSON's names and order.
	data, err := json.Marshal(resolved)
	if err != nil {
		return err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return err
	}
	blockStyle(&document)
	out := yaml.NewEncoder(c.stdout)
	out.SetIndent(2)
	if err := out.Encode(&document); err != nil {
		return err
	}
	return out.Close()
}

// blockStyle writes a node that was read from JSON as people write YAML.
func blockStyle(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		blockStyle(child)
	}
}
