package infra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/view"
)

// Down stops and removes the project's containers, dependents first, then its networks, and its volumes only when asked.
// It works from labels alone, so p may be nil: then everything that carries the project's labels goes. With p, containers of
// services that it does not name stay. External networks and volumes are never touched. Nothing there is no error.
func (i *Infra) Down(ctx context.Context, p *types.Project, project string, volumes bool) error {
	give, err := i.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	i.unwatch()
	i.changeAll(func(t *tracked) {
		t.wanted, t.view.StoppedBy = false, view.ByDevstack
		t.down(view.HealthStopped, "stopped by devstack")
	})
	obs, err := i.driver.Observe(ctx, project, nil)
	if err != nil {
		return err
	}
	failures := i.removeAll(ctx, i.leaving(p, obs.Containers), volumes)
	failures = append(failures, i.removeNetworks(ctx, p, project, obs)...)
	if volumes {
		for _, name := range sorted(obs.Volumes) {
			if obs.Volumes[name].Labels[LabelProject] != project {
				continue
			}
			failures = append(failures, i.doing("", view.Step{Verb: "remove", Object: "volume", Name: name}, func() error { return i.driver.RemoveVolume(ctx, name) }))
		}
	}
	if err := errors.Join(failures...); err != nil {
		return &Error{Failed, "", fmt.Sprintf("cannot take everything down: %v", err), ""}
	}
	return nil
}

// unwatch ends the watching and all repairs' reason; Up begins it again.
func (i *Infra) unwatch() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.watcher != nil {
		i.watcher()
		i.watcher = nil
	}
}

// leaving are the containers that go.
func (i *Infra) leaving(p *types.Project, all []Container) []Container {
	if p == nil {
		return all
	}
	known := i.names()
	return slices.DeleteFunc(slices.Clone(all), func(c Container) bool {
		_, named := p.Services[c.Service]
		return !named && !slices.Contains(known, c.Service)
	})
}

// removeAll removes containers in parallel, each after those that depend on it, by their labels, and their anonymous
// volumes if asked.
func (i *Infra) removeAll(ctx context.Context, all []Container, volumes bool) []error {
	gone := map[string]chan struct{}{}
	left := map[string]*sync.WaitGroup{}
	for _, c := range all {
		if gone[c.Service] == nil {
			gone[c.Service], left[c.Service] = make(chan struct{}), &sync.WaitGroup{}
		}
		left[c.Service].Add(1)
	}
	for service, group := range left {
		go func() { group.Wait(); close(gone[service]) }()
	}
	errs := make([]error, len(all))
	var work sync.WaitGroup
	for n, c := range all {
		work.Go(func() {
			defer left[c.Service].Done()
			for _, other := range all {
				if other.Service != c.Service && slices.Contains(labelledDependencies(other), c.Service) {
					select {
					case <-gone[other.Service]:
					case <-ctx.Done():
						errs[n] = ctx.Err()
						return
					}
				}
			}
			errs[n] = i.remove(ctx, c, volumes)
		})
	}
	work.Wait()
	return errs
}

func (i *Infra) remove(ctx context.Context, c Container, volumes bool) error {
	if running(c.State) {
		if err := i.doing(c.Service, Op{Kind: OpStop, Service: c.Service}.step(i.driver.Object()), func() error { return i.driver.StopContainer(ctx, c.ID) }); err != nil {
			return err
		}
	}
	err := i.doing(c.Service, Op{Kind: OpRemove, Service: c.Service}.step(i.driver.Object()), func() error { return i.driver.RemoveContainer(ctx, c.ID, volumes) })
	if err == nil {
		i.change(c.Service, func(t *tracked) {
			t.gone()
			t.down(view.HealthStopped, "stopped by devstack")
		})
	}
	return err
}

// labelledDependencies are the services that a container was made to depend on: "db:service_healthy:false,…".
func labelledDependencies(c Container) []string {
	var out []string
	for _, part := range strings.Split(c.Labels[LabelDependsOn], ",") {
		name, _, _ := strings.Cut(part, ":")
		if name != "" {
			out = append(out, name)
		}
	}
	return out
}

// removeNetworks leaves a network that a container which stays is still attached to.
func (i *Infra) removeNetworks(ctx context.Context, p *types.Project, project string, obs Observed) []error {
	leaving := i.leaving(p, obs.Containers)
	var errs []error
	for _, name := range sorted(obs.Networks) {
		for _, n := range obs.Networks[name] {
			if n.Labels[LabelProject] != project || usedByOthers(obs.Containers, leaving, n) {
				continue
			}
			errs = append(errs, i.doing("", view.Step{Verb: "remove", Object: "network", Name: name}, func() error { return i.driver.RemoveNetwork(ctx, n.ID) }))
		}
	}
	return errs
}

func usedByOthers(all, leaving []Container, n Network) bool {
	for _, c := range all {
		_, attached := c.Networks[n.Name]
		if attached && !slices.ContainsFunc(leaving, func(l Container) bool { return l.ID == c.ID }) {
			return true
		}
	}
	return false
}

// doing tells about one step outside of a plan.
func (i *Infra) doing(service string, step view.Step, f func() error) error {
	e := view.Event{Resource: service, Kind: view.KindOp, To: "started", Message: step.String(), Step: &step}
	i.tell(e)
	err := f()
	e.From, e.To = "started", "done"
	if err != nil {
		e.To, e.Cause = "failed", err.Error()
	}
	i.tell(e)
	return err
}
