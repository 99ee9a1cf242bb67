package native

import (
	"context"
	"time"

	"devstack/procs/proc"
)

// pollEnd is waitEnd where the system has no event for the end of another's child.
func pollEnd(ctx context.Context, pid int, start uint64) error {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for proc.Runs(pid, start) {
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
