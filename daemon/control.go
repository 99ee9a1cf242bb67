package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// start runs the named processes and containers and waits until they are ready. The files are read anew for them,
// with the caller's environment. An app's containers are not started: its gate waits for them.
func (d *Daemon) start(ctx context.Context, req api.ActionRequest) *api.Result {
	return d.rerun(ctx, req, d.procs.StartIDs, (*infra.Infra).Start, func(p procs.Process) bool { return p.Status == view.Stopped })
}

// restart ends the named processes and containers and runs them anew; what was stopped runs as well.
func (d *Daemon) restart(ctx context.Context, req api.ActionRequest) *api.Result {
	return d.rerun(ctx, req, d.procs.RestartIDs, (*infra.Infra).Restart, func(procs.Process) bool { return true })
}

// rerun is start and restart: processes and service carry it out, anew says which processes are launched anew by it.
func (d *Daemon) rerun(
	ctx context.Context, req api.ActionRequest,
	processes func(...int), service func(*infra.Infra, context.Context, string) error, anew func(procs.Process) bool,
) *api.Result {
	began := time.Now()
	if err := d.takeTurn(ctx); err != nil {
		return d.cancelled(err)
	}
	st, s, refused := d.named(req.Names)
	engine := d.currentEngine()
	if refused == nil && len(s.services) > 0 && engine == nil {
		refused = refusal(api.Failure{Resource: s.services[0], Exit: api.ExitEngine, Message: "it is not devstack's to start: the stack runs with --no-infra; docker start or restart can, as a user of the engine"})
	}
	g := goal{services: s.services, only: map[int]bool{}, began: began, after: map[int]int64{}}
	for _, p := range s.processes {
		g.only[p.ID] = true
		if anew(p) {
			g.after[p.ID] = p.Generation
		}
	}
	names := s.apps()
	launched := slices.DeleteFunc(slices.Clone(s.processes), func(p procs.Process) bool { return runs(p) && !anew(p) })
	if refused == nil && len(names) > 0 {
		st, refused = d.readAnew(ctx, req.Environment, s, launched, g.after)
	} else if refused == nil {
		refused = d.intend(func(next *intent) { next.runServices(s.services...) })
	}
	if refused != nil {
		d.endTurn()
		return refused
	}
	for _, app := range st.Apps {
		if slices.Contains(names, app.Name) {
			g.apps = append(g.apps, app)
		}
	}
	broken := make(chan error, 1)
	d.background.Go(func() { // an action is in the background itself
		defer d.endTurn()
		defer close(broken)
		if err := eachService(s.services, func(name string) error { return service(engine, ctx, name) }); err != nil {
			broken <- err
		}
		d.noteRaised(s.services)
	})
	processes(s.ids()...)
	notes := []string{}
	if len(s.processes)+len(s.services) == 0 {
		notes = append(notes, "this stack has no processes; a service is meant by its name")
	}
	return d.await(ctx, g, broken, timeout(req.Timeout), notes)
}

// eachService does something with services side by side and returns everything that went wrong.
func eachService(names []string, do func(string) error) error {
	errs := make([]error, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { errs[i] = do(name) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// named is the running stack and what the words of an action mean in it.
func (d *Daemon) named(words []string) (*stack.Stack, selection, *api.Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.intent.Stack
	if st == nil {
		return nil, selection{}, notRunning()
	}
	s, err := pick(st, d.procs.Snapshot(), words)
	if err != nil {
		return nil, selection{}, &api.Result{Exit: err.Exit, Error: err.Message, Hint: err.Hint}
	}
	return st, s, nil
}

func notRunning() *api.Result {
	return &api.Result{Exit: api.ExitNotRunning, Error: "no stack is running", Hint: "devstack up"}
}

// readAnew reads the files anew for the selected apps, whose selected processes are to run, of which launched anew, and
// notes in after which processes a changed definition launches anew. The other apps, and the containers, stay as they are.
func (d *Daemon) readAnew(
	ctx context.Context, environment []string, s selection, launched []procs.Process, after map[int]int64,
) (*stack.Stack, *api.Result) {
	names := s.apps()
	st, environment, refused := d.redefined(ctx, environment, names)
	if refused == nil {
		refused = d.intend(func(next *intent) {
			old := next.Stack
			next.Stack, next.Environment = st, environment
			next.runSelected(s)
			next.launch(launched...)
			next.launchMissing(nil, old, d.procs.Snapshot())
			next.runServices(s.services...)
		})
	}
	if refused != nil {
		return nil, refused
	}
	before := d.procs.Snapshot()
	changed := d.procs.Apply(st.Apps, names...).Changed
	for _, p := range before {
		if slices.Contains(changed, p.Name) {
			after[p.ID] = p.Generation
		}
	}
	d.judgeOnce()
	return st, nil
}

// redefined is the stack with the definitions of the named apps as the files have them now, and the environment that they
// were read with. How many instances there are is for up and scale to say.
func (d *Daemon) redefined(ctx context.Context, environment, names []string) (*stack.Stack, []string, *api.Result) {
	environment = d.environ(environment)
	old := d.wanted()
	st, refused := d.load(ctx, old.Files, environment)
	if refused != nil {
		return nil, nil, refused
	}
	next := *st
	next.Compose, next.Apps = old.Stack.Compose, slices.Clone(old.Stack.Apps)
	for i, app := range next.Apps {
		if !slices.Contains(names, app.Name) {
			continue
		}
		n := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == app.Name })
		if n < 0 {
			return nil, nil, refusal(api.Failure{
				Resource: app.Name, Exit: api.ExitFiles, Message: "is no longer in " + st.Rel(st.File) + "; devstack up removes it",
			})
		}
		next.Apps[i] = st.Apps[n]
		next.Apps[i].Instances, next.Apps[i].ExecMode = app.Instances, app.ExecMode
	}
	if len(st.Missing) > 0 {
		return nil, nil, refusal(api.Failure{Resource: "required environment", Exit: api.ExitEnvironment, Message: fmt.Sprintf("not set: %v", st.Missing)})
	}
	return &next, environment, nil
}

// stop ends the named processes and containers, dependents first, and returns when they are stopped.
func (d *Daemon) stop(ctx context.Context, req api.ActionRequest) *api.Result {
	if err := d.takeTurn(ctx); err != nil {
		return d.cancelled(err)
	}
	defer d.endTurn()
	st, s, refused := d.named(req.Names)
	if refused != nil {
		if refused.Exit == api.ExitNotRunning { // nothing to stop is no error
			refused = &api.Result{Notes: []string{"nothing is running"}}
		}
		return refused
	}
	engine := d.currentEngine()
	refused = d.intend(func(next *intent) {
		next.stopSelected(s)
		if engine != nil {
			next.stopServices(s.services...)
		}
	})
	if refused != nil {
		return refused
	}
	failures := d.stopProcesses(ctx, st, s.processes)
	if engine == nil && len(s.services) > 0 {
		failures = append(failures, api.Failure{Resource: s.services[0], Exit: api.ExitEngine, Message: "it is not devstack's to stop: the stack runs with --no-infra; docker stop can, as a user of the engine"})
	} else if err := eachService(s.services, func(name string) error { return engine.Stop(ctx, name) }); err != nil {
		failures = append(failures, infraFailures(err)...)
	}
	if ctx.Err() != nil {
		return d.cancelled(context.Cause(ctx))
	}
	r := d.conclude(failures, nil, []string{})
	if r.Exit != api.ExitDone {
		r.Error = "not everything could be stopped"
	}
	return r
}

// stopLayers are the apps in the order of stopping: each layer at once, dependents before what they need.
func stopLayers(st *stack.Stack, apps []string) [][]string {
	var layers [][]string
	for _, layer := range slices.Backward(st.Layers()) {
		if some := slices.DeleteFunc(slices.Clone(layer), func(name string) bool { return !slices.Contains(apps, name) }); len(some) > 0 {
			layers = append(layers, some)
		}
	}
	return layers
}

// stopProcesses stops processes layer by layer. One that outlives its kill_timeout and SIGKILL is a failure.
func (d *Daemon) stopProcesses(ctx context.Context, st *stack.Stack, processes []procs.Process) []api.Failure {
	var failures []api.Failure
	for _, layer := range stopLayers(st, selection{processes: processes}.apps()) {
		limit := 10 * time.Second // beyond the kill_timeout: SIGKILL takes no longer, unless the kernel holds it
		for _, app := range st.Apps {
			if slices.Contains(layer, app.Name) {
				limit = max(limit, app.KillTimeout+10*time.Second)
			}
		}
		ids := idsOf(slices.DeleteFunc(slices.Clone(processes), func(p procs.Process) bool { return !slices.Contains(layer, p.Name) }))
		d.procs.StopIDs(ids...)
		for _, name := range d.awaitStopped(ctx, ids, limit) {
			failures = append(failures, api.Failure{Resource: name, Exit: api.ExitBug, Message: fmt.Sprintf("is not gone after %s", limit)})
		}
	}
	return failures
}

// awaitStopped returns the apps that still run at the limit.
func (d *Daemon) awaitStopped(ctx context.Context, ids []int, limit time.Duration) []string {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		changed := d.changed.next()
		var left []string
		for _, p := range d.procs.Snapshot() {
			if slices.Contains(ids, p.ID) && (p.Status != view.Stopped || p.Pid != nil || p.Retiring != 0) && !slices.Contains(left, p.Name) {
				left = append(left, p.Name)
			}
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return left
		case <-ctx.Done():
			return nil
		}
	}
}
