package main

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"

	"devstack/daemon"
	"devstack/daemon/api"
	"devstack/procs/keeper/protocol"
)

// runResurrect is the daemon of a keeper in the foreground: with nothing to take over it runs that up by itself.
func runResurrect(ctx context.Context, c *command, args []string) error {
	noInfra := c.flags.Bool("no-infra", false, "start no service")
	limit := c.flags.Duration("timeout", 0, "how long to wait until all is ready, before that is said in the log")
	if err := c.parse(args); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(c.stderr, nil))
	err := daemon.Resurrect(ctx, log, api.UpRequest{
		Files:   api.Files{File: c.file, Project: c.name, Profile: c.prof},
		NoInfra: *noInfra, Timeout: *limit,
		// The marker is the daemon's own, not the caller's.
		Environment: slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, protocol.MarkerEnv+"=") }),
	})
	if err != nil {
		log.Error("the daemon ends", "err", err)
		return silent{api.ExitBug}
	}
	return nil
}
