package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
)

// errTimeUp ends a reload whose --timeout is over.
var errTimeUp = errors.New("time is up")

// reload replaces the named processes, one instance of an app after the other, different apps side by side. No socket
// is held, so each instance is stopped before its successor starts. A successor that does not get ready ends the reload
// of its app: the instances after it keep running as they were.
func (d *Daemon) reload(ctx context.Context, req api.ActionRequest) *api.Result {
	if err := d.takeTurn(ctx); err != nil {
		return d.cancelled(err)
	}
	defer d.endTurn()
	st, s, refused := d.named(req.Names)
	if refused != nil {
		return refused
	}
	if len(s.services) > 0 {
		return usage("names", s.services[0]+" is a container; reload is for apps", "devstack restart "+s.services[0])
	}
	names := s.apps()
	if len(names) > 0 {
		next, refused := d.redefined(ctx, req.Environment, names)
		if refused == nil {
			refused = d.adopt(ctx, next)
		}
		if refused != nil {
			return refused
		}
		st = next.Stack
		d.judgeOnce()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout(req.Timeout), errTimeUp)
	defer cancel()
	failures := d.roll(ctx, st, s)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errTimeUp) {
		return d.cancelled(cause)
	}
	if len(names) > 0 && len(failures) == 0 && wholeApps(st, s) == nil {
		d.procs.Apply(st.Apps, names...) // restarts nothing; what is no part of a launch follows, such as the files to watch
	}
	r := d.conclude(failures, nil, []string{"no socket is held: each process was stopped before its successor started"})
	if len(failures) > 0 {
		r.Error = "reload failed: " + strings.TrimPrefix(r.Error, "not ready: ")
	}
	return r
}

// roll reloads the selected processes and returns what failed, at most one process of each app.
func (d *Daemon) roll(ctx context.Context, st *stack.Stack, s selection) []api.Failure {
	var apps sync.WaitGroup
	failed := make([]*api.Failure, len(st.Apps))
	for i, app := range st.Apps {
		mine := slices.DeleteFunc(slices.Clone(s.processes), func(p procs.Process) bool { return p.App != app.Name })
		apps.Go(func() { failed[i] = d.rollApp(ctx, app, mine) })
	}
	apps.Wait()
	var failures []api.Failure
	for _, f := range failed {
		if f != nil {
			failures = append(failures, *f)
		}
	}
	return failures
}

func (d *Daemon) rollApp(ctx context.Context, app stack.App, processes []procs.Process) *api.Failure {
	for i, p := range processes {
		p, there := d.procs.Process(app.Name, p.Instance)
		if !there || ctx.Err() != nil {
			continue
		}
		g := goal{
			apps: []stack.App{app}, only: map[int]bool{p.ID: true}, began: time.Now(), after: map[int]int64{p.ID: p.Generation},
		}
		d.procs.Replace(p.ID, app)
		f := d.untilReady(ctx, g)
		if f == nil {
			continue
		}
		f.Exit = api.ExitProcess
		f.Message = "the new one did not get ready: " + f.Message
		if left := len(processes) - i - 1; left > 0 {
			f.Message += fmt.Sprintf("; %d more not reloaded", left)
		}
		return f
	}
	return nil
}

// untilReady waits until g is reached and returns the first thing that kept it from that.
func (d *Daemon) untilReady(ctx context.Context, g goal) *api.Failure {
	d.procs.Settled(ctx)
	for {
		changed := d.changed.next()
		services, processes := d.snapshot()
		v := judge(g, services, processes)
		switch {
		case len(v.failures) > 0:
			return &v.failures[0]
		case v.settled() && len(v.blocked) == 0:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if len(v.pending) == 0 {
				return nil
			}
			return &v.pending[0]
		}
	}
}
