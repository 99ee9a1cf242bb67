package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"devstack/daemon/api"
	"devstack/procs/keeper/protocol"
)

// Factory is what commands are made with.
type Factory struct {
	IO      *IOStreams
	Getenv  func(string) string
	Environ func() []string
	// Once has ask ask a devstackd of its own about files; see once.
	Once func(ctx context.Context, files api.Files, ask func(context.Context, *api.Client) error) error
	// Spawn starts the project's keeper if none runs, and returns when its API answers. A keeper that is in the way is
	// given to replace, which ends it.
	Spawn func(p *project, replace func(*protocol.Holder) error) error
	// KeepHere is the project's keeper in this process; its daemon gets args.
	KeepHere func(p *project, args []string) error
	// WaitGone returns when no keeper has the directory, nor the state directory.
	WaitGone func(ctx context.Context, dir, stateDir string) error
	// WaitLeaving does so, too, but not for ever: a keeper that stays without answering here is an error.
	WaitLeaving func(ctx context.Context, dir, stateDir string) error

	globals globals
}

func newFactory() *Factory {
	f := &Factory{Getenv: os.Getenv, Environ: os.Environ, IO: systemStreams(os.Getenv), Spawn: spawnKeeper, KeepHere: keepHere}
	f.Once = func(ctx context.Context, files api.Files, ask func(context.Context, *api.Client) error) error {
		return once(ctx, f.IO, files, ask)
	}
	f.WaitGone, f.WaitLeaving = protocol.WaitGone, protocol.WaitLeaving
	return f
}

// Project finds the stack that the command is about, and says so if its directory is not where it was.
func (f *Factory) Project() (*project, error) {
	p, err := findProject(&f.globals, f.Getenv)
	if err != nil {
		if p = findWithoutFile(&f.globals, f.Getenv); p == nil {
			return nil, err
		}
	}
	if p.displaced != "" {
		f.note(p.displaced + "; devstack up ends it and starts it here")
	}
	return p, nil
}

func (f *Factory) note(text string) {
	fmt.Fprintln(f.IO.Err, f.IO.ErrStyle().yellow("note:"), printableLines(text))
}

// Client is a client of the project's daemon, running or not.
func (f *Factory) Client(p *project) *api.Client {
	return api.NewClient(p.Socket)
}

// Running is the state of the running stack. None is api.ErrNotRunning; one of another name than -p's is a usage error.
func (f *Factory) Running(ctx context.Context, p *project) (*api.State, error) {
	state, err := f.Client(p).State(ctx)
	if err != nil {
		return nil, err
	}
	if p.Project != "" && state.Project != "" && p.Project != state.Project {
		return nil, &api.Error{
			Exit:    api.ExitUsage,
			Message: "cannot use the name " + p.Project + ": the stack running in " + p.Dir + " is called " + state.Project,
			Hint:    "leave out -p, or end that stack first: devstack down",
		}
	}
	return state, nil
}

// checkName refuses to touch a running stack of another name than -p's.
func (f *Factory) checkName(ctx context.Context, p *project) error {
	if p.Project == "" {
		return nil
	}
	_, err := f.Running(ctx, p)
	return err
}

// needsStack turns api.ErrNotRunning into the answer of commands that need a running stack.
func needsStack(p *project, err error) error {
	if !errors.Is(err, api.ErrNotRunning) {
		return err
	}
	if err := elsewhere(context.Background(), p); err != nil {
		return err
	}
	return &api.Error{Exit: api.ExitNotRunning, Message: "no stack is running in " + p.Dir, Hint: "devstack up"}
}

// elsewhere is an error if a stack runs in the project that the caller cannot reach: then it is not true that none runs.
func elsewhere(ctx context.Context, p *project) error {
	if !protocol.Elsewhere(ctx, p.Dir, p.StateDir, p.Socket) {
		return nil
	}
	return &api.Error{
		Exit: api.ExitUsage, Message: "cannot reach the stack that runs in " + p.Dir + ": it is another user's, or has another DEVSTACK_HOME",
		Hint: "run the same command as that user; on a pilot machine: sudo -u devstack devstack -C " + p.Dir + " ...",
	}
}

// Path is absolute, taken from -C.
func (f *Factory) Path(name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	return filepath.Abs(filepath.Join(f.globals.dir, name))
}
