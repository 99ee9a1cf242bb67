package infra

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/view"
)

// Infra keeps one project's containers. Its methods may be called from several goroutines; Up, Start, Stop, Restart and Down
// take turns.
type Infra struct {
	driver  Driver
	log     *slog.Logger
	publish func(view.Event)

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	life   sync.Mutex // guards closed and that nothing is added to work after it
	closed bool
	work   sync.WaitGroup // every goroutine of this Infra

	turn chan struct{} // holds one token: whose turn it is

	telling sync.Mutex // held while a change is made and published, so that events are in order
	mu      sync.Mutex // guards what follows
	project *types.Project
	order   []string // the services, dependencies first
	tracked map[string]*tracked
	changed chan struct{} // closed at the next change
	watcher context.CancelFunc

	watchedAt time.Time
	sampling  bool              // while somebody looks, see Watched
	samples   map[string]sample // the last round, by container
}

// New is an Infra with nothing to keep yet. publish gets every change, in order; it must return soon and may call Snapshot,
// but nothing that acts.
func New(d Driver, log *slog.Logger, publish func(view.Event)) *Infra {
	i := &Infra{
		driver: d, log: log, publish: publish,
		turn: make(chan struct{}, 1), tracked: map[string]*tracked{}, changed: make(chan struct{}),
	}
	i.ctx, i.cancel = context.WithCancel(context.Background())
	return i
}

// Close ends what goes on in the background and touches no container. It waits for probes and repairs under way.
func (i *Infra) Close() {
	i.life.Lock()
	i.closed = true
	i.life.Unlock()
	i.cancel()
	i.work.Wait()
}

// spawn runs f in the background until Close; it says whether it does.
func (i *Infra) spawn(f func()) bool {
	i.life.Lock()
	defer i.life.Unlock()
	if i.closed {
		return false
	}
	i.work.Go(f)
	return true
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
func (i *Infra) Plan(ctx context.Context, p *types.Project) (Plan, error) {
	plan, _, err := i.plan(ctx, p, Wanted{Now: time.Now()})
	return plan, err
}

func (i *Infra) plan(ctx context.Context, p *types.Project, w Wanted) (Plan, Observed, error) {
	if err := i.driver.Check(p); err != nil {
		return Plan{}, Observed{}, err
	}
	obs, err := i.driver.Observe(ctx, p.Name, p)
	if err != nil {
		return Plan{}, obs, err
	}
	plan, err := Reconcile(p, obs, w)
	plan.Object = i.driver.Object()
	if err != nil {
		return plan, obs, err
	}
	return plan, obs, portConflicts(ctx, p, obs, plan)
}

// Up makes the engine look like the Compose file and returns when every container is started; whether they are ready goes
// on to be found out, see Snapshot. It also starts what anybody stopped. With nothing to do it changes nothing.
func (i *Infra) Up(ctx context.Context, p *types.Project) error {
	give, err := i.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	i.adopt(p)
	i.watchFrom(p.Name, time.Now())
	return i.raise(ctx, p, Order(p))
}

func (i *Infra) execute(ctx context.Context, p *types.Project, obs Observed, plan Plan) error {
	for _, o := range plan.Ops {
		if o.Container != nil && (o.Kind == OpStop || o.Kind == OpRemove) {
			i.change(o.Service, func(t *tracked) { t.ours[o.Container.ID] = true })
		}
	}
	x := execution{driver: i.driver, project: p, obs: obs, publish: i.tell, started: i.started, wait: i.await}
	err := x.Execute(ctx, plan)
	i.changeAll(func(t *tracked) { t.busy = false })
	return err
}

// adopt makes p the project; services that it does not name any more are forgotten.
func (i *Infra) adopt(p *types.Project) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.project, i.order = p, Order(p)
	for name, t := range i.tracked {
		if _, kept := p.Services[name]; !kept {
			t.closeGate()
			delete(i.tracked, name)
		}
	}
	for _, name := range i.order {
		t := i.tracked[name]
		if t == nil {
			t = &tracked{ours: map[string]bool{}, view: view.NewService(name)}
			i.tracked[name] = t
		}
		t.define(i.driver.Name(), p, p.Services[name])
	}
}

// want notes that the named services shall run, and arms the gates of those that do already.
func (i *Infra) want(names []string, plan Plan, obs Observed) {
	planned := map[string]bool{}
	for _, o := range plan.Ops {
		planned[o.Service] = true
	}
	for _, name := range names {
		i.change(name, func(t *tracked) {
			t.wanted, t.view.StoppedBy, t.busy = true, "", planned[name]
		})
	}
	for _, c := range obs.Containers {
		if !planned[c.Service] {
			i.see(c)
		}
	}
}

// started is called when a step has started a container.
func (i *Infra) started(service, id string) {
	c, err := i.driver.Inspect(i.ctx, id)
	if err != nil {
		i.log.Debug("cannot look at a container that was just started", "service", service, "err", err)
		return
	}
	i.change(service, func(t *tracked) { t.busy = false })
	i.see(c)
}

// await blocks until a service has come as far as a dependency's condition says.
func (i *Infra) await(ctx context.Context, service string, kind OpKind) error {
	for {
		i.mu.Lock()
		t, changed := i.tracked[service], i.changed
		var s view.ServiceDetails
		done := false
		if t != nil {
			s, done = t.view, t.done
		}
		i.mu.Unlock()
		switch {
		case t == nil:
			return &Error{Failed, service, fmt.Sprintf("service %s is gone", service), ""}
		case kind == OpWaitHealthy && s.Ready, kind == OpWaitCompleted && done:
			return nil
		case s.StoppedBy != "" || s.Health == view.HealthUnhealthy:
			return &Error{
				Failed, service, fmt.Sprintf("service %s cannot get ready: %s", service, first(s.Detail, string(s.Health))),
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
	var id string
	ran := false
	if !i.change(service, func(t *tracked) {
		id, ran = t.container.ID, running(t.container.State)
		t.wanted, t.view.StoppedBy = false, view.ByDevstack
		t.ours[id] = true
		t.closeGate()
	}) {
		return unknown(service)
	}
	if id == "" {
		return nil
	}
	if err := i.driver.StopContainer(ctx, id); err != nil {
		return &Error{Failed, service, fmt.Sprintf("cannot stop service %s: %v", service, err), ""}
	}
	i.refresh(ctx, service, id)
	if ran {
		lines := i.lastLines(ctx, id)
		i.change(service, func(t *tracked) {
			exit := exitOf(t.container)
			exit.Reason, exit.LastLines = view.Manual, lines
			t.died(exit)
		})
	}
	return nil
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
	i.mu.Lock()
	p, known := i.project, i.tracked[service] != nil
	i.mu.Unlock()
	if !known {
		return unknown(service)
	}
	plan, obs, err := i.plan(ctx, p, Wanted{Services: []string{service}, Now: time.Now()})
	if err != nil {
		return err
	}
	i.change(service, func(t *tracked) { t.wanted, t.view.StoppedBy, t.busy = true, "", !plan.Empty() })
	for _, c := range obs.Containers {
		if c.Service == service && plan.Empty() {
			i.see(c)
		}
	}
	return i.execute(ctx, p, obs, plan)
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

func unknown(service string) error {
	return &Error{Failed, service, fmt.Sprintf("no service is named %q", service), ""}
}

// Resume takes over a project whose containers run already, after a restart of the daemon: it arms gates and watches, and
// starts nothing that somebody stopped. stopped says by whom, as Stopped did; since is how far the last daemon had watched.
func (i *Infra) Resume(ctx context.Context, p *types.Project, stopped map[string]string, since time.Time) error {
	give, err := i.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	i.adopt(p)
	for _, name := range Order(p) {
		i.change(name, func(t *tracked) {
			t.view.StoppedBy = view.Text(stopped[name])
			t.wanted = stopped[name] != view.ByDevstack
		})
	}
	i.watchFrom(p.Name, since)
	return i.catchUp(ctx, p.Name, since)
}

// Snapshot is every service, dependencies first, from memory.
func (i *Infra) Snapshot() []view.ServiceDetails {
	i.mu.Lock()
	defer i.mu.Unlock()
	out := make([]view.ServiceDetails, 0, len(i.order))
	for _, name := range i.order {
		if t := i.tracked[name]; t != nil {
			v := t.snapshot()
			v.MemoryBytes, v.CPUPercent = i.usage(t.container)
			out = append(out, v)
		}
	}
	return out
}

// Stopped says of every stopped service by whom it was stopped, for Resume.
func (i *Infra) Stopped() map[string]string {
	i.mu.Lock()
	defer i.mu.Unlock()
	out := map[string]string{}
	for name, t := range i.tracked {
		if t.view.StoppedBy != "" {
			out[name] = string(t.view.StoppedBy)
		}
	}
	return out
}

// names are the tracked services.
func (i *Infra) names() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.order)
}
