package main

import (
	"context"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// SignalOptions is what `devstack signal` was asked for.
type SignalOptions struct {
	*Factory
	Signal string
	Names  []string
}

func newCmdSignal(f *Factory, runF func(context.Context, *SignalOptions) error) *cobra.Command {
	o := &SignalOptions{Factory: f}
	return &cobra.Command{
		Use:     "signal SIGNAL NAME...",
		Aliases: []string{"sendSignal"},
		Short:   "Send a signal to processes",
		GroupID: groupStack,
		Args:    cobra.MinimumNArgs(2),
		Long: `Sends a signal, like SIGUSR2 or HUP, to the process groups of the named processes. A process that it ends is restarted as
after a crash; use devstack stop to stop one. Ends with 7 when none of them runs.`,
		ValidArgsFunction: f.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Signal, o.Names = args[0], args[1:]
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return signalRun(cmd.Context(), o)
		},
	}
}

func signalRun(ctx context.Context, o *SignalOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	return o.act(ctx, p, "signal", false, func(each func(api.Event)) (*api.Result, error) {
		return o.Client(p).Signal(ctx, api.SignalRequest{Names: o.Names, Signal: o.Signal}, each)
	})
}
