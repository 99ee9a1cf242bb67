package main

import (
	"context"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// ConfigOptions is what `devstack config` was asked for.
type ConfigOptions struct {
	*Factory
	JSON bool
}

func newCmdConfig(f *Factory, runF func(context.Context, *ConfigOptions) error) *cobra.Command {
	o := &ConfigOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Print the resolved configuration and where each value comes from",
		GroupID: groupFiles,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return configRun(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return cmd
}

func configRun(ctx context.Context, o *ConfigOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	return askText(ctx, o.Factory, p.Files, api.EndpointConfig, api.ConfigRequest{JSON: o.JSON})
}
