package infra

import (
	"context"
	"sync"
	"time"

	"devstack/probe"
	"devstack/view"
)

// arm begins to probe a running container, unless this very start of it is probed or ready already. A container that runs
// again is nobody's stopped one any more. The caller holds i.mu.
func (i *Infra) arm(t *tracked, c Container) {
	if t.gate != nil && t.gate.id == c.ID && t.gate.started.Equal(c.StartedAt) {
		i.follow(t, c)
		return
	}
	delete(t.ours, c.ID)
	t.events = nil
	t.view.StoppedBy, t.wanted, t.done = "", true, false
	t.view.Ready, t.view.Health, t.view.Detail = false, view.HealthStarting, "just started"
	if t.oneShot {
		t.view.Detail = "at work"
	}
	i.beginProbing(t, c)
}

// beginProbing replaces the service's gate by one that nothing has passed yet. The caller holds i.mu.
func (i *Infra) beginProbing(t *tracked, c Container) {
	t.closeGate()
	ctx, cancel := context.WithCancel(i.ctx)
	own := &openGate{id: c.ID, started: c.StartedAt, cancel: cancel}
	t.gate = own
	if !t.oneShot {
		i.spawn(func() { i.probe(ctx, c, own) })
	}
}

// Confirm asks those of the named services that count as ready once more, over their published ports, and closes the
// gate of each that does not answer before ctx ends; it opens again as after a start. A process that loses its server can
// exit before the engine says a word, and nobody else would know why.
func (i *Infra) Confirm(ctx context.Context, services ...string) {
	var asked sync.WaitGroup
	for _, name := range services {
		i.mu.Lock()
		t := i.tracked[name]
		ask := t != nil && t.view.Ready && t.gate != nil && !t.oneShot
		var own *openGate
		var c Container
		if ask {
			own, c = t.gate, t.container
		}
		i.mu.Unlock()
		g := gateOf(c, nil)
		if !ask || !g.published {
			continue
		}
		asked.Go(func() {
			r := g.wire.Check(ctx)
			i.change(name, func(t *tracked) {
				if r.Ready || t.gate != own {
					return
				}
				t.looked(r, time.Now())
				t.view.Ready, t.view.Health, t.view.Detail = false, view.HealthStarting, r.Detail
				i.beginProbing(t, c)
			})
		})
	}
	asked.Wait()
}

// follow applies the engine's own word, once devstack's gate was passed.
func (i *Infra) follow(t *tracked, c Container) {
	if !t.gate.passed {
		return
	}
	if c.EngineHealth == "unhealthy" {
		t.view.Ready, t.view.Health = false, view.HealthUnhealthy
		t.view.Detail = "the engine's healthcheck fails: " + first(c.HealthOutput, "no output")
		return
	}
	if t.view.Health != view.HealthHealthy {
		t.view.Ready, t.view.Health, t.view.Detail = true, view.HealthHealthy, "the engine's healthcheck passes"
	}
}

// probe looks until the container is ready: over the wire and by its own healthcheck. The healthcheck begins when the server
// has spoken for the first time. Before that it would take the processor away from a server that boots, and tell nothing: the
// check of a container whose server only listens on its own socket yet may well pass.
func (i *Infra) probe(ctx context.Context, c Container, own *openGate) {
	g := gateOf(c, func(ctx context.Context, argv []string) (Execution, error) { return i.driver.Exec(ctx, c.ID, argv) })
	seen := func(r probe.Result) { i.looked(c.Service, own, r) }
	wire, check := probe.Result{Ready: true, Detail: "running"}, probe.Result{Ready: true}
	var work sync.WaitGroup
	alive, speak := context.WithCancel(ctx)
	defer speak()
	if g.wire == nil {
		speak()
	} else {
		work.Go(func() {
			wire = probe.Poll(ctx, g.wire, probe.Containers(), func(r probe.Result) {
				if r.Alive {
					speak()
				}
				seen(r)
			})
		})
	}
	if g.check != nil {
		work.Go(func() {
			<-alive.Done()
			check = probe.Poll(ctx, g.check, checkSchedule(c.HealthWait), seen)
		})
	}
	work.Wait()
	if !wire.Ready || !check.Ready {
		return // the container ended, or we are closed
	}
	i.change(c.Service, func(t *tracked) {
		if t.gate != own {
			return
		}
		own.passed = true
		t.view.Ready, t.view.Health, t.view.Detail = true, view.HealthHealthy, first(check.Detail, wire.Detail)
	})
}

// checkSchedule is for checks through exec: the next one 100 ms after the last one ended, after a while 500 ms.
func checkSchedule(timeout time.Duration) probe.Schedule {
	if timeout <= 0 {
		timeout = 30 * time.Second
	}
	return probe.Schedule{
		Steps:   []probe.Step{{Pause: 100 * time.Millisecond, Until: 10 * time.Second}, {Pause: 500 * time.Millisecond}},
		Timeout: timeout,
	}
}

// looked notes one look of a gate that is still the service's.
func (i *Infra) looked(service string, own *openGate, r probe.Result) {
	i.change(service, func(t *tracked) {
		if t.gate != own {
			return
		}
		t.looked(r, time.Now())
		switch {
		case r.Broken:
			t.view.Health, t.view.Detail = view.HealthUnhealthy, r.Detail
		case !r.Ready:
			t.view.Health, t.view.Detail = view.HealthStarting, r.Detail
		}
	})
}
