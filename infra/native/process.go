package native

import (
	"context"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"devstack/infra"
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

// Stats adds up a server and its children. Memory that they share counts once.
func (d *Driver) Stats(ctx context.Context, id string) (infra.Stats, error) {
	r, err := d.layout.load(id)
	if err != nil {
		return infra.Stats{}, err
	}
	if !d.alive(r) {
		return infra.Stats{}, infra.ErrNotFound
	}
	root, err := process.NewProcessWithContext(ctx, int32(r.Pid))
	if err != nil {
		return infra.Stats{}, infra.ErrNotFound
	}
	pids := []int32{root.Pid}
	children, _ := root.ChildrenWithContext(ctx) // an error also says that there are none
	for _, c := range children {
		pids = append(pids, c.Pid)
	}
	out := infra.Stats{At: time.Now()}
	var largest int64
	for _, pid := range pids {
		own, shared, spent := usage(int(pid))
		out.Memory += own
		out.CPU += spent
		largest = max(largest, shared)
	}
	out.Memory += largest
	return out, nil
}
