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

// lastReload is what the newest reload did, for those who asked for the same before it began.
type lastReload struct {
	names       []string
	environment []string
	began       time.Time
	result      *api.Result
}

// covers says whether a reload that was asked for at that time would only repeat this one.
func (l lastReload) covers(req api.ActionRequest, asked time.Time) bool {
	return l.result != nil && l.result.Exit == api.ExitDone && asked.Before(l.began) &&
		slices.Equal(l.names, req.Names) && slices.Equal(l.environment, req.Environment)
}

// reload replaces the named processes, one instance of an app after the other, different apps side by side. Where a
// socket is held, the new one takes over from the old one once it has proved itself, and a failure leaves the old one;
// else each is stopped first. A failure ends the reload of its app: the instances after it keep running as they were.
// Equal requests that came in while another reload ran are answered by one.
func (d *Daemon) reload(ctx context.Context, req api.ActionRequest) *api.Result {
	asked := time.Now()
	if err := d.takeTurn(ctx); err != nil {
		return d.cancelled(err)
	}
	defer d.endTurn()
	if d.reloaded.covers(req, asked) {
		return d.conclude(nil, nil, []string{"a reload that began after this one was asked for has done it"})
	}
	d.reloaded = lastReload{names: req.Names, environment: req.Environment, began: time.Now()}
	r := d.reloadNow(ctx, req)
	d.reloaded.result = r
	return r
}

func (d *Daemon) reloadNow(ctx context.Context, req api.ActionRequest) *api.Result {
	st, s, refused := d.named(req.Names)
	if refused != nil {
		return refused
	}
	if len(s.services) > 0 {
		return usage("names", s.services[0]+" is a service; reload is for apps", "devstack restart "+s.services[0])
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
	notes := stoppedFirst(st, s)
	failures := d.roll(ctx, st, s)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errTimeUp) {
		return d.cancelled(cause)
	}
	if len(names) > 0 && len(failures) == 0 && wholeApps(st, s) == nil {
		d.procs.Apply(st.Apps, names...) // restarts nothing; what is no part of a launch follows, such as the files to watch
	}
	r := d.conclude(failures, nil, notes)
	if len(failures) > 0 {
		r.Error = "reload failed: " + strings.TrimPrefix(r.Error, "not ready: ")
	}
	return r
}

// stoppedFirst says which apps are not reloaded side by side with their successors, and why.
func stoppedFirst(st *stack.Stack, s selection) []string {
	var unheld, unchecked []string
	for _, app := range st.Apps {
		first := slices.ContainsFunc(s.processes, func(p procs.Process) bool { return p.Name == app.Name && p.Ready && !p.Overlaps })
		switch {
		case !first:
		case app.HoldsSockets() && !app.RunsNode():
			unchecked = append(unchecked, app.Name)
		default:
			unheld = append(unheld, app.Name)
		}
	}
	notes := []string{}
	if len(unheld) > 0 {
		notes = append(notes, "no socket is held of "+strings.Join(unheld, ", ")+": each process was stopped before its successor started")
	}
	if len(unchecked) > 0 {
		notes = append(notes, "the healthcheck of "+strings.Join(unchecked, ", ")+" cannot tell two programs on one socket apart: each was stopped before its successor started, and connections waited")
	}
	return notes
}

// roll reloads the selected processes and returns what failed, at most one process of each app.
func (d *Daemon) roll(ctx context.Context, st *stack.Stack, s selection) []api.Failure {
	var apps sync.WaitGroup
	failed := make([]*api.Failure, len(st.Apps))
	for i, app := range st.Apps {
		mine := slices.DeleteFunc(slices.Clone(s.processes), func(p procs.Process) bool { return p.Name != app.Name })
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
		f := d.reloadOne(ctx, app, p.Instance)
		if f == nil {
			continue
		}
		if left := len(processes) - i - 1; left > 0 {
			f.Message += fmt.Sprintf("; %d more not reloaded", left)
		}
		return f
	}
	return nil
}

// reloadOne reloads one instance and returns when the old launch has gone, or why the new one has.
func (d *Daemon) reloadOne(ctx context.Context, app stack.App, instance int) *api.Failure {
	if f := d.untilAlone(ctx, app, instance); f != nil { // a reload that an earlier daemon began
		return f
	}
	before, there := d.procs.Process(app.Name, instance)
	if !there {
		return nil
	}
	if ctx.Err() != nil {
		return &api.Failure{Resource: app.Name, Exit: api.ExitTimeout, Message: which(app, before) + "is not reloaded: time was up"}
	}
	g := goal{
		apps: []stack.App{app}, only: map[int]bool{before.ID: true}, began: time.Now(), after: map[int]int64{before.ID: before.Generation},
	}
	d.procs.Reload(before.ID, app)
	d.procs.Settled(ctx)
	return d.awaitProcess(ctx, app, instance, func(now procs.Process) (*api.Failure, bool) {
		if now.Rejected.Gen > before.Newest {
			f := rejection(app, now)
			return &f, now.Retiring == 0
		}
		services, processes := d.snapshot()
		v := judge(g, services, processes)
		switch {
		case len(v.failures) > 0:
			f := v.failures[0]
			f.Exit = api.ExitProcess
			f.Message = "the new one did not get ready: " + f.Message
			return &f, true
		case len(v.pending) > 0:
			f := v.pending[0]
			f.Message = "the new one did not get ready: " + f.Message
			return &f, false
		case now.Successor != nil || now.Retiring != 0:
			return &api.Failure{Resource: app.Name, Exit: api.ExitTimeout, Message: which(app, now) + "is replaced, and the old one still answers"}, false
		}
		return nil, true
	})
}

// untilAlone waits until an instance has one launch at most.
func (d *Daemon) untilAlone(ctx context.Context, app stack.App, instance int) *api.Failure {
	return d.awaitProcess(ctx, app, instance, func(now procs.Process) (*api.Failure, bool) {
		if now.Successor == nil && now.Retiring == 0 {
			return nil, true
		}
		return &api.Failure{Resource: app.Name, Exit: api.ExitTimeout, Message: which(app, now) + "is still being reloaded by an earlier command"}, false
	})
}

// awaitProcess asks look after every change until it says that it is done, and returns what it said last.
func (d *Daemon) awaitProcess(ctx context.Context, app stack.App, instance int, look func(procs.Process) (*api.Failure, bool)) *api.Failure {
	for {
		changed := d.changed.next()
		now, there := d.procs.Process(app.Name, instance)
		if !there {
			return nil
		}
		f, done := look(now)
		if done {
			return f
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return f
		}
	}
}

// rejection says why a successor did not take over.
func rejection(app stack.App, p procs.Process) api.Failure {
	f := api.Failure{Resource: app.Name, Exit: api.ExitProcess, LastLines: []string{}, LogFile: app.Instance(p.Instance).ErrorFile}
	if exit := p.LastExit(); exit != nil && p.SuccessorError == "" {
		f.LastLines = exit.LastLines
	}
	switch {
	case p.SuccessorError != "":
		f.Message = p.SuccessorError
	case p.Rejected.Late:
		f.Message = fmt.Sprintf("the new one was not ready within %s", patience(app))
	case p.Rejected.WasReady:
		f.Message = "the new one " + ending(p) + " within a second of being ready"
	default:
		f.Message = "the new one " + ending(p) + " before it was ready"
	}
	f.Message = which(app, p) + f.Message + "; the old one goes on"
	return f
}
