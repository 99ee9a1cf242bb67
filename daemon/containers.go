package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"devstack/infra"
	keeper "devstack/procs/keeper/protocol"
	"devstack/view"
)

// containers is what runs the services of the stack, or only looks at them.
type containers struct {
	keeper  *keeper.Conn
	home    keeper.Identity
	log     *slog.Logger
	publish func(view.Event)
	changed *broadcast

	mu      sync.Mutex     // guards what follows
	current infra.Services // nil: the stack has no services, or none is known yet
	driver  infra.Driver   // of the newest engine; nil: there was none
}

// projectOf is the part of the Compose project that is kept running: the services that some `up` has asked for.
// Without services it has no Project.
func projectOf(i intent) (infra.Project, error) {
	if i.Stack.Compose == nil || len(i.Services) == 0 {
		return infra.Project{}, nil
	}
	p, err := i.Stack.Compose.WithSelectedServices(i.Services)
	if err != nil {
		return infra.Project{}, fmt.Errorf("cannot select %v: %w", i.Services, err)
	}
	return infra.Of(i.Stack, p.WithoutUnnecessaryResources()), nil
}

// drivers finds what runs services, with the environment of who asked and the name of the last driver.
func (c *containers) drivers(environment []string, last string) Drivers {
	return Drivers{
		ID: c.home.Project, StateDir: c.home.StateDir, Environ: environment, Keeper: c.keeper, Log: c.log, last: last,
	}
}

// choose gives the proposal its Infra: the one that is there, or a new one with the driver that it has to have. was is the
// intent before.
func (c *containers) choose(ctx context.Context, p *proposal, asked string, was intent) error {
	c.mu.Lock()
	engine, _ := c.current.(*infra.Infra)
	driver, running := c.driver, ""
	c.mu.Unlock()
	if was.Stack != nil && was.driver() != driverNone {
		running = was.driver()
	}
	if engine != nil && running != "" && (asked == "" || asked == driverAuto || asked == running) {
		p.engine, p.want.Driver, p.remarks = engine, running, driver.Warnings(p.project.Project)
		return nil
	}
	driver, notes, err := c.drivers(p.want.Environment, was.Driver).Choose(ctx, p.project.Project, asked, running)
	if err != nil {
		return err
	}
	p.engine, p.fresh, p.want.Driver, p.remarks = c.newEngine(driver), true, driver.Name(), notes
	return nil
}

// reconnect is a new Infra with the driver that the services run with.
func (c *containers) reconnect(ctx context.Context, want intent) (*infra.Infra, error) {
	driver, err := c.drivers(want.Environment, want.Driver).Connect(ctx, want.driver())
	if err != nil {
		return nil, err
	}
	return c.newEngine(driver), nil
}

// newEngine is an Infra of the driver, which from now on hears of the exits of what the keeper has launched for it.
func (c *containers) newEngine(driver infra.Driver) *infra.Infra {
	c.mu.Lock()
	c.driver = driver
	c.mu.Unlock()
	return infra.New(driver, c.log, c.publish)
}

// set replaces what is known about services, and closes what was before; nil: the stack has none.
func (c *containers) set(next infra.Services) {
	c.mu.Lock()
	old := c.current
	c.current = next
	c.mu.Unlock()
	if old != nil && old != next {
		old.Close()
	}
	c.changed.fire()
}

// get is what runs or watches the services; nil: the stack has none, or none is known yet.
func (c *containers) get() infra.Services {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

// engine runs the services; nil: the stack has none, or others run them.
func (c *containers) engine() *infra.Infra {
	engine, _ := c.get().(*infra.Infra)
	return engine
}

// snapshot is every service as it is known.
func (c *containers) snapshot() []view.ServiceDetails {
	if current := c.get(); current != nil {
		return current.Snapshot()
	}
	return nil
}

// told returns when all that the snapshot showed before has been published.
func (c *containers) told() {
	if current := c.get(); current != nil {
		current.Told()
	}
}

// watched is a snapshot for somebody who looks at what services consume.
func (c *containers) watched() []view.ServiceDetails {
	if current := c.get(); current != nil {
		current.Watched()
	}
	return c.snapshot()
}

// confirmTime is how long an exit waits for the services that the process depends on to answer once more.
const confirmTime = 500 * time.Millisecond

// confirm asks services once more; false: nobody can be asked.
func (c *containers) confirm(ctx context.Context, services []string) bool {
	current := c.get()
	if current == nil || len(services) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	current.Confirm(ctx, services...)
	return true
}

// exited hands the exit of a server to its driver. Without one nobody waits for it, and the keeper may forget it.
func (c *containers) exited(ctx context.Context, e keeper.Exit) {
	c.mu.Lock()
	driver, ok := c.driver.(launching)
	c.mu.Unlock()
	if ok && driver.Exited(e) {
		return
	}
	if err := c.keeper.Ack(ctx, e.Key); err != nil && ctx.Err() == nil {
		c.log.Warn("cannot tell the keeper that an exit is known", "service", e.Key.App, "err", err)
	}
}
