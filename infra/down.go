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
	i.follower.end()
	for _, name := range i.names() {
		i.step(name, Stop{})
	}
	for _, name := range i.names() {
		i.endRepair(name)
		i.step(name, Stop{}) // what a repair has just started as well
	}
	obs, err := i.driver.Observe(ctx, project, nil)
	if err != nil {
		return err
	}
	r := removal{driver: i.driver, publish: i.tell, gone: func(c Container) { i.lookAt(ctx, c.Service, c.ID) }}
	leaving := leaving(p, i.names(), obs.Containers)
	failures := r.containers(ctx, leaving, volumes)
	failures = append(failures, r.networks(ctx, project, obs, leaving)...)
	if volumes {
		failures = append(failures, r.volumes(ctx, project, obs)...)
	}
	if err := errors.Join(failures...); err != nil {
		return &Error{Failed, "", fmt.Sprintf("cannot take everything down: %v", err), ""}
	}
	return nil
}

// leaving are the containers that go.
func leaving(p *types.Project, known []string, all []Container) []Container {
	if p == nil {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(c Container) bool {
		_, named := p.Services[c.Service]
		return !named && !slices.Contains(known, c.Service)
	})
}

// removal takes a project down, and tells about every step.
type removal struct {
	driver  Driver
	publish func(view.Event)
	gone    func(Container) // it is removed
}

// containers removes containers in parallel, each after those that depend on it, by their labels, and their anonymous
// volumes if asked.
func (r removal) containers(ctx context.Context, all []Container, volumes bool) []error {
	removed := make([]chan struct{}, len(all))
	for n := range all {
		removed[n] = make(chan struct{})
	}
	errs := make([]error, len(all))
	var work sync.WaitGroup
	for n, c := range all {
		work.Go(func() {
			defer close(removed[n])
			for m, other := range all {
				if other.Service == c.Service || !slices.Contains(labelledDependencies(other), c.Service) {
					continue
				}
				select {
				case <-removed[m]:
				case <-ctx.Done():
					errs[n] = ctx.Err()
					return
				}
			}
			errs[n] = r.container(ctx, c, volumes)
		})
	}
	work.Wait()
	return errs
}

func (r removal) container(ctx context.Context, c Container, volumes bool) error {
	if running(c.State) {
		if err := r.do(c.Service, view.Step{Verb: "stop", Object: r.driver.Object(), Name: c.Service}, func() error { return r.driver.StopContainer(ctx, c.ID) }); err != nil {
			return err
		}
	}
	err := r.do(c.Service, view.Step{Verb: "remove", Object: r.driver.Object(), Name: c.Service}, func() error { return r.driver.RemoveContainer(ctx, c.ID, volumes) })
	if err == nil {
		r.gone(c)
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

// networks leaves a network that a container which stays is still attached to.
func (r removal) networks(ctx context.Context, project string, obs Observed, leaving []Container) []error {
	var errs []error
	for _, name := range sorted(obs.Networks) {
		for _, n := range obs.Networks[name] {
			if n.Labels[LabelProject] != project || usedByOthers(obs.Containers, leaving, n) {
				continue
			}
			errs = append(errs, r.do("", view.Step{Verb: "remove", Object: "network", Name: name}, func() error { return r.driver.RemoveNetwork(ctx, n.ID) }))
		}
	}
	return errs
}

func (r removal) volumes(ctx context.Context, project string, obs Observed) []error {
	var errs []error
	for _, name := range sorted(obs.Volumes) {
		if obs.Volumes[name].Labels[LabelProject] == project {
			errs = append(errs, r.do("", view.Step{Verb: "remove", Object: "volume", Name: name}, func() error { return r.driver.RemoveVolume(ctx, name) }))
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

// do tells about one step.
func (r removal) do(service string, step view.Step, f func() error) error {
	e := view.Event{Resource: service, Kind: view.KindOp, To: "started", Message: step.String(), Step: &step}
	r.publish(e)
	err := f()
	e.From, e.To = "started", "done"
	if err != nil {
		e.To, e.Cause = "failed", err.Error()
	}
	r.publish(e)
	return err
}
