package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"devstack/daemon"
	"devstack/daemon/api"
	"devstack/infra"
	"devstack/stack"
)

// command is one subcommand: what it is asked for and where it writes.
type command struct {
	flags  *flag.FlagSet
	file   string
	name   string
	prof   string
	json   bool
	stdout io.Writer
	stderr io.Writer
}

// run carries out a subcommand; without one it is the daemon.
func run(args []string, stdout, stderr io.Writer) api.Code {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if len(args) == 0 {
		return runDaemon(ctx, stderr)
	}
	all := map[string]func(context.Context, *command, []string) error{
		"config": runConfig, "export": runExport, "import": runImport, "init": runInit, "preflight": runPreflight,
		"rehearse": runRehearse, "schema": runSchema, "version": runVersion,
		"down": runDown, "logs": runLogs, "ps": runPs,
		"bootstrap": runBootstrap, "infra": runInfra, "resurrect": runResurrect, "startup": runStartup, "unstartup": runUnstartup,
	}
	do := all[args[0]]
	if do == nil {
		return report(stderr, &api.Error{Exit: api.ExitUsage, Message: "devstackd has no command " + args[0], Hint: "use devstack"})
	}
	c := &command{stdout: stdout, stderr: stderr, flags: flag.NewFlagSet("devstackd "+args[0], flag.ContinueOnError)}
	c.flags.SetOutput(stderr)
	c.flags.StringVar(&c.file, "file", "", "path of ecosystem.yaml")
	c.flags.StringVar(&c.name, "p", "", "Compose project name")
	c.flags.StringVar(&c.prof, "profile", "", "dev, pilot or prod")
	c.flags.BoolVar(&c.json, "json", false, "as JSON")
	return report(stderr, do(ctx, c, args[1:]))
}

// runDaemon is the daemon's life. Its log is what the keeper made of its standard error.
func runDaemon(ctx context.Context, stderr io.Writer) api.Code {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	if err := daemon.Run(ctx, log); err != nil {
		log.Error("the daemon ends", "err", err)
		return api.ExitBug
	}
	return api.ExitDone
}

// parse reads the flags.
func (c *command) parse(args []string) error {
	if err := c.flags.Parse(args); err != nil {
		return &api.Error{Exit: api.ExitUsage, Message: err.Error()}
	}
	return nil
}

// load is the stack that the flags mean.
func (c *command) load(ctx context.Context) (*stack.Stack, error) {
	file := c.file
	if file == "" {
		var err error
		if file, err = stack.Find(".", ""); err != nil {
			return nil, err
		}
	}
	return stack.Load(ctx, stack.Options{File: file, Project: c.name, Profile: c.prof, Environment: os.Environ()})
}

// location is where the daemon of the stack's project lives, or lived.
func location(st *stack.Stack) (api.Location, error) {
	return api.Locate(filepath.Dir(st.File), os.Getenv("DEVSTACK_HOME"))
}

func stateDir(st *stack.Stack) (string, error) {
	at, err := location(st)
	return at.StateDir, err
}

// silent is an error that the command has already shown.
type silent struct{ code api.Code }

func (s silent) Error() string { return fmt.Sprintf("exit code %d", s.code) }

// report writes an error for people and is its exit code.
func report(stderr io.Writer, err error) api.Code {
	var (
		quiet   silent
		known   *api.Error
		unknown *stack.UnknownError
		files   stack.Errors
		single  *stack.Error
		engine  *infra.Error
	)
	say := func(code api.Code, hint string) api.Code {
		fmt.Fprintln(stderr, "error:", err)
		if hint != "" {
			fmt.Fprintln(stderr, "next: ", hint)
		}
		return code
	}
	switch {
	case err == nil:
		return api.ExitDone
	case errors.As(err, &quiet):
		return quiet.code
	case errors.As(err, &known):
		return say(known.Exit, known.Hint)
	case errors.As(err, &unknown):
		return say(api.ExitUsage, "")
	case errors.As(err, &files):
		for _, e := range files {
			fmt.Fprintln(stderr, "error:", e)
			if e.Hint != "" {
				fmt.Fprintln(stderr, "next: ", e.Hint)
			}
		}
		return api.ExitFiles
	case errors.As(err, &single):
		return say(api.ExitFiles, single.Hint)
	case errors.As(err, &engine):
		return say(daemon.CodeOf(engine.Kind), engine.Hint)
	}
	return say(api.ExitBug, "")
}
