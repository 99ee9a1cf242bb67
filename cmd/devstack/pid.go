package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

// PidOptions is what `devstack pid` was asked for.
type PidOptions struct {
	*Factory
	Names []string
	JSON  bool
}

// pidRow is one process of `devstack pid --json`.
type pidRow struct {
	Name     string `json:"name"`
	Instance int    `json:"instance"`
	ID       int    `json:"id"`
	Pid      *int   `json:"pid"` // null: it does not run
}

func newCmdPid(f *Factory, runF func(context.Context, *PidOptions) error) *cobra.Command {
	o := &PidOptions{Factory: f}
	cmd := &cobra.Command{
		Use:               "pid [NAME...]",
		Short:             "Print the pids of processes, one on each line",
		GroupID:           groupLook,
		Long:              "Prints the pids of the named processes, or all, one on each line. What does not run has no line, and is null in --json.",
		ValidArgsFunction: f.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Names = args
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return pidRun(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return cmd
}

func pidRun(ctx context.Context, o *PidOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	if err := o.checkName(ctx, p); err != nil {
		return needsStack(p, err)
	}
	words := o.Names
	if len(words) == 0 {
		words = []string{"all"}
	}
	state, err := o.Client(p).StateOf(ctx, words)
	if err != nil {
		return needsStack(p, err)
	}
	rows := []pidRow{}
	for _, process := range state.Processes {
		rows = append(rows, pidRow{process.Name, process.Instance, process.ID, process.Pid})
	}
	if o.JSON {
		return writeJSON(o.IO.Out, rows)
	}
	for _, row := range rows {
		if row.Pid != nil {
			fmt.Fprintln(o.IO.Out, *row.Pid)
		}
	}
	return nil
}
