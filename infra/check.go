package infra

import (
	"context"
	"sync"
	"time"

	"devstack/probe"
)

// wireTimeout is how long a server may take to answer one question over its published port.
const wireTimeout = 2 * time.Second

// Check asks a service once, now, all that its gate asks: over the wire and by its own healthcheck. It changes nothing.
// A service that does not run, or that has done its work, is answered from memory.
func (i *Infra) Check(ctx context.Context, service string) probe.Result {
	i.mu.Lock()
	t := i.tracked[service]
	if t == nil {
		i.mu.Unlock()
		return probe.Result{Detail: "no service is named " + service}
	}
	c, known, oneShot := t.container, t.view, t.oneShot
	i.mu.Unlock()
	if c.State != "running" || oneShot {
		return probe.Result{Ready: known.Ready, Detail: known.Detail}
	}
	g := gateOf(c, func(ctx context.Context, argv []string) (Execution, error) { return i.driver.Exec(ctx, c.ID, argv) })
	return g.once(ctx, checkSchedule(c.HealthWait).Timeout)
}

// once asks both parts at the same time. The one that is not ready has the word.
func (g gate) once(ctx context.Context, checkTimeout time.Duration) probe.Result {
	wire, check := probe.Result{Ready: true, Detail: "running"}, probe.Result{Ready: true}
	ask := func(p probe.Probe, timeout time.Duration, answer *probe.Result) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		*answer = p.Check(ctx)
	}
	var work sync.WaitGroup
	if g.wire != nil {
		work.Go(func() { ask(g.wire, wireTimeout, &wire) })
	}
	if g.check != nil {
		work.Go(func() { ask(g.check, checkTimeout, &check) })
	}
	work.Wait()
	switch {
	case !wire.Ready:
		return wire
	case !check.Ready:
		return check
	}
	return probe.Result{Ready: true, Alive: true, Detail: first(check.Detail, wire.Detail)}
}
