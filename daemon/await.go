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
	d.procs.Settled(ctx) // what was errored before is not the answer
	for {
		changed := d.changed.next()
		services, processes := d.snapshot()
		v := judge(g, services, processes)
		if v.settled() && (broken == nil || g.broken != nil) {
			return d.conclude(v.failures, v.notStarted(), notes)
		}
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
				v.pending[i].Message += fmt.Sprintf(", after %s", limit)
			}
			return d.conclude(append(v.failures, v.pending...), v.notStarted(), notes)
		}
	}
}

// conclude is how an action that has begun ends.
func (d *Daemon) conclude(failures []api.Failure, blocked, notes []string) *api.Result {
	r := &api.Result{Exit: exitCode(failures), Failures: failures, Notes: slices.Concat(notes, d.file.notes(d.ctx), blocked), State: looks{d}.now()}
	if len(failures) == 0 {
		return r
	}
	addLastLines(failures, d.wanted().Stack, d.procs.Snapshot(), d.home.StateDir)
	r.Error = "not ready: " + resources(failures)
	first := failures[0]
	r.Hint = "devstack logs " + first.Resource
	if first.Exit == api.ExitTimeout {
		r.Hint = "devstack describe " + first.Resource + " shows what it waits for; --timeout waits longer"
	}
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

// addLastLines adds what processes that run and are not ready have said last; those that ended have it with their exit.
func addLastLines(failures []api.Failure, st *stack.Stack, processes []procs.Process, stateDir string) {
	if st == nil {
		return
	}
	for _, p := range processes {
		f := slices.IndexFunc(failures, func(f api.Failure) bool { return f.Resource == p.Name && f.Exit == api.ExitTimeout })
		app := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == p.Name })
		if f < 0 || app < 0 || p.Status != view.Launching || p.StartedAt == nil || len(failures[f].LastLines) > 0 {
			continue
		}
		failures[f].LastLines = procs.LastLines(procs.SourceOf(st.Apps[app], p.Instance, nil), stateDir, procs.ExitLines, *p.StartedAt)
	}
}

func timeout(asked time.Duration) time.Duration {
	if asked <= 0 {
		return defaultTimeout
	}
	return asked
}
