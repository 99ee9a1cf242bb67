package main

import (
	"context"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

func newCmdFlush(f *Factory, runF func(context.Context, *ActionOptions) error) *cobra.Command {
	if runF == nil {
		runF = func(ctx context.Context, o *ActionOptions) error {
			return runAction(ctx, o, api.Flush)
		}
	}
	return newCmdAction(f, "flush", "Empty the log files of processes",
		"Empties the log files of the named processes, or all, and removes the rotated ones. Who follows them goes on, and so do\n"+
			"the processes. The logs of containers are the engine's.", runF)
}
