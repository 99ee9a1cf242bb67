package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// ActionOptions is what `devstack start`, `stop` or `restart` was asked for.
type ActionOptions struct {
	*Factory
	Names   []string
	Timeout time.Duration
}

// newCmdAction makes the command that use begins with; run carries it out.
func newCmdAction(f *Factory, use, short, long string, run func(context.Context, *ActionOptions) error) *cobra.Command {
	o := &ActionOptions{Factory: f}
	cmd := &cobra.Command{
		Use: use + " [NAME...]", Short: short, Long: long,
		GroupID:           groupStack,
		ValidArgsFunction: f.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Names = args
			if o.Timeout <= 0 {
				return errTimeout()
			}
			return run(cmd.Context(), o)
		},
	}
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 2*time.Minute, "how long to wait")
	return cmd
}

func newCmdStart(f *Factory, runF func(context.Context, *ActionOptions) error) *cobra.Command {
	if runF == nil {
		runF = startRun
	}
	return newCmdAction(f, "start", "Start processes, and wait until they are ready",
		"Starts the named processes, or all, and waits until they are ready. A container is started only by its\n"+
			"exact name. If no stack runs, this is devstack up.", runF)
}

func startRun(ctx context.Context, o *ActionOptions) error {
	err := runAction(ctx, o, api.Start)
	if errors.Is(err, api.ErrNotRunning) {
		return upRun(ctx, &UpOptions{Factory: o.Factory, Names: processNames(o.Names), Infra: "auto", Timeout: o.Timeout})
	}
	return err
}

// processNames is what up calls names: none for all.
func processNames(names []string) []string {
	if len(names) == 1 && names[0] == "all" {
		return nil
	}
	return names
}

// runAction carries out verb and shows how it went, with the table at the end.
func runAction(ctx context.Context, o *ActionOptions, verb api.Verb) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	request := api.ActionRequest{Names: o.Names, Timeout: o.Timeout, Environment: o.Environ()}
	table := verb != api.Reset && verb != api.Flush
	return o.act(ctx, p, string(verb), table, func(each func(api.Event)) (*api.Result, error) {
		return o.Client(p).Act(ctx, verb, request, each)
	})
}
