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
	images   infra.Images      // that were pulled for it
	inputs   map[string]string // digests of what one_shots read, by app
	outdated []string          // one_shots that have done their work on other inputs
	unscaled []string          // apps whose number of instances devstack scale had changed, in words
	remarks  []string          // about what runs the services
}

// notes are what the user should know although it works.
func (p *proposal) notes() []string {
	notes := []string{}
	if keys := p.want.Stack.Overrides; len(keys) > 0 {
		notes = append(notes, "your shell's value wins over the files' for "+strings.Join(keys, ", "))
	}
	return slices.Concat(notes, runAgain(p.outdated), p.unscaled, p.remarks, p.want.Stack.Warnings)
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
	g := goal{services: u.services, apps: u.selected, began: time.Now()}
	if refusal == nil {
		g.removed, refusal = u.enact()
	}
	if refusal != nil {
		u.giveUp()
		u.d.turn.end()
		return refusal
	}
	u.d.bus.publish(view.Event{Kind: view.KindOrder, To: strings.Join(g.order(u.want.Stack), ", ")})
	g.launches, g.only = u.d.wanted().Launches.alone(), u.runApps()
	return u.d.await(ctx, g, u.raise(ctx), timeout(u.req.Timeout), u.notes())
}

// enact makes the proposal the intent, and gives everybody its definitions. It returns which apps are to go.
func (u *up) enact() (removed []string, refused *api.Result) {
	u.d.gates.hold()
	defer u.d.gates.release()
	changes, refused := u.d.enact(func(next *intent) { u.replace(next, u.d.containers.snapshot(), u.d.procs.Snapshot()) })
	if refused == nil {
		u.useContainers()
	}
	return changes.Removed, refused
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
			err := u.engine.Up(ctx, u.project, u.images)
			u.d.noteRaised(u.plan.Reruns())
			broken <- err
		}
		close(broken)
	})
	return broken
}

// runApps starts the named apps, but not a one_shot that has done its work, nor an instance that is to stay stopped. It
// returns which processes are started where those are not all.
func (u *up) runApps() (only map[int]bool) {
	want := u.d.wanted()
	started, all := map[int]bool{}, true
	for _, p := range u.d.procs.Snapshot() {
		started[p.ID] = !want.stops(p.Name, p.Instance)
		all = all && started[p.ID]
		done := p.Status == view.Completed && !want.Launches.awaits(p)
		if started[p.ID] && !done && slices.Contains(u.apps, p.Name) {
			u.d.procs.StartIDs(p.ID)
		}
	}
	if all {
		return nil
	}
	return started
}

// replace makes the proposal the intent, but for what has changed since it was made.
func (p *proposal) replace(next *intent, services []view.ServiceDetails, processes []procs.Process) {
	old := *next
	*next = p.want.clone()
	next.Booting = old.Booting
	if next.NoInfra {
		next.StoppedServices = old.StoppedServices
	}
	next.rerunServices(services, p.plan.Reruns()...)
	next.launchMissing(p.apps, processes)
	next.launchOutdated(p.outdated, processes)
	next.readInputs(p.inputs, processes)
}
