package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

func newCmdStop(f *Factory, runF func(context.Context, *ActionOptions) error) *cobra.Command {
	if runF == nil {
		runF = stopRun
	}
	return newCmdAction(f, "stop", "Stop processes; the stack stays",
		"Stops the named processes, or all; a container only by its exact name. The daemon and the logs stay, and devstack start\n"+
			"goes on; devstack down ends the whole stack. Nothing to stop is no error.", runF)
}

func stopRun(ctx context.Context, o *ActionOptions) error {
	err := runAction(ctx, o, api.Stop)
	if errors.Is(err, api.ErrNotRunning) {
		fmt.Fprintln(o.IO.Err, "No stack is running here: nothing to stop.")
		return nil
	}
	return err
}
