package daemon

import (
	"context"
	"fmt"
	"slices"
	"time"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
)

// start runs the named processes and containers and waits until they are ready. The files are read anew for them,
// with the caller's environment. An app's containers are not started: its gate waits for them.
func (d *Daemon) start(ctx context.Context, req api.ActionRequest) *api.Result {
	return d.rerun(ctx, req, d.procs.Start, (*infra.Infra).Start, func(p procs.Process) bool { return p.State == procs.Stopped })
}

// restart ends the named processes and containers and runs them anew; what was stopped runs as well.
func (d *Daemon) restart(ctx context.Context, req api.ActionRequest) *api.Result {
	return d.rerun(ctx, req, d.procs.Restart, (*infra.Infra).Restart, func(procs.Process) bool { return true })
}

// rerun is start and restart: apps and service carry it out, anew says which processes are launched anew by it.
func (d *Daemon) rerun(
	ctx context.Context, req api.ActionRequest,
	apps func(...string), service func(*infra.Infra, context.Context, string) error, anew func(procs.Process) bool,
) *api.Result {
	began := time.Now()
	if err := d.takeTurn(ctx); err != nil {
		return d.cancelled(err)
	}
	st, names, services, refused := d.named(req)
	engine := d.currentEngine()
	if refused == nil && len(services) > 0 && engine == nil {
		refused = refusal(api.Failure{Resource: services[0], Exit: api.ExitEngine, Message: "its container is not devstack's to start: the stack runs with --no-infra"})
	}
	g := goal{services: services, began: began, after: map[string]int64{}}
	for _, p := range d.procs.Snapshot() {
		if anew(p) {
			g.after[p.App] = p.Generation
		}
	}
	if refused == nil && len(names) > 0 {
		st, refused = d.reload(ctx, req.Environment, names, g.after)
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
	go func() {
		defer d.endTurn()
		defer close(broken)
		for _, name := range services {
			if err := service(engine, ctx, name); err != nil {
				broken <- err
				return
			}
		}
	}()
	apps(names...)
	notes := []string{}
	if len(names)+len(services) == 0 {
		notes = append(notes, "this stack has no processes; a container is meant by its name")
	}
	return d.await(ctx, g, broken, timeout(req.Timeout), notes)
}

// named is the running stack and what an action's words mean in it.
func (d *Daemon) named(req api.ActionRequest) (st *stack.Stack, apps, services []string, refused *api.Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.desired == nil {
		return nil, nil, nil, &api.Result{Exit: api.ExitNotRunning, Error: "no stack is running", Hint: "devstack up"}
	}
	apps, services, err := pick(d.desired.Stack, d.procs.Snapshot(), req.Names)
	if err != nil {
		return nil, nil, nil, &api.Result{Exit: err.Exit, Error: err.Message, Hint: err.Hint}
	}
	return d.desired.Stack, apps, services, nil
}

// reload reads the files anew for the named apps and notes in after which of them that launches anew. The others, and
// the containers, stay as the last up made them.
func (d *Daemon) reload(ctx context.Context, environment, names []string, after map[string]int64) (*stack.Stack, *api.Result) {
	d.mu.Lock()
	old := *d.desired
	d.mu.Unlock()
	st, refused := d.load(ctx, old.Files, environment)
	if refused != nil {
		return nil, refused
	}
	next := *st
	next.Compose, next.Apps = old.Stack.Compose, slices.Clone(old.Stack.Apps)
	for i, app := range next.Apps {
		if !slices.Contains(names, app.Name) {
			continue
		}
		n := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == app.Name })
		if n < 0 {
			return nil, refusal(api.Failure{
				Resource: app.Name, Exit: api.ExitFiles, Message: "is no longer in " + st.Rel(st.File) + "; devstack up removes it",
			})
		}
		next.Apps[i] = st.Apps[n]
	}
	if len(st.Missing) > 0 {
		return nil, refusal(api.Failure{Resource: "required environment", Exit: api.ExitEnvironment, Message: fmt.Sprintf("not set: %v", st.Missing)})
	}
	old.Stack, old.Environment = &next, environment
	if refused := d.adopt(ctx, &old); refused != nil {
		return nil, refused
	}
	before := d.procs.Snapshot()
	changed := d.procs.Apply(next.Apps).Changed
	for _, p := range before {
		if slices.Contains(changed, p.App) {
			after[p.App] = p.Generation
		}
	}
	d.judgeOnce()
	return &next, nil
}

func (d *Daemon) currentEngine() *infra.Infra {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.engine
}

// stop ends the named processes and containers, dependents first, and returns when they are stopped.
func (d *Daemon) stop(ctx context.Context, req api.ActionRequest) *api.Result {
	if err := d.takeTurn(ctx); err != nil {
		return d.cancelled(err)
	}
	defer d.endTurn()
	st, apps, services, refused := d.named(req)
	if refused != nil {
		if refused.Exit == api.ExitNotRunning { // nothing to stop is no error
			refused = &api.Result{Notes: []string{"nothing is running"}}
		}
		return refused
	}
	failures := d.stopApps(ctx, st, apps)
	for _, name := range services {
		engine := d.currentEngine()
		if engine == nil {
			failures = append(failures, api.Failure{Resource: name, Exit: api.ExitEngine, Message: "its container is not devstack's to stop: the stack runs with --no-infra"})
			continue
		}
		if err := engine.Stop(ctx, name); err != nil {
			failures = append(failures, infraFailures(err)...)
		}
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

// stopApps stops apps layer by layer. One that outlives its kill_timeout and SIGKILL is a failure.
func (d *Daemon) stopApps(ctx context.Context, st *stack.Stack, apps []string) []api.Failure {
	var failures []api.Failure
	for _, layer := range stopLayers(st, apps) {
		limit := 10 * time.Second // beyond the kill_timeout: SIGKILL takes no longer, unless the kernel holds it
		for _, app := range st.Apps {
			if slices.Contains(layer, app.Name) {
				limit = max(limit, app.KillTimeout+10*time.Second)
			}
		}
		d.procs.Stop(layer...)
		for _, name := range d.awaitStopped(ctx, layer, limit) {
			failures = append(failures, api.Failure{Resource: name, Exit: api.ExitBug, Message: fmt.Sprintf("is not gone after %s", limit)})
		}
	}
	return failures
}

// awaitStopped returns the apps that still run at the limit.
func (d *Daemon) awaitStopped(ctx context.Context, apps []string, limit time.Duration) []string {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		changed := d.changed.next()
		var left []string
		for _, p := range d.procs.Snapshot() {
			if slices.Contains(apps, p.App) && (p.State != procs.Stopped || p.Pid != 0) && !slices.Contains(left, p.App) {
				left = append(left, p.App)
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
