package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/view"
)

// project is the part of the Compose project that is kept running: the services that some `up` has asked for.
// Without services it has no Project.
func (i intent) project() (infra.Project, error) {
	if i.Stack.Compose == nil || len(i.Services) == 0 {
		return infra.Project{}, nil
	}
	p, err := i.Stack.Compose.WithSelectedServices(i.Services)
	if err != nil {
		return infra.Project{}, fmt.Errorf("cannot select %v: %w", i.Services, err)
	}
	return infra.Of(i.Stack, p.WithoutUnnecessaryResources()), nil
}

// drivers finds what runs services, with the environment of who asked.
func (d *Daemon) drivers(environment []string) Drivers {
	return Drivers{
		ID: d.home.Project, StateDir: d.home.StateDir, Environ: environment, Keeper: d.keeper, Log: d.log, last: d.wanted().Driver,
	}
}

// chooseEngine gives the proposal its Infra: the one that is there, or a new one with the driver that it has to have.
func (d *Daemon) chooseEngine(ctx context.Context, p *proposal, asked string) error {
	engine := d.currentEngine()
	d.mu.Lock()
	driver, running := d.driver, ""
	if d.intent.Stack != nil && d.intent.driver() != driverNone {
		running = d.intent.driver()
	}
	d.mu.Unlock()
	if engine != nil && running != "" && (asked == "" || asked == driverAuto || asked == running) {
		p.engine, p.want.Driver, p.remarks = engine, running, driver.Warnings(p.project.Project)
		return nil
	}
	driver, notes, err := d.drivers(p.want.Environment).Choose(ctx, p.project.Project, asked, running)
	if err != nil {
		return err
	}
	p.engine, p.fresh, p.want.Driver, p.remarks = d.newEngine(driver), true, driver.Name(), notes
	return nil
}

// reconnect is a new Infra with the driver that the services run with.
func (d *Daemon) reconnect(ctx context.Context, want intent) (*infra.Infra, error) {
	driver, err := d.drivers(want.Environment).Connect(ctx, want.driver())
	if err != nil {
		return nil, err
	}
	return d.newEngine(driver), nil
}

// newEngine is an Infra of the driver, which from now on hears of the exits of what the keeper has launched for it.
func (d *Daemon) newEngine(driver infra.Driver) *infra.Infra {
	d.mu.Lock()
	d.driver = driver
	d.mu.Unlock()
	return infra.New(driver, d.log, d.publish)
}

// patienceAtStart is how long a new daemon lets its first clients wait until it knows about the containers.
const patienceAtStart = time.Second

// resumeContainers watches again what an earlier daemon has started. An engine that does not answer is asked again
// until it does: meanwhile nobody knows about the containers, and gates stay closed.
func (d *Daemon) resumeContainers(ctx context.Context, want intent, watched time.Time) {
	p, err := want.project()
	if err != nil || p.Project == nil {
		return
	}
	if want.NoInfra {
		d.setContainers(infra.Watch(p, d.publish))
		return
	}
	resumed := make(chan struct{})
	d.background.Go(func() {
		defer close(resumed)
		for pause := 100 * time.Millisecond; !d.hasContainers(); pause = min(2*pause, 5*time.Second) {
			err := d.resumeOnce(ctx, p, watched)
			if err == nil {
				return
			}
			d.log.Warn("cannot watch the services yet", "err", err)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
		}
	})
	select {
	case <-resumed:
	case <-time.After(patienceAtStart):
	}
}

// resumeOnce goes on with the services, also with a stop of them that was under way.
func (d *Daemon) resumeOnce(ctx context.Context, p infra.Project, watched time.Time) error {
	want := d.wanted()
	engine, err := d.reconnect(ctx, want)
	if err != nil {
		return err
	}
	if err := engine.Resume(ctx, p, want.StoppedServices, watched); err != nil {
		engine.Close()
		return err
	}
	d.setContainers(engine)
	for _, s := range engine.Snapshot() {
		var err error
		switch {
		case want.StoppedServices[s.Name] == view.ByDevstack && s.State == "running":
			err = engine.Stop(ctx, s.Name)
		case want.Raising[s.Name]:
			err = engine.Start(ctx, s.Name)
		}
		if err != nil {
			d.log.Warn("cannot go on with what a command has begun", "service", s.Name, "err", err)
		}
	}
	d.noteRaised(slices.Collect(maps.Keys(want.Raising)))
	return nil
}

// noteRaised notes that services need not be brought up by the next daemon.
func (d *Daemon) noteRaised(services []string) {
	if len(services) == 0 {
		return
	}
	if refused := d.intend(func(next *intent) { next.raised(services...) }); refused != nil && d.ctx.Err() == nil {
		d.log.Warn("cannot note that services were brought up", "err", refused.Error)
	}
}

func (d *Daemon) hasContainers() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.containers != nil
}

// setContainers replaces what is known about services, and closes what was before; nil: the stack has none.
func (d *Daemon) setContainers(c infra.Services) {
	d.mu.Lock()
	old := d.containers
	d.containers = c
	d.mu.Unlock()
	if old != nil && old != c {
		old.Close()
	}
	d.changed.fire()
}

// currentEngine runs the services; nil: the stack has none, or others run them.
func (d *Daemon) currentEngine() *infra.Infra {
	d.mu.Lock()
	defer d.mu.Unlock()
	engine, _ := d.containers.(*infra.Infra)
	return engine
}

// watchedServices are services for somebody who looks at what they consume; d.mu is held.
func (d *Daemon) watchedServices() []view.ServiceDetails {
	if d.containers != nil {
		d.containers.Watched()
	}
	return d.services()
}

// services is a snapshot of the containers; d.mu is held.
func (d *Daemon) services() []view.ServiceDetails {
	if d.containers == nil {
		return nil
	}
	return d.containers.Snapshot()
}

// infraFailures says what an error of infra means to the user, each part of it.
func infraFailures(err error) []api.Failure {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []api.Failure
		for _, e := range many.Unwrap() {
			out = append(out, infraFailures(e)...)
		}
		return out
	}
	f := api.Failure{Resource: "services", Exit: api.ExitEngine, Message: err.Error(), LastLines: []string{}}
	var e *infra.Error
	var refused *api.Error
	if errors.As(err, &refused) {
		f.Resource, f.Exit = "infra", refused.Exit
	}
	if errors.As(err, &e) {
		f.Exit = CodeOf(e.Kind)
		if e.Service != "" {
			f.Resource = e.Service
		}
	}
	return []api.Failure{f}
}

// CodeOf is the exit code that a kind of error deserves.
func CodeOf(k infra.ErrorKind) api.Code {
	switch k {
	case infra.Unsupported:
		return api.ExitFiles
	case infra.PortTaken:
		return api.ExitPortTaken
	}
	return api.ExitEngine
}

// infraHint is the next step that an error of infra names.
func infraHint(err error) string {
	var e *infra.Error
	var refused *api.Error
	if errors.As(err, &refused) {
		return refused.Hint
	}
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}
