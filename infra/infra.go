// Package infra keeps containers as the Compose file wants them: it observes once, plans purely, executes in
// dependency order, finds out of each service when it really answers, repairs what had answered and dies by itself, and leaves
// alone what somebody stopped. It promises to touch only containers, networks and volumes that carry the project's
// Compose labels, and never to remove a volume unless asked.
package infra

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"devstack/probe"
	"devstack/view"
)

// Services is what is known of services, whoever runs them.
type Services interface {
	// Snapshot is every service, dependencies first, from memory.
	Snapshot() []view.ServiceDetails
	// Told returns when all that Snapshot showed before has been published.
	Told()
	// Confirm asks those of the named services that count as ready once more, until ctx ends.
	Confirm(ctx context.Context, services ...string)
	// Check asks a service once, now.
	Check(ctx context.Context, service string) probe.Result
	// Watched says that somebody looks at what services consume.
	Watched()
	// Close ends all that goes on in the background.
	Close()
}

// Infra keeps one project's containers. Its methods may be called from several goroutines; Up, Boot, Resume, Start, Stop,
// Restart and Down take turns.
type Infra struct {
	*keeping
	turn     chan struct{} // holds one token: whose turn it is
	follower *follower
}

var _ Services = (*Infra)(nil)

// New is an Infra with nothing to keep yet. publish gets every change, in order; it must return soon and may call Snapshot,
// but nothing that acts.
func New(d Driver, log *slog.Logger, publish func(view.Event)) *Infra {
	i := &Infra{keeping: newKeeping(d, log, publish), turn: make(chan struct{}, 1)}
	i.again, i.follower = i.startAgain, &follower{keeping: i.keeping}
	return i
}

// take waits for this caller's turn; give must be called afterwards.
func (i *Infra) take(ctx context.Context) (give func(), err error) {
	select {
	case i.turn <- struct{}{}:
		return func() { <-i.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Plan is what Up would do. It changes nothing. Everything that stands in the way is an *Error, or several joined: what the
// driver cannot do, names that belong to others, ports that are taken.
func (i *Infra) Plan(ctx context.Context, p Project) (Plan, error) {
	plan, _, err := i.plan(ctx, p, Wanted{Now: time.Now()})
	return plan, err
}

func (i *Infra) plan(ctx context.Context, p Project, w Wanted) (Plan, Observed, error) {
	if err := i.driver.Check(p.Project); err != nil {
		return Plan{}, Observed{}, err
	}
	obs, err := i.driver.Observe(ctx, p.Name, p.Project)
	if err != nil {
		return Plan{}, obs, err
	}
	plan, err := Reconcile(p, obs, w)
	if err != nil {
		return plan, obs, err
	}
	return plan, obs, portConflicts(ctx, p.Project, obs, plan)
}

// Images are those that were pulled just now.
type Images map[string]bool

// Pull has the images that Up will need, for Up. It changes nothing of what is kept, and makes nothing that runs: an image that
// is not to be had is an *Error (NoImage), and everything is as it was.
func (i *Infra) Pull(ctx context.Context, p Project) (Images, error) {
	plan, obs, err := i.plan(ctx, p, Wanted{Now: time.Now()})
	if err != nil {
		return nil, err
	}
	return i.pull(ctx, p, obs, plan)
}

// pull carries out the plan's pulls alone.
func (i *Infra) pull(ctx context.Context, p Project, obs Observed, plan Plan) (Images, error) {
	pulls, have := plan.pulls(), Images{}
	for _, o := range pulls.Ops {
		have[o.Name] = true
	}
	x := execution{driver: i.driver, project: p.Project, obs: obs, publish: i.tell}
	return have, x.Execute(ctx, pulls)
}

// Up makes the engine look like the Compose file and returns when every container is started; whether they are ready goes
// on to be found out, see Snapshot. It also starts what anybody stopped. With nothing to do it changes nothing. have is what
// Pull has returned, or nil.
func (i *Infra) Up(ctx context.Context, p Project, have Images) error {
	give, err := i.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	i.adopt(p)
	i.follower.from(time.Now())
	return i.raise(ctx, p, Wanted{Services: Order(p.Project), Fresh: have, Done: i.completed()})
}

// Boot is Up for all services but those that somebody had stopped, which a restart of the machine does not take back. stopped
// says by whom, as Stopped did at the time since; what happened after that is judged by the engine's memory, or not at all
// where since is zero.
func (i *Infra) Boot(ctx context.Context, p Project, stopped map[string]string, since time.Time) error {
	give, err := i.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	i.resume(p, stopped, nil, true)
	defer i.planEnded(nil)
	i.follower.from(time.Now())
	if err := i.follower.catchUp(ctx, since); err != nil {
		return err
	}
	still := i.Stopped()
	names := slices.DeleteFunc(Order(p.Project), func(name string) bool { return still[name] != "" })
	return i.raise(ctx, p, Wanted{Services: names})
}

// Resume takes over a project whose containers run already, after a restart of the daemon: it watches them, and starts nothing
// that somebody stopped. stopped says by whom, as Stopped did; since is how far the last daemon had watched. What was ready, as
// Answers told, is so while the same run goes on, and is asked once in the background.
func (i *Infra) Resume(ctx context.Context, p Project, stopped map[string]string, answers map[string]Answer, since time.Time) error {
	give, err := i.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	i.resume(p, stopped, answers, false)
	i.follower.from(since)
	if err := i.follower.catchUp(ctx, since); err != nil {
		return err
	}
	i.spawn(func() { i.Confirm(i.ctx, i.names()...) })
	return nil
}

func (i *Infra) resume(p Project, stopped map[string]string, answers map[string]Answer, planned bool) {
	i.adopt(p)
	for _, name := range i.names() {
		i.step(name, Resume{StoppedBy: stopped[name], Planned: planned, Answer: answers[name]})
	}
}

// raise starts services. Where somebody else made the same thing since we looked, which may also have our port by now, it looks
// again.
func (i *Infra) raise(ctx context.Context, p Project, w Wanted) error {
	for attempt := 0; ; attempt++ {
		err := i.raiseOnce(ctx, p, w)
		var e *Error
		if attempt < 3 && errors.As(err, &e) && (e.Kind == raced || e.Kind == PortTaken) {
			continue
		}
		return err
	}
}

func (i *Infra) raiseOnce(ctx context.Context, p Project, w Wanted) error {
	w.Now = time.Now()
	plan, obs, err := i.plan(ctx, p, w)
	if err != nil {
		return err
	}
	if !plan.pulls().Empty() {
		// First all images, then a new look: nothing is made while one may not be had, and a new image changes the plan.
		if w.Fresh, err = i.pull(ctx, p, obs, plan); err != nil {
			return err
		}
		if plan, obs, err = i.plan(ctx, p, w); err != nil {
			return err
		}
	}
	if err := i.halfMade(plan); err != nil {
		return err
	}
	return i.execute(ctx, p, obs, plan, w.Services)
}

// halfMade refuses to start once more what has begun to make its data and has ended before it was ready: it would take them
// for whole.
func (i *Infra) halfMade(plan Plan) error {
	var all []error
	for _, o := range plan.Ops {
		if m, _, _, _ := i.look(o.Service); o.Kind == OpStart && o.Container != nil && m.HalfMade {
			all = append(all, &Error{
				Failed, o.Service, "is not started again: " + m.Detail, "devstack down -v; or, on the data as they are, devstack start " + o.Service,
			})
		}
	}
	return errors.Join(all...)
}

// execute carries out a plan for the named services, and sees what runs already.
func (i *Infra) execute(ctx context.Context, p Project, obs Observed, plan Plan, names []string) error {
	for _, name := range names {
		start := plan.starts(p, name)
		i.step(name, start)
		if start.Planned {
			continue
		}
		if c := obs.chosen(p, name); c != nil {
			i.saw(*c, Signs{}, nil)
		}
	}
	for _, o := range plan.Ops {
		if o.Container != nil && (o.Kind == OpStop || o.Kind == OpRemove) {
			i.step(o.Service, Replace{o.Container.ID})
		}
	}
	err := i.carryOut(ctx, p, obs, plan)
	i.planEnded(err)
	if err != nil { // what it would have replaced may run as before
		for _, o := range plan.Ops {
			if o.Container != nil && (o.Kind == OpStop || o.Kind == OpRemove) {
				i.lookAt(i.ctx, o.Service, o.Container.ID)
			}
		}
	}
	return err
}

func (i *Infra) carryOut(ctx context.Context, p Project, obs Observed, plan Plan) error {
	started := func(service, id string) { i.lookAt(i.ctx, service, id) }
	x := execution{driver: i.driver, project: p.Project, obs: obs, publish: i.tell, started: started, wait: i.await}
	return x.Execute(ctx, plan)
}

func (i *Infra) planEnded(err error) {
	for _, name := range i.names() {
		i.step(name, PlanEnded{Failed: err != nil})
	}
}

// completed are the services that have ended with 0 by themselves, by container: Up does not run them again.
func (i *Infra) completed() map[string]string {
	out := map[string]string{}
	for _, name := range i.names() {
		if m, c, _, _ := i.look(name); m.Phase == PhaseCompleted && c.ID != "" {
			out[name] = c.ID
		}
	}
	return out
}

// await blocks until a service has come as far as a dependency's condition says.
func (i *Infra) await(ctx context.Context, service string, kind OpKind) error {
	for {
		m, _, known, changed := i.look(service)
		switch {
		case !known:
			return &Error{Failed, service, fmt.Sprintf("service %s is gone", service), ""}
		case kind == OpWaitHealthy && m.Ready(), kind == OpWaitCompleted && m.Phase == PhaseCompleted:
			return nil
		case m.StoppedBy != "" || m.Health() == view.HealthUnhealthy:
			return &Error{
				Failed, service, fmt.Sprintf("service %s cannot get ready: %s", service, first(m.Detail, string(m.Health()))),
				"devstack logs " + service,
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Start starts one service, makes its container if there is none, and returns when it is started.
func (i *Infra) Start(ctx context.Context, service string) error {
	give, err := i.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	return i.start(ctx, service)
}

func (i *Infra) start(ctx context.Context, service string) error {
	p := i.current()
	if _, _, known, _ := i.look(service); !known {
		return unknown(service)
	}
	plan, obs, err := i.plan(ctx, p, Wanted{Services: []string{service}, Now: time.Now()})
	if err != nil {
		return err
	}
	return i.execute(ctx, p, obs, plan, []string{service})
}

// startAgain is one repair: the same plan as Start's.
func (i *Infra) startAgain(ctx context.Context, service string) error {
	p := i.current()
	plan, obs, err := i.plan(ctx, p, Wanted{Services: []string{service}, Now: time.Now()})
	if err != nil {
		return err
	}
	if c := obs.chosen(p, service); c != nil && c.State == "running" { // somebody was quicker
		i.saw(*c, Signs{}, nil)
	}
	return i.carryOut(ctx, p, obs, plan)
}

// Stop stops one service's container; it stays stopped until Start, Restart or Up. A stopped one is no error.
func (i *Infra) Stop(ctx context.Context, service string) error {
	give, err := i.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	return i.stop(ctx, service)
}

func (i *Infra) stop(ctx context.Context, service string) error {
	if !i.step(service, Stop{}) {
		return unknown(service)
	}
	i.endRepair(service)
	i.step(service, Stop{}) // what a repair has just started as well
	_, c, _, _ := i.look(service)
	if c.ID == "" {
		return nil
	}
	if err := i.driver.StopContainer(ctx, c.ID); err != nil {
		return &Error{Failed, service, fmt.Sprintf("cannot stop service %s: %v", service, err), ""}
	}
	i.lookAt(ctx, service, c.ID)
	return nil
}

// Restart stops and starts one service.
func (i *Infra) Restart(ctx context.Context, service string) error {
	give, err := i.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	if err := i.stop(ctx, service); err != nil {
		return err
	}
	return i.start(ctx, service)
}
