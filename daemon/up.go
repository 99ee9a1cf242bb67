package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// defaultTimeout is how long an action waits for everything to be ready.
const defaultTimeout = 120 * time.Second

// up brings the stack to what the files say, and waits until it is ready. Everything that stands in the way is found
// first, all of it, and then nothing has been touched.
func (d *Daemon) up(ctx context.Context, req api.UpRequest) *api.Result {
	began := time.Now()
	if err := d.takeTurn(ctx); err != nil {
		return d.cancelled(err)
	}
	p, refusal := d.propose(ctx, d.asUnit(req))
	if refusal == nil && req.DryRun {
		refusal = d.dryRun(p)
	}
	if refusal == nil {
		refusal = d.makeArtifacts(ctx, p, req.Build)
	}
	if refusal == nil {
		refusal = d.pullFirst(ctx, p)
	}
	if refusal == nil {
		refusal = d.intend(func(next *intent) { p.replace(next, d.procs.Snapshot()) })
	}
	if refusal != nil {
		p.giveUp()
		d.endTurn()
		return refusal
	}
	d.useContainers(p)
	g := goal{services: p.services, apps: p.selected, began: began}
	d.bus.publish(view.Event{Kind: view.KindOrder, To: strings.Join(g.order(p.want.Stack), ", ")})
	broken := d.raiseContainers(ctx, p)
	g.after, g.removed, g.only = d.runApps(p.want, p.apps)
	return d.await(ctx, g, broken, timeout(req.Timeout), p.notes())
}

// raiseContainers brings the containers up and says on the channel how that ended. The turn ends with it: from then on nothing
// is changed any more, only awaited.
func (d *Daemon) raiseContainers(ctx context.Context, p *proposal) <-chan error {
	broken := make(chan error, 1)
	d.background.Go(func() { // an action is in the background itself
		defer d.endTurn()
		if p.engine != nil {
			broken <- p.engine.Up(ctx, p.project, p.images)
		}
		close(broken)
	})
	return broken
}

// runApps gives the manager the definitions and starts the named apps, but not a one_shot that has done its work, nor an
// instance that is to stay stopped. It returns which processes are launched anew, with the generation that they had, which
// apps are to go, and which processes are started where those are not all.
func (d *Daemon) runApps(want intent, names []string) (after map[int]int64, removed []string, only map[int]bool) {
	before := d.procs.Snapshot()
	changes := d.procs.Apply(want.Stack.Apps)
	d.judgeOnce() // gates first: what waits for nothing starts at once
	started, all := map[int]bool{}, true
	for _, p := range d.procs.Snapshot() {
		stops := want.stops(p.Name, p.Instance)
		all = all && !stops
		started[p.ID] = !stops
	}
	if !all {
		only = started
	}
	after = map[int]int64{}
	for _, app := range want.Stack.Apps {
		if !slices.Contains(names, app.Name) {
			continue
		}
		mine := slices.DeleteFunc(slices.Clone(before), func(p procs.Process) bool { return p.Name != app.Name })
		anew := slices.Contains(changes.Changed, app.Name)
		unfinished := func(p procs.Process) bool { return p.Status != view.Stopped || !p.Ready }
		if app.OneShot && len(mine) >= app.Count() && !anew && !slices.ContainsFunc(mine, unfinished) {
			continue
		}
		for _, p := range mine {
			if anew || p.Status == view.Stopped {
				after[p.ID] = p.Generation
			}
		}
		for _, p := range d.procs.Snapshot() {
			if p.Name == app.Name && started[p.ID] {
				d.procs.StartIDs(p.ID)
			}
		}
	}
	return after, changes.Removed, only
}

// replace makes the proposal the intent, but for what has changed since it was made.
func (p *proposal) replace(next *intent, processes []procs.Process) {
	old := *next
	*next = p.want.clone()
	next.Booting = old.Booting
	if next.NoInfra {
		next.StoppedServices = old.StoppedServices
	}
	next.launchMissing(p.apps, old.Stack, processes)
}

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
				return d.cancelled(context.Cause(ctx))
			}
		case <-ctx.Done():
			return d.cancelled(context.Cause(ctx))
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
	r := &api.Result{Exit: exitCode(failures), Failures: failures, Notes: slices.Concat(notes, d.kept(), blocked), State: d.state()}
	if len(failures) == 0 {
		return r
	}
	d.addLastLines(failures)
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
func (d *Daemon) addLastLines(failures []api.Failure) {
	st := d.wanted().Stack
	if st == nil {
		return
	}
	for _, p := range d.procs.Snapshot() {
		f := slices.IndexFunc(failures, func(f api.Failure) bool { return f.Resource == p.Name && f.Exit == api.ExitTimeout })
		app := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == p.Name })
		if f < 0 || app < 0 || p.Status != view.Launching || p.StartedAt == nil || len(failures[f].LastLines) > 0 {
			continue
		}
		failures[f].LastLines = procs.LastLines(procs.SourceOf(st.Apps[app], p.Instance, nil), d.home.StateDir, procs.ExitLines, *p.StartedAt)
	}
}

// refusal is an action that changed nothing.
func refusal(failures ...api.Failure) *api.Result {
	r := &api.Result{Exit: exitCode(failures), Failures: failures, Notes: []string{}}
	for i := range failures {
		failures[i].LastLines = orEmpty(failures[i].LastLines)
	}
	r.Error = failures[0].Resource + ": " + failures[0].Message
	if len(failures) > 1 {
		r.Error = fmt.Sprintf("%d problems; nothing was started", len(failures))
	}
	return r
}

// cancelled is an action that ended early: `down` was run, or the daemon leaves.
func (d *Daemon) cancelled(cause error) *api.Result {
	r := &api.Result{Exit: api.ExitInterrupted, Error: "the daemon was asked to leave", Hint: "devstack ps", Notes: []string{}}
	if errors.Is(cause, errDown) {
		r.Error, r.Hint = errDown.Error(), "devstack up"
	}
	return r
}

func timeout(asked time.Duration) time.Duration {
	if asked <= 0 {
		return defaultTimeout
	}
	return asked
}

// giveUp lets go of an engine that only this proposal knows.
func (p *proposal) giveUp() {
	if p != nil && p.fresh && p.engine != nil {
		p.engine.Close()
	}
}

// pullFirst has the images before anything starts: one that is not to be had leaves everything as it was. Without a
// pull, containers and processes start side by side.
func (d *Daemon) pullFirst(ctx context.Context, p *proposal) *api.Result {
	if !slices.ContainsFunc(p.plan.Ops, func(o infra.Op) bool { return o.Kind == infra.OpPull }) {
		return nil
	}
	var err error
	if p.images, err = p.engine.Pull(ctx, p.project); err != nil {
		r := refusal(infraFailures(err)...)
		r.Hint = infraHint(err)
		return r
	}
	return nil
}
