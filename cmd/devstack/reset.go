package main

import (
	"context"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

func newCmdReset(f *Factory, runF func(context.Context, *ActionOptions) error) *cobra.Command {
	if runF == nil {
		runF = func(ctx context.Context, o *ActionOptions) error {
			return runAction(ctx, o, api.Reset)
		}
	}
	return newCmdAction(f, "reset", "Set the restart counters of processes to zero",
		"Sets the restart counters of the named processes, or all, to zero. Nothing is started or stopped by it.", runF)
}
