package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// KillOptions is what `devstack kill` was asked for: nothing.
type KillOptions struct{ *Factory }

func newCmdKill(f *Factory, runF func(context.Context, *KillOptions) error) *cobra.Command {
	o := &KillOptions{f}
	return &cobra.Command{
		Use:     "kill",
		Short:   "Stop the processes and the daemon; leave the services",
		GroupID: groupStack,
		Args:    cobra.NoArgs,
		Long: `Stops the processes in reverse order, in their own time, then the daemon and the keeper. Containers and native
servers keep running: it is devstack down --keep-infra. Nothing to kill is no error.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return killRun(cmd.Context(), o)
		},
	}
}

func killRun(ctx context.Context, o *KillOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	err = o.act(ctx, p, "kill", false, func(each func(api.Event)) (*api.Result, error) {
		return o.Client(p).Down(ctx, api.DownRequest{KeepInfra: true}, each)
	})
	if errors.Is(err, api.ErrNotRunning) {
		fmt.Fprintln(o.IO.Err, "No stack is running here: nothing to kill.")
	} else if err != nil {
		return err
	}
	return o.WaitGone(ctx, p.Dir, p.StateDir)
}
