package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

// PingOptions is what `devstack ping` was asked for.
type PingOptions struct {
	*Factory
	JSON bool
}

func newCmdPing(f *Factory, runF func(context.Context, *PingOptions) error) *cobra.Command {
	o := &PingOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "ping",
		Short:   "Ask whether the daemon answers; never start one",
		GroupID: groupLook,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return pingRun(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON: the daemon's pid and version")
	return cmd
}

func pingRun(ctx context.Context, o *PingOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	state, err := o.Running(ctx, p)
	if err != nil {
		return needsStack(p, err)
	}
	if o.JSON {
		return writeJSON(o.IO.Out, state.Daemon)
	}
	_, err = fmt.Fprintln(o.IO.Out, "pong")
	return err
}
