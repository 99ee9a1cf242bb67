// devstackd is the daemon of a running stack, started by the keeper, and answers once, for commands of devstack that need
// the files' whole model. People do not call it by hand.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"devstack/daemon"
	"devstack/daemon/api"
)

func main() { os.Exit(int(run(os.Args[1:], os.Stderr))) }

// run is the daemon's life, or, with a first argument, something else. What there is to say goes to stderr: of the daemon the
// keeper makes a log of it.
func run(args []string, stderr io.Writer) api.Code {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if len(args) == 0 {
		return logged(log, daemon.Run(ctx, log))
	}
	flags := flag.NewFlagSet("devstackd "+args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard) // report says it
	var files api.Files
	flags.StringVar(&files.File, "file", "", "path of ecosystem.yaml")
	flags.StringVar(&files.Project, "p", "", "Compose project name")
	flags.StringVar(&files.Profile, "profile", "", "dev, pilot or prod")
	noInfra := flags.Bool("no-infra", false, "resurrect: start no service")
	limit := flags.Duration("timeout", 0, "resurrect: how long to wait until all is ready, before that is said in the log")
	if err := flags.Parse(args[1:]); err != nil {
		return report(stderr, usage("%v", err))
	}
	switch args[0] {
	case "once":
		return report(stderr, runOnce(ctx, files))
	case "resurrect":
		return logged(log, resurrect(ctx, log, files, *noInfra, *limit))
	case "infra":
		return report(stderr, runInfra(ctx, log, files))
	}
	return report(stderr, &api.Error{Exit: api.ExitUsage, Message: "cannot run devstackd " + args[0] + ": there is no such command", Hint: "use devstack"})
}

// logged is the exit code of a daemon.
func logged(log *slog.Logger, err error) api.Code {
	if err != nil {
		log.Error("the daemon ends", "err", err)
		return api.ExitBug
	}
	return api.ExitDone
}

// report writes an error for whoever reads a unit's log, and is its exit code.
func report(stderr io.Writer, err error) api.Code {
	r := daemon.Refusal(err)
	if err == nil {
		return r.Exit
	}
	fmt.Fprintln(stderr, "error:", r.Error)
	for _, f := range r.Failures {
		if !strings.HasSuffix(r.Error, f.Message) {
			fmt.Fprintln(stderr, "error:", f.Message)
		}
	}
	if r.Hint != "" {
		fmt.Fprintln(stderr, "next: ", strings.ReplaceAll(r.Hint, "\n", "\n       "))
	}
	return r.Exit
}
