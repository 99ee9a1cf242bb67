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
		Use: "unstartup", Short: "Have systemd start the stack at boot no longer", GroupID: groupBoot, Args: cobra.NoArgs,
		Long: `Disables and removes the stack's systemd units. What runs goes on; to end it, run systemctl stop PROJECT before this. The
environment file, the user and all data stay.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), &UnstartupOptions{f})
			}
			return askMachine(cmd.Context(), f, api.EndpointUnstartup, api.UnstartupRequest{})
		},
	}
}
