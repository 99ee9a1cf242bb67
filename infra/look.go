package infra

import (
	"context"
	"sync"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/view"
)

// Look is one look at a project that nobody keeps: each running container is asked once whether it is ready.
func Look(ctx context.Context, d Driver, p *types.Project) ([]view.ServiceDetails, error) {
	obs, err := d.Observe(ctx, p.Name, p)
	if err != nil {
		return nil, err
	}
	names := Order(p)
	out := make([]view.ServiceDetails, len(names))
	var work sync.WaitGroup
	for n, name := range names {
		work.Go(func() {
			t := tracked{ours: map[string]bool{}, view: view.NewService(name)}
			t.define(d.Name(), p, p.Services[name])
			for _, c := range obs.Containers {
				if c.Service == name && (t.container.ID == "" || c.State == "running") {
					t.fill(c)
				}
			}
			t.askOnce(ctx, d)
			out[n] = t.view
		})
	}
	work.Wait()
	return out, nil
}

// askOnce runs the probes of a running container once each.
func (t *tracked) askOnce(ctx context.Context, d Driver) {
	c := t.container
	switch {
	case c.State == "exited" && t.oneShot && c.ExitCode == 0:
		t.view.Ready, t.view.Health, t.view.Detail = true, view.HealthHealthy, "completed"
		t.died(exitOf(c))
		return
	case c.State != "running":
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	g := gateOf(c, func(ctx context.Context, argv []string) (Execution, error) { return d.Exec(ctx, c.ID, argv) })
	t.view.Ready, t.view.Health, t.view.Detail = true, view.HealthHealthy, "running"
	if g.wire != nil {
		r := g.wire.Check(ctx)
		t.looked(r, time.Now())
		t.view.Ready, t.view.Detail = r.Ready, r.Detail
	}
	if t.view.Ready && g.check != nil && c.EngineHealth != "healthy" {
		r := g.check.Check(ctx)
		t.looked(r, time.Now())
		t.view.Ready, t.view.Detail = r.Ready, r.Detail
	}
	if !t.view.Ready {
		t.view.Health = view.HealthUnhealthy
	}
}
