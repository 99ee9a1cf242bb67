package main

import (
	"context"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

func newCmdRestart(f *Factory, runF func(context.Context, *ActionOptions) error) *cobra.Command {
	if runF == nil {
		runF = func(ctx context.Context, o *ActionOptions) error {
			return runAction(ctx, o, api.Restart)
		}
	}
	return newCmdAction(f, "restart", "Restart processes with this shell's environment, and wait until they are ready",
		"Restarts the named processes, or all, with the environment of this shell, and waits until they are ready.\n"+
			"A container is restarted only by its exact name.", runF)
}
