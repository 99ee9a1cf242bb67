package main

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"devstack/daemon"
	"devstack/daemon/api"
	"devstack/procs/keeper/protocol"
)

// resurrect is the daemon of a keeper in the foreground: with nothing to take over it runs that up by itself.
func resurrect(ctx context.Context, log *slog.Logger, files api.Files, noInfra bool, limit time.Duration) error {
	return daemon.Resurrect(ctx, log, api.UpRequest{
		Files: files, NoInfra: noInfra, Timeout: limit,
		// The marker is the daemon's own, not the caller's.
		Environment: slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, protocol.MarkerEnv+"=") }),
	})
}
