package native

import (
	"context"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// waitEnd returns nil when the process has ended, whoever its parent is, and an error when ctx has.
func waitEnd(ctx context.Context, pid int, start uint64) error { return pollEnd(ctx, pid, start) }

// usage is the memory of a process, in bytes, and the time it has spent. What it shares with others is not known here.
func usage(pid int) (own, shared int64, spent time.Duration) {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return 0, 0, 0
	}
	if m, err := p.MemoryInfo(); err == nil {
		own = int64(m.RSS)
	}
	if t, err := p.Times(); err == nil {
		spent = time.Duration((t.User + t.System) * float64(time.Second))
	}
	return own, 0, spent
}
