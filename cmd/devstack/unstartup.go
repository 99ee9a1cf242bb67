package main

import (
	"context"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// UnstartupOptions is what `devstack unstartup` was asked for: nothing.
type UnstartupOptions struct{ *Factory }

func newCmdUnstartup(f *Factory, runF func(context.Context, *UnstartupOptions) error) *cobra.Command {
	return &cobra.Command{
		Use: "unstartup", Short: "Take the stack out of the boot", GroupID: groupBoot, Args: cobra.NoArgs,
		Long: `Disables and removes the stack's systemd units. What runs goes on; systemctl stop PROJECT before it ends it. The environment
file, the user and all data stay.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), &UnstartupOptions{f})
			}
			return askMachine(cmd.Context(), f, api.EndpointUnstartup, api.UnstartupRequest{})
		},
	}
}
