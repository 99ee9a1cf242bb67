package main

import (
	"context"

	"github.com/spf13/cobra"

	dashboard "devstack/cmd/devstack/monit"
)

func newCmdMonit(f *Factory, runF func(context.Context) error) *cobra.Command {
	return &cobra.Command{
		Use:     "monit",
		Aliases: []string{"dash", "dashboard"},
		Short:   "Watch and control the stack in a terminal dashboard",
		GroupID: groupLook,
		Long: "Shows containers and processes in one table, live, and the output of the selected one beside it. The line at the\n" +
			"bottom says which keys start, stop and restart it, scroll, hold and filter its output, and quit. Needs 80x24 characters.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context())
			}
			return monitRun(cmd.Context(), f)
		},
	}
}

func monitRun(ctx context.Context, f *Factory) error {
	if !f.IO.OutTTY {
		return usageError("monit needs a terminal: use devstack ps, which prints the same once")
	}
	p, err := f.Project()
	if err != nil {
		return err
	}
	state, err := f.Running(ctx, p)
	if err != nil {
		return needsStack(p, err)
	}
	return dashboard.Run(ctx, dashboard.Options{
		Client: f.Client(p), State: state, Environ: f.Environ(), Color: f.IO.Color, In: f.IO.In, Out: f.IO.Out,
	})
}
