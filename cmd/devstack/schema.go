package main

import (
	"context"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// SchemaOptions is what `devstack schema` was asked for: nothing.
type SchemaOptions struct{ *Factory }

func newCmdSchema(f *Factory, runF func(context.Context, *SchemaOptions) error) *cobra.Command {
	o := &SchemaOptions{f}
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of ecosystem.yaml, for editors",
		GroupID: groupFiles,
		Args:    cobra.NoArgs,
		Long: `Prints every key of ecosystem.yaml with its meaning, type and default as JSON Schema.

An editor that speaks to the YAML language server uses it with this first line in ecosystem.yaml:

  # yaml-language-server: $schema=.devstack/schema.json

after: devstack schema > .devstack/schema.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return askText(cmd.Context(), f, api.Files{}, api.EndpointSchema, api.SchemaRequest{})
		},
	}
}
