package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// defaultTimeout is how long an action waits for everything to be ready.
const defaultTimeout = 120 * time.Second

// await waits until everything in g is ready, has failed, or time is out; the stack goes on whatever it says.
func (d *Daemon) await(ctx context.Context, g goal, broken <-chan error, limit time.Duration, notes []string) *api.Result {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	told := map[string]bool{}
	d.procs.Settled(ctx) // what was errored before is not the answer
	for {
		changed := d.changed.next()
		services, processes := d.snapshot()
		v := judge(g, services, processes)
		if v.settled() && (broken == nil || g.broken != nil) {
			return d.conclude(v.failures, v.notStarted(), notes)
		}
		d.tellFailures(v, told)
		select {
		case <-changed:
		case err := <-broken:
			g.broken, broken = err, nil
			if errors.Is(err, errDown) || ctx.Err() != nil {
				return cancelled(context.Cause(ctx))
			}
		case <-ctx.Done():
			return cancelled(context.Cause(ctx))
		case <-timer.C:
			services, processes = d.snapshot()
			v = judge(g, services, processes) // a detail may have changed in silence
			for i := range v.pending {
				v.pending[i].Message += fmt.Sprintf(", after %s (--timeout)", limit)
			}
			return d.conclude(append(v.failures, v.pending...), v.notStarted(), notes)
		}
	}
}

// withTreesOf adds to processes the trees and ports that were looked at, as far as the same ones still run.
func withTreesOf(looked, now []procs.Process) []procs.Process {
	for i, p := range now {
		n := slices.IndexFunc(looked, func(l procs.Process) bool { return l.ID == p.ID })
		if n >= 0 && p.Pid != nil && looked[n].Pid != nil && *p.Pid == *looked[n].Pid {
			now[i].Ports, now[i].Children, now[i].MemoryBytes = looked[n].Ports, looked[n].Children, looked[n].MemoryBytes
		}
	}
	return now
}

// tellFailures tells, once of each resource, what has failed while the action waits for the others.
func (d *Daemon) tellFailures(v verdict, told map[string]bool) {
	for _, f := range v.known() {
		if !told[f.Resource] {
			told[f.Resource] = true
			d.bus.publish(view.Event{Resource: f.Resource, Kind: view.KindFailure, Message: f.Message})
		}
	}
}

// conclude is how an action that has begun ends. Snapshots are ahead of the events about what they show: those come before the
// result, since nobody reads on after it. What takes its time comes before both.
func (d *Daemon) conclude(failures []api.Failure, blocked, notes []string) *api.Result {
	r := &api.Result{Exit: exitCode(failures), Failures: failures, Notes: slices.Concat(notes, d.file.notes(d.ctx), blocked)}
	st, processes := d.wanted().Stack, d.procs.SnapshotWithPortsNow()
	if st == nil {
		st = &stack.Stack{}
	}
	r.Links = links(d.ctx, st, processes)
	d.procs.Settled(d.ctx)
	d.containers.told()
	r.State = looks{d}.with(withTreesOf(processes, d.procs.Snapshot()))
	if len(failures) == 0 {
		return r
	}
	addLastLines(failures, st, processes, d.home.StateDir)
	r.Error, r.Hint = "not ready: "+resources(failures), nextStep(failures[0], st, processes)
	return r
}

// resources are the names in failures, each once.
func resources(failures []api.Failure) string {
	var names []string
	for _, f := range failures {
		if !slices.Contains(names, f.Resource) {
			names = append(names, f.Resource)
		}
	}
	return strings.Join(names, ", ")
}

func timeout(asked time.Duration) time.Duration {
	if asked <= 0 {
		return defaultTimeout
	}
	return asked
}
