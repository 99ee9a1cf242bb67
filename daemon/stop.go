package daemon

import (
	"context"
	"fmt"
	"slices"
	"time"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// stop ends the named processes and containers, dependents first, and returns when they are stopped.
type stop onNames

func (s *stop) run(ctx context.Context) *api.Result {
	if err := s.d.turn.take(ctx); err != nil {
		return cancelled(err)
	}
	defer s.d.turn.end()
	st, picked, refused := s.d.named(s.req.Names)
	if refused != nil {
		if refused.Exit == api.ExitNotRunning { // nothing to stop is no error
			refused = &api.Result{Notes: []string{"nothing is running"}}
		}
		return refused
	}
	engine := s.d.containers.engine()
	refused = s.d.intend(func(next *intent) {
		next.stopSelected(picked)
		if engine != nil {
			next.stopServices(picked.services...)
		}
	})
	if refused != nil {
		return refused
	}
	failures := stopProcesses(ctx, s.d, st, picked.processes)
	if engine == nil && len(picked.services) > 0 {
		failures = append(failures, api.Failure{Resource: picked.services[0], Exit: api.ExitEngine, Message: notRunByUs + "docker stop stops it"})
	} else if err := eachService(picked.services, func(name string) error { return engine.Stop(ctx, name) }); err != nil {
		failures = append(failures, infraFailures(err)...)
	}
	if ctx.Err() != nil {
		return cancelled(context.Cause(ctx))
	}
	r := s.d.conclude(failures, nil, []string{})
	if r.Exit != api.ExitDone {
		r.Error = "cannot stop everything"
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
func stopProcesses(ctx context.Context, d *Daemon, st *stack.Stack, processes []procs.Process) []api.Failure {
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
		for _, name := range awaitStopped(ctx, d, ids, limit) {
			failures = append(failures, api.Failure{Resource: name, Exit: api.ExitBug, Message: fmt.Sprintf("still runs after %s", limit)})
		}
	}
	return failures
}

// awaitStopped returns the apps that still run at the limit.
func awaitStopped(ctx context.Context, d *Daemon, ids []int, limit time.Duration) []string {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		changed := d.changed.next()
		var left []string
		for _, p := range d.procs.Snapshot() {
			if slices.Contains(ids, p.ID) && (p.Status != view.Stopped && p.Status != view.Completed || p.Pid != nil || p.Retiring != 0) && !slices.Contains(left, p.Name) {
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
