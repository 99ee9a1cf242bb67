package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

func newCmdRestart(f *Factory, runF func(context.Context, *ActionOptions) error) *cobra.Command {
	if runF == nil {
		runF = restartRun
	}
	return newCmdAction(f, "restart", "Restart processes with this shell's environment, and wait until they are ready",
		"Restarts the named processes, or all, with the environment of this shell, and waits until they are ready.\n"+
			"Containers: by their exact name.", runF)
}

func restartRun(ctx context.Context, o *ActionOptions) error {
	err := runAction(ctx, o, "restart", (*api.Client).Restart)
	if errors.Is(err, api.ErrNotRunning) {
		p, findErr := o.Project()
		if findErr != nil {
			return findErr
		}
		return needsStack(p, err)
	}
	return err
}
