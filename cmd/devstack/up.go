package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// UpOptions is what `devstack up` was asked for.
type UpOptions struct {
	*Factory
	Names   []string
	Only    bool
	Build   bool
	DryRun  bool
	Attach  bool
	NoInfra bool
	Infra   string
	Timeout time.Duration

	Resurrect bool // devstack resurrect: leave stopped what was
}

func newCmdUp(f *Factory, runF func(context.Context, *UpOptions) error) *cobra.Command {
	o := &UpOptions{Factory: f}
	var detach, wait bool
	cmd := &cobra.Command{
		Use:     "up [NAME...]",
		Short:   "Start the stack as the files say, and wait until it is ready",
		GroupID: groupStack,
		Long: `Checks the files, the environment and the ports, starts the services, waits until they really answer, then starts the
processes in dependency order. What already runs as it should is left alone. With names: these and what they depend on.

Services run in containers (--infra docker), or, if they are redis, valkey or postgres, with the servers of this machine
(--infra native). The data of the two is separate, so auto stays with what the stack had last, also after down, but not after down -v. At first
it is Docker where an engine answers, else native. To change: devstack down, then up with the other.

Ends with 0 only if everything is ready. Ctrl-C ends the command with 130, also under --attach, and leaves the stack as it
is, still starting.

Exit codes: 2 usage, 3 files, 4 environment, 9 a port is taken, 5 engine, image or service, 7 a process exited, 6 time ran
out. devstack help exit-codes explains all of them.`,
		ValidArgsFunction: f.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Names = args
			if err := knownInfra(o.Infra); err != nil {
				return err
			}
			if o.Timeout <= 0 {
				return errTimeout()
			}
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return upRun(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&detach, "detach", "d", false, "no effect, as for docker compose users: the stack always outlives the command")
	flags.BoolVar(&wait, "wait", false, "no effect, as for docker compose users: up always waits until all is ready")
	flags.BoolVar(&o.Build, "build", false, "run the build command first")
	flags.BoolVar(&o.DryRun, "dry-run", false, "print what up would do, and do nothing")
	flags.BoolVar(&o.Attach, "attach", false, "follow the logs afterwards")
	flags.BoolVar(&o.Only, "only", false, "start the names without what they depend on")
	flags.DurationVar(&o.Timeout, "timeout", 2*time.Minute, "how long to wait until all is ready")
	flags.StringVar(&o.Infra, "infra", "auto", "what runs the services: auto, docker or native")
	flags.BoolVar(&o.NoInfra, "no-infra", false, "start no service; wait until those that somebody else runs answer")
	return cmd
}

func upRun(ctx context.Context, o *UpOptions) error {
	p, err := findProject(&o.globals, o.Getenv)
	if err != nil {
		return err
	}
	if o.DryRun && p.displaced != "" { // what runs elsewhere is compared with nothing here
		o.note(p.displaced + "; devstack up would end it and start everything here")
		return nil
	}
	result, err := runUp(ctx, o, p)
	if err != nil {
		return err
	}
	if err := o.finish(result, !o.DryRun); err != nil || !o.Attach || o.DryRun {
		return err
	}
	return attach(ctx, o, p)
}

// runUp starts the keeper if none runs and asks its daemon. One that is just leaving is waited for.
func runUp(ctx context.Context, o *UpOptions, p *project) (*api.Result, error) {
	request := api.UpRequest{
		Files: p.Files, Names: o.Names, Only: o.Only, Build: o.Build, DryRun: o.DryRun, NoInfra: o.NoInfra, Infra: o.Infra,
		Timeout: o.Timeout, Environment: o.Environ(), Resurrect: o.Resurrect,
	}
	result, err := askUp(ctx, o, p, request)
	if errors.Is(err, api.ErrNotRunning) {
		if err := o.WaitGone(ctx, p.Dir, p.StateDir); err != nil {
			return nil, err
		}
		result, err = askUp(ctx, o, p, request)
	}
	if errors.Is(err, context.Canceled) {
		return nil, &api.Error{
			Exit:    api.ExitInterrupted,
			Message: "interrupted: the stack is left as it is and goes on starting",
			Hint:    "devstack ps shows it, devstack down ends it",
		}
	}
	if err == nil && result.State == nil { // refused, or only planned
		awaitIdleKeeper(ctx, o, p)
	}
	return result, err
}

// awaitIdleKeeper returns when a keeper that was started for an up that came to nothing is gone, too: the command
// leaves nothing behind. One that has a stack to look after stays.
func awaitIdleKeeper(ctx context.Context, o *UpOptions, p *project) {
	state, err := o.Client(p).State(ctx)
	if err == nil && len(state.Services)+len(state.Processes) > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // another command may be about to use it
	defer cancel()
	_ = o.WaitGone(ctx, p.Dir, p.StateDir)
}

func askUp(ctx context.Context, o *UpOptions, p *project, request api.UpRequest) (*api.Result, error) {
	if err := prepareUp(ctx, o, p); err != nil {
		return nil, err
	}
	return o.action("up", func(each func(api.Event)) (*api.Result, error) {
		return o.Client(p).Up(ctx, request, each)
	})
}

func attach(ctx context.Context, o *UpOptions, p *project) error {
	err := logsRun(ctx, &LogsOptions{Factory: o.Factory, Names: o.Names, Lines: 0, Follow: true})
	if err == nil && ctx.Err() != nil {
		return &api.Error{
			Exit: api.ExitInterrupted, Message: "interrupted: the stack in " + p.Dir + " is left running", Hint: "devstack down ends it",
		}
	}
	return err
}
