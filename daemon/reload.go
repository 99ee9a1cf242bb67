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
var errTimeUp = errors.New("the time ran out")

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
type reload onNames

func (r *reload) run(ctx context.Context) *api.Result {
	asked := time.Now()
	if err := r.d.turn.take(ctx); err != nil {
		return cancelled(err)
	}
	defer r.d.turn.end()
	if r.d.reloaded.covers(r.req, asked) {
		return r.d.conclude(nil, nil, []string{"another reload, which began after you asked for this one, has done the work"})
	}
	r.d.reloaded = lastReload{names: r.req.Names, environment: r.req.Environment, began: time.Now()}
	out := r.now(ctx)
	r.d.reloaded.result = out
	return out
}

func (r *reload) now(ctx context.Context) *api.Result {
	st, s, refused := r.d.named(r.req.Names)
	if refused != nil {
		return refused
	}
	if len(s.services) > 0 {
		return usage("names", s.services[0]+" is a service; reload is for apps", "devstack restart "+s.services[0])
	}
	names := s.apps()
	if len(names) > 0 {
		environment := environ(r.d.asked, r.req.Environment)
		next, refused := redefined(ctx, r.d.wanted(), environment, names)
		if refused == nil {
			refused = r.d.intend(func(i *intent) {
				i.Stack, i.Environment = next, environment
				i.runSelected(s)
			})
		}
		if refused != nil {
			return refused
		}
		st = next
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout(r.req.Timeout), errTimeUp)
	defer cancel()
	notes := stoppedFirst(st, s)
	failures := r.roll(ctx, st, s)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errTimeUp) {
		return cancelled(cause)
	}
	if len(names) > 0 && len(failures) == 0 && wholeApps(st, s) == nil {
		r.d.procs.Apply(st.Apps, names...) // restarts nothing; what is no part of a launch follows, such as the files to watch
	}
	out := r.d.conclude(failures, nil, notes)
	if len(failures) > 0 {
		out.Error = "reload failed: " + resources(failures)
	}
	return out
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
		notes = append(notes, "devstack holds no socket of "+strings.Join(unheld, ", ")+": it stopped each process before it started the new one")
	}
	if len(unchecked) > 0 {
		notes = append(notes, "the healthcheck of "+strings.Join(unchecked, ", ")+" cannot tell two programs on one socket apart: devstack stopped each process before it started the new one, and connections waited")
	}
	return notes
}

// roll reloads the selected processes and returns what failed, at most one process of each app. An app follows those that it
// needs, where their old processes end before the new ones are ready.
func (r *reload) roll(ctx context.Context, st *stack.Stack, s selection) []api.Failure {
	var apps sync.WaitGroup
	failed, done := make([]*api.Failure, len(st.Apps)), make([]chan struct{}, len(st.Apps))
	for i := range done {
		done[i] = make(chan struct{})
	}
	for i, app := range st.Apps {
		mine := slices.DeleteFunc(slices.Clone(s.processes), func(p procs.Process) bool { return p.Name != app.Name })
		first := stoppedBefore(st, s, app)
		apps.Go(func() {
			defer close(done[i])
			for _, j := range first {
				if <-done[j]; failed[j] != nil && len(mine) > 0 {
					failed[i] = &api.Failure{Resource: app.Name, Exit: failed[j].Exit, Message: "was not reloaded: it needs " + st.Apps[j].Name}
					return
				}
			}
			failed[i] = r.rollApp(ctx, app, mine)
		})
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

// stoppedBefore are the selected apps, by their place in the file, that an app needs, itself or through others, and that cannot
// run two launches side by side.
func stoppedBefore(st *stack.Stack, s selection, app stack.App) (first []int) {
	needs, err := st.Closure(app.Name)
	if err != nil {
		return nil // it has left the file
	}
	for j, other := range st.Apps {
		stops := func(p procs.Process) bool { return p.Name == other.Name && !p.Overlaps }
		if other.Name != app.Name && slices.Contains(needs, other.Name) && slices.ContainsFunc(s.processes, stops) {
			first = append(first, j)
		}
	}
	return first
}

func (r *reload) rollApp(ctx context.Context, app stack.App, processes []procs.Process) *api.Failure {
	for i, p := range processes {
		f := r.one(ctx, app, p.Instance)
		if f == nil {
			continue
		}
		if refused := r.d.intend(func(next *intent) { next.Launches.drop(p) }); refused != nil {
			r.d.log.Warn("cannot note that a reload has failed", "err", refused.Error)
		}
		if left := len(processes) - i - 1; left > 0 {
			f.Message += fmt.Sprintf("; devstack did not reload %d more", left)
		}
		return f
	}
	return nil
}

// one reloads one instance and returns when the old launch has gone, or why the new one has.
func (r *reload) one(ctx context.Context, app stack.App, instance int) *api.Failure {
	if f := r.untilAlone(ctx, app, instance); f != nil { // a reload that an earlier daemon began
		return f
	}
	before, there := r.d.procs.Process(app.Name, instance)
	if !there {
		return nil
	}
	if ctx.Err() != nil {
		return &api.Failure{Resource: app.Name, Exit: api.ExitTimeout, Message: which(app, before) + "was not reloaded, because the time ran out"}
	}
	if refused := r.d.intend(func(next *intent) { next.Launches.replace(before) }); refused != nil {
		return &refused.Failures[0]
	}
	g := goal{
		apps: []stack.App{app}, only: map[int]bool{before.ID: true}, began: time.Now(), launches: r.d.wanted().Launches,
	}
	r.d.procs.Reload(before.ID, app)
	r.d.procs.Settled(ctx)
	return r.awaitProcess(ctx, app, instance, func(now procs.Process) (*api.Failure, bool) {
		if now.Rejected.Gen > before.Newest {
			f := rejection(app, now)
			return &f, now.Retiring == 0
		}
		services, processes := r.d.snapshot()
		v := judge(g, services, processes)
		switch {
		case len(v.failures) > 0:
			f := v.failures[0]
			f.Exit = api.ExitProcess
			if !now.Ready {
				f.Message = "the new one did not get ready: " + f.Message
			}
			return &f, true
		case len(v.pending) > 0:
			f := v.pending[0]
			f.Message = "the new one did not get ready: " + f.Message
			return &f, false
		case now.Successor != nil || now.Retiring != 0:
			return &api.Failure{Resource: app.Name, Exit: api.ExitTimeout, Message: which(app, now) + "was replaced, but the old process still answers"}, false
		}
		return nil, true
	})
}

// untilAlone waits until an instance has one launch at most.
func (r *reload) untilAlone(ctx context.Context, app stack.App, instance int) *api.Failure {
	return r.awaitProcess(ctx, app, instance, func(now procs.Process) (*api.Failure, bool) {
		if now.Successor == nil && now.Retiring == 0 {
			return nil, true
		}
		return &api.Failure{Resource: app.Name, Exit: api.ExitTimeout, Message: which(app, now) + "is still being reloaded by an earlier command"}, false
	})
}

// awaitProcess asks look after every change until it says that it is done, and returns what it said last.
func (r *reload) awaitProcess(ctx context.Context, app stack.App, instance int, look func(procs.Process) (*api.Failure, bool)) *api.Failure {
	for {
		changed := r.d.changed.next()
		now, there := r.d.procs.Process(app.Name, instance)
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
	f := api.Failure{Resource: app.Name, Exit: api.ExitProcess}
	exit := p.LastExit()
	if p.SuccessorError != "" {
		exit = nil
	}
	attachExit(&f, exit)
	switch {
	case p.SuccessorError != "":
		f.Message = stack.MaskText(p.SuccessorError)
	case p.Rejected.Late:
		f.Message = because("the new one was not ready within "+inTime(app), expectation(app, p))
	case p.Rejected.WasReady:
		f.Message = "the new one " + ending(p) + " within a second of being ready"
	default:
		f.Message = "the new one " + ending(p) + " before it was ready"
	}
	f.Message = which(app, p) + f.Message + "; the old one goes on"
	return f
}
