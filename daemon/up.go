package daemon

import (
	"context"
	"slices"
	"strings"
	"time"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// up brings the stack to what the files say, and waits until it is ready. Everything that stands in the way is found
// first, all of it, and then nothing has been touched.
type up struct {
	d   *Daemon
	req api.UpRequest
	proposal
}

// proposal is an `up` that nothing stands in the way of. It has touched nothing yet.
type proposal struct {
	want     intent
	selected []stack.App   // apps to run and to wait for, in file order
	apps     []string      // their names
	services []string      // services to run and to wait for
	project  infra.Project // without a Project: no services
	engine   *infra.Infra  // nil: no containers, or others run them
	fresh    bool          // engine is not the daemon's yet
	plan     infra.Plan
	images   infra.Images // that were pulled for it
	unscaled []string     // apps whose number of instances devstack scale had changed, in words
	remarks  []string     // about what runs the services
}

// notes are what the user should know although it works.
func (p *proposal) notes() []string {
	notes := []string{}
	if keys := p.want.Stack.Overrides; len(keys) > 0 {
		notes = append(notes, "your shell's value wins over the files' for "+strings.Join(keys, ", "))
	}
	return slices.Concat(notes, p.unscaled, p.remarks, p.want.Stack.Warnings)
}

// run is the whole of it, step by step.
func (u *up) run(ctx context.Context) *api.Result {
	if err := u.d.turn.take(ctx); err != nil {
		return cancelled(err)
	}
	refusal := u.propose(ctx)
	if refusal == nil && u.req.DryRun {
		refusal = u.dryRun()
	}
	if refusal == nil {
		refusal = u.build(ctx)
	}
	if refusal == nil {
		refusal = u.pull(ctx)
	}
	if refusal == nil {
		refusal = u.d.intend(func(next *intent) { u.replace(next, u.d.procs.Snapshot()) })
	}
	if refusal != nil {
		u.giveUp()
		u.d.turn.end()
		return refusal
	}
	u.useContainers()
	g := goal{services: u.services, apps: u.selected, began: time.Now()}
	u.d.bus.publish(view.Event{Kind: view.KindOrder, To: strings.Join(g.order(u.want.Stack), ", ")})
	broken := u.raise(ctx)
	g.after, g.removed, g.only = u.runApps()
	return u.d.await(ctx, g, broken, timeout(u.req.Timeout), u.notes())
}

// pull has the images before anything starts: one that is not to be had leaves everything as it was. Without a
// pull, containers and processes start side by side.
func (u *up) pull(ctx context.Context) *api.Result {
	if !slices.ContainsFunc(u.plan.Ops, func(o infra.Op) bool { return o.Kind == infra.OpPull }) {
		return nil
	}
	var err error
	if u.images, err = u.engine.Pull(ctx, u.project); err != nil {
		r := refusal(infraFailures(err)...)
		r.Hint = infraHint(err)
		return r
	}
	return nil
}

// giveUp lets go of an engine that only this proposal knows.
func (p *proposal) giveUp() {
	if p.fresh {
		p.engine.Close()
	}
}

// useContainers makes the proposal's containers the daemon's.
func (u *up) useContainers() {
	switch {
	case u.want.NoInfra && u.project.Project != nil:
		u.d.containers.set(infra.Watch(u.project, u.d.publish))
	case u.engine == nil:
		u.d.containers.set(nil)
	default:
		u.d.containers.set(u.engine)
	}
}

// raise brings the containers up and says on the channel how that ended. The turn ends with it: from then on nothing is
// changed any more, only awaited.
func (u *up) raise(ctx context.Context) <-chan error {
	broken := make(chan error, 1)
	u.d.background.Go(func() { // an action is in the background itself
		defer u.d.turn.end()
		if u.engine != nil {
			broken <- u.engine.Up(ctx, u.project, u.images)
		}
		close(broken)
	})
	return broken
}

// runApps gives the manager the definitions and starts the named apps, but not a one_shot that has done its work, nor an
// instance that is to stay stopped. It returns which processes are launched anew, with the generation that they had, which
// apps are to go, and which processes are started where those are not all.
func (u *up) runApps() (after map[int]int64, removed []string, only map[int]bool) {
	before := u.d.procs.Snapshot()
	changes := u.d.procs.Apply(u.want.Stack.Apps)
	u.d.gates.update() // gates first: what waits for nothing starts at once
	started, all := map[int]bool{}, true
	for _, p := range u.d.procs.Snapshot() {
		stops := u.want.stops(p.Name, p.Instance)
		all = all && !stops
		started[p.ID] = !stops
	}
	if !all {
		only = started
	}
	after = map[int]int64{}
	for _, app := range u.want.Stack.Apps {
		if !slices.Contains(u.apps, app.Name) {
			continue
		}
		mine := slices.DeleteFunc(slices.Clone(before), func(p procs.Process) bool { return p.Name != app.Name })
		anew := slices.Contains(changes.Changed, app.Name)
		unfinished := func(p procs.Process) bool { return p.Status != view.Completed }
		if app.OneShot && len(mine) >= app.Count() && !anew && !slices.ContainsFunc(mine, unfinished) {
			continue
		}
		for _, p := range mine {
			if anew || p.Status == view.Stopped || p.Status == view.Completed {
				after[p.ID] = p.Generation
			}
		}
		for _, p := range u.d.procs.Snapshot() {
			if p.Name == app.Name && started[p.ID] {
				u.d.procs.StartIDs(p.ID)
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
