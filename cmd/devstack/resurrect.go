package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
	"devstack/procs/keeper"
	"devstack/procs/keeper/protocol"
)

// ResurrectOptions is what `devstack resurrect` was asked for.
type ResurrectOptions struct {
	*Factory
	Foreground bool
	NoInfra    bool
	Timeout    time.Duration
}

func newCmdResurrect(f *Factory, runF func(context.Context, *ResurrectOptions) error) *cobra.Command {
	o := &ResurrectOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "resurrect",
		Short:   "Start the stack as it was: what was stopped stays stopped",
		GroupID: groupStack,
		Args:    cobra.NoArgs,
		Long: `Starts the stack like devstack up, but without the apps that devstack stop or delete has ended, and with as many instances
as devstack scale has made; devstack save shows both. An app that depends on a stopped one does not wait for it.

With --foreground the command itself stays and supervises the stack, for a service manager: it tells systemd when the
stack is ready (Type=notify) and that it is alive (WatchdogSec=). SIGTERM, Ctrl-C and devstack down end it with 0; after
a signal containers go on, and native servers end with it. If the stack cannot be brought up at all, it ends with the
reason and its exit code: 2 usage, 3 files, 4 environment, 9 a port is taken. An engine or a service that does not answer
yet is waited for, and a stack that is not ready yet stays up.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Timeout <= 0 {
				return errTimeout()
			}
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return resurrectRun(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.Foreground, "foreground", false, "stay and supervise the stack, for systemd")
	flags.BoolVar(&o.NoInfra, "no-infra", false, "start no service; wait until those that somebody else runs answer")
	flags.DurationVar(&o.Timeout, "timeout", 2*time.Minute, "how long to wait until all is ready")
	return cmd
}

func resurrectRun(ctx context.Context, o *ResurrectOptions) error {
	if o.Foreground {
		return foregroundRun(o)
	}
	return upRun(ctx, &UpOptions{Factory: o.Factory, Resurrect: true, NoInfra: o.NoInfra, Infra: "auto", Timeout: o.Timeout})
}

// foregroundRun is the keeper's whole life, in this process.
func foregroundRun(o *ResurrectOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	args := append(siblingArgs("resurrect", p.Files), "--timeout", o.Timeout.String())
	if o.NoInfra {
		args = append(args, "--no-infra")
	}
	return keeperError(p.Dir, o.KeepHere(p, args))
}

// keepHere is the keeper of p with a daemon that has these arguments; it returns when the stack has ended.
func keepHere(p *project, args []string) error {
	daemon, err := siblingPath()
	if err != nil {
		return err
	}
	return keeper.Foreground(keeper.Options{
		Dir: p.Dir, ID: p.ID, StateDir: p.StateDir, Socket: p.Socket, Daemon: append([]string{daemon}, args...),
	})
}

// keeperError is why a keeper has ended, with the exit code that its daemon found for it.
func keeperError(dir string, err error) error {
	var failed *keeper.FailedError
	switch {
	case errors.As(err, &failed):
		return &api.Error{Exit: max(api.Code(failed.Code), api.ExitBug), Message: failed.Text}
	case errors.Is(err, protocol.ErrLocked):
		return &api.Error{Exit: api.ExitBug, Message: "cannot run the stack in " + dir + ": another keeper runs it", Hint: "devstack down ends it"}
	}
	return err
}
