package infra

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"devstack/probe"
	"devstack/view"
)

// keeping is the services that an Infra keeps, and the only place where they change: something happens to one of them, its
// Machine steps, its supervisor carries out what follows, and what became different is published.
type keeping struct {
	driver  Driver
	log     *slog.Logger
	publish func(view.Event)
	again   func(ctx context.Context, service string) error // carries out one repair
	sampler *sampler

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	life   sync.Mutex // guards closed, and that nothing is added to work after it
	closed bool
	work   sync.WaitGroup // every goroutine

	telling sync.Mutex // held while a change is made and published, so that events are in order
	mu      sync.Mutex // guards what follows
	project Project
	order   []string // the services, dependencies first
	kept    map[string]*supervisor
	changed chan struct{} // closed at the next change
}

func newKeeping(d Driver, log *slog.Logger, publish func(view.Event)) *keeping {
	k := &keeping{driver: d, log: log, publish: publish, kept: map[string]*supervisor{}, changed: make(chan struct{})}
	k.sampler = &sampler{driver: d, log: log, running: k.running}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

// Close ends what goes on in the background and touches no container. It waits for probes and repairs under way.
func (k *keeping) Close() {
	k.life.Lock()
	k.closed = true
	k.life.Unlock()
	k.cancel()
	k.work.Wait()
}

// spawn runs f in the background until Close; it says whether it does.
func (k *keeping) spawn(f func()) bool {
	k.life.Lock()
	defer k.life.Unlock()
	if k.closed {
		return false
	}
	k.work.Go(f)
	return true
}

// step tells a service what happened to it. It says whether the service is known.
func (k *keeping) step(service string, ev Event) bool {
	return k.apply(service, func(*supervisor) Event { return ev })
}

// apply is step with an event that depends on what is known; a nil one changes nothing but what find does.
func (k *keeping) apply(service string, find func(*supervisor) Event) bool {
	k.telling.Lock()
	defer k.telling.Unlock()
	k.mu.Lock()
	s := k.kept[service]
	if s == nil {
		k.mu.Unlock()
		return false
	}
	before := s.details()
	if ev := find(s); ev != nil {
		var effects []Effect
		s.machine, effects = s.machine.Step(ev)
		s.settle()
		for _, e := range effects {
			s.perform(e)
		}
	}
	events := differences(before, s.details())
	close(k.changed)
	k.changed = make(chan struct{})
	k.mu.Unlock()
	for _, e := range events {
		k.publish(e)
	}
	return true
}

// saw tells a service what a look at its container has found.
func (k *keeping) saw(c Container, signs Signs, lines []string) {
	k.apply(c.Service, func(s *supervisor) Event {
		s.found, s.foundChecks = c, s.checks
		if c.ID != s.container.ID || !c.StartedAt.Equal(s.container.StartedAt) {
			s.foundChecks = checksOf(c, runIn(k.driver, c.ID))
		}
		ev := seenOf(c, s.foundChecks)
		ev.Signs, ev.Lines = signs, lines
		return ev
	})
}

// seenOf is what a look has found, for the machine.
func seenOf(c Container, all checks) Seen {
	ev := Seen{
		Run: Run{c.ID, c.StartedAt}, State: c.State, StopSignal: c.StopSignal, Restarts: c.Restarts, Checked: all.any(),
		ExitCode: c.ExitCode, OOM: c.OOMKilled, Finished: c.FinishedAt,
	}
	if c.EngineHealth == "unhealthy" {
		ev.Sick = first(c.HealthOutput, "no output")
	}
	return ev
}

// lookAt looks at a container of a service.
func (k *keeping) lookAt(ctx context.Context, service, id string) {
	c, err := k.driver.Inspect(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		k.apply(service, func(s *supervisor) Event {
			if s.machine.Run.Container != id {
				return nil
			}
			return Absent{At: time.Now()}
		})
	case err != nil:
		k.log.Debug("cannot look at a container", "service", service, "err", err)
	default:
		k.saw(c, Signs{}, k.lastLines(ctx, c))
	}
}

// lastLines are the last 20 lines of the last run of a container, if that is over. They are not worth waiting for.
func (k *keeping) lastLines(ctx context.Context, c Container) []string {
	if c.State == "running" || c.State == "paused" || c.State == "created" {
		return nil
	}
	k.mu.Lock()
	since := c.StartedAt
	if s := k.kept[c.Service]; s != nil {
		since = s.since(c)
	}
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	lines, err := k.driver.Logs(ctx, c.ID, LogOptions{Tail: 20, Since: since})
	if err != nil {
		return nil
	}
	out := []string{}
	for l := range lines {
		out = append(out, l.Text)
	}
	return out
}

// runIn runs commands in a container.
func runIn(d Driver, id string) probe.Run {
	return func(ctx context.Context, argv []string) (probe.Execution, error) { return d.Exec(ctx, id, argv) }
}

// looked notes what a probe of a run has found.
func (k *keeping) looked(service string, run Run, r probe.Result) {
	k.apply(service, func(s *supervisor) Event {
		if s.machine.Run != run {
			return nil
		}
		s.looked(r, time.Now())
		if r.Ready {
			return nil
		}
		return NotYet{run, r.Detail, r.Broken}
	})
}

// elapse is the pause before a repair.
func (k *keeping) elapse(ctx context.Context, service string, after time.Duration) {
	select {
	case <-time.After(after):
		k.step(service, Elapsed{})
	case <-ctx.Done():
	}
}

// tell publishes an event that changes no service.
func (k *keeping) tell(e view.Event) {
	k.telling.Lock()
	defer k.telling.Unlock()
	k.publish(e)
}

// Told returns when all that Snapshot showed before has been published.
func (k *keeping) Told() {
	k.telling.Lock()
	defer k.telling.Unlock()
}

// Snapshot is every service, dependencies first, from memory.
func (k *keeping) Snapshot() []view.ServiceDetails {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]view.ServiceDetails, 0, len(k.order))
	for _, name := range k.order {
		s := k.kept[name]
		v := s.details()
		if v.State == "running" {
			v.MemoryBytes, v.CPUPercent = k.sampler.usage(s.container)
		}
		out = append(out, v)
	}
	return out
}

// Answers are those of the services that have answered and are ready, for Resume.
func (k *keeping) Answers() map[string]Answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]Answer{}
	for name, s := range k.kept {
		if m := s.machine; m.Phase == PhaseReady && m.Checked {
			out[name] = Answer{m.Run.Container, m.Run.Started, m.ReadyBy, m.Detail}
		}
	}
	return out
}

// Stopped says of every stopped service by whom it was stopped, for Resume.
func (k *keeping) Stopped() map[string]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]string{}
	for name, s := range k.kept {
		if s.machine.StoppedBy != "" {
			out[name] = s.machine.StoppedBy
		}
	}
	return out
}

// Watched says that somebody looks at Snapshot: for 10 seconds from now on it has the memory, and from the second sample on
// the CPU. It waits for no sample.
func (k *keeping) Watched() {
	if k.sampler.watched(time.Now()) {
		k.spawn(func() { k.sampler.run(k.ctx) })
	}
}

// running are the containers that run.
func (k *keeping) running() []Container {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []Container
	for _, name := range k.order {
		if s := k.kept[name]; s.machine.State == "running" {
			out = append(out, s.container)
		}
	}
	return out
}

// adopt makes p the project. Services that it does not name any more are forgotten; of the others only the definition is new.
func (k *keeping) adopt(p Project) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.project, k.order = p, Order(p.Project)
	for name, s := range k.kept {
		if _, named := p.Services[name]; !named {
			s.end()
			delete(k.kept, name)
		}
	}
	for _, name := range k.order {
		s := k.kept[name]
		if s == nil {
			s = &supervisor{keeping: k, name: name, machine: newMachine()}
			k.kept[name] = s
		}
		s.define(k.driver.Name(), p, p.Services[name])
	}
}

// names are the services that are kept.
func (k *keeping) names() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.order)
}

// look is one service's machine and container, and when something changes next. A service that is not kept is down.
func (k *keeping) look(service string) (m Machine, c Container, known bool, changed <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.kept[service]
	if s == nil {
		return newMachine(), Container{}, false, k.changed
	}
	return s.machine, s.container, true, k.changed
}

// Check asks a service once, now, all that it is asked before it counts as ready. It changes nothing. A service that does not
// run, or whose end others wait for, is answered from memory.
func (k *keeping) Check(ctx context.Context, service string) probe.Result {
	k.mu.Lock()
	s := k.kept[service]
	if s == nil {
		k.mu.Unlock()
		return probe.Result{Detail: "no service is named " + service}
	}
	m, all := s.machine, s.checks
	k.mu.Unlock()
	if m.State != "running" || m.OneShot || !all.any() {
		return probe.Result{Ready: m.Ready(), Detail: m.Detail}
	}
	r := all.once(ctx)
	return r
}

// Confirm asks those of the named services that count as ready once more, over their published ports. One that does not answer
// before ctx ends is not ready until it does again. A process that loses its server can exit before the engine says a word, and
// nobody else would know why.
func (k *keeping) Confirm(ctx context.Context, services ...string) {
	var asked sync.WaitGroup
	for _, name := range services {
		k.mu.Lock()
		var ask *check
		var run Run
		if s := k.kept[name]; s != nil && s.machine.Phase == PhaseReady && s.checks.server != nil && s.checks.server.outside {
			ask, run = s.checks.server, s.machine.Run
		}
		k.mu.Unlock()
		if ask == nil {
			continue
		}
		asked.Go(func() {
			r := ask.once(ctx)
			if r.Ready {
				return
			}
			k.apply(name, func(s *supervisor) Event {
				s.looked(r, time.Now())
				return Silent{run, r.Detail}
			})
		})
	}
	asked.Wait()
}

// current is the project.
func (k *keeping) current() Project {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.project
}

// endRepair ends a repair that is under way, and waits for that: it must not start what is being stopped.
func (k *keeping) endRepair(service string) {
	k.mu.Lock()
	var r *repair
	if s := k.kept[service]; s != nil {
		r = s.repair
	}
	k.mu.Unlock()
	if r != nil {
		r.cancel()
		<-r.done
	}
}
