package daemon

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
	"devstack/probe"
	"devstack/stack"
)

// fakeEngine runs pretended containers in virtual time. They answer a while after their start.
type fakeEngine struct {
	infra.Driver // what a walk never asks for
	w            *world
	events       chan infra.EngineEvent

	mu         sync.Mutex // guards what follows
	next       int
	containers []*infra.Container
}

func (d *fakeEngine) Name() string                     { return "docker" }
func (d *fakeEngine) Object() string                   { return "container" }
func (d *fakeEngine) Warnings(*types.Project) []string { return nil }
func (d *fakeEngine) Check(*types.Project) error       { return nil }
func (d *fakeEngine) Close() error                     { return nil }

func (d *fakeEngine) find(which func(*infra.Container) bool) *infra.Container {
	if i := slices.IndexFunc(d.containers, which); i >= 0 {
		return d.containers[i]
	}
	return nil
}

func (d *fakeEngine) byID(id string) *infra.Container {
	return d.find(func(c *infra.Container) bool { return c.ID == id })
}

func (d *fakeEngine) Observe(_ context.Context, _ string, p *types.Project) (infra.Observed, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	obs := infra.Observed{Networks: map[string][]infra.Network{}, Volumes: map[string]infra.Volume{}, Images: map[string]infra.Image{}}
	for _, c := range d.containers {
		obs.Containers = append(obs.Containers, *c)
	}
	if p != nil {
		for _, s := range p.Services {
			obs.Images[s.Image] = infra.Image{ID: s.Image}
		}
	}
	return obs, nil
}

func (d *fakeEngine) Inspect(_ context.Context, id string) (infra.Container, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.byID(id); c != nil {
		return *c, nil
	}
	return infra.Container{}, infra.ErrNotFound
}

func (d *fakeEngine) CreateContainer(_ context.Context, c infra.Create) (string, error) {
	labels, err := infra.ContainerLabels(c)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next++
	made := &infra.Container{
		ID: fmt.Sprintf("%012d", d.next), Name: c.Name, Service: c.Service.Name, State: "created", Image: c.Service.Image, EngineHealth: "none",
		Labels: labels, HealthTest: c.Service.HealthCheck.Test, HealthWait: time.Second,
	}
	d.containers = append(d.containers, made)
	return made.ID, err
}

func (d *fakeEngine) StartContainer(_ context.Context, id string) error {
	pass(300 * time.Millisecond)
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.byID(id)
	c.State, c.StartedAt = "running", time.Now()
	d.tell(c, infra.EngineEvent{Action: "start"})
	return nil
}

func (d *fakeEngine) StopContainer(_ context.Context, id string) error {
	pass(time.Second)
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.byID(id); c != nil && c.State == "running" {
		d.tell(c, infra.EngineEvent{Action: "kill", Signal: "15"})
		d.ended(c, 143)
		d.tell(c, infra.EngineEvent{Action: "stop"})
	}
	return nil
}

func (d *fakeEngine) RemoveContainer(_ context.Context, id string, _ bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.byID(id)
	if c.State == "running" {
		d.tell(c, infra.EngineEvent{Action: "kill", Signal: "9"})
		d.ended(c, 137)
	}
	d.containers = slices.DeleteFunc(d.containers, func(o *infra.Container) bool { return o == c })
	d.tell(c, infra.EngineEvent{Action: "destroy"})
	return nil
}

func (d *fakeEngine) RenameContainer(_ context.Context, id, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byID(id).Name = name
	return nil
}

// boots says how long after its start a container answers.
func boots(id string) time.Duration { return time.Duration(id[len(id)-1]-'0') * 700 * time.Millisecond }

func (d *fakeEngine) Exec(_ context.Context, id string, _ []string) (probe.Execution, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.byID(id)
	if c == nil || c.State != "running" || time.Since(c.StartedAt) < boots(id) {
		return probe.Execution{Code: 1}, nil
	}
	return probe.Execution{}, nil
}

func (d *fakeEngine) Events(ctx context.Context, _ string, _, until time.Time) (<-chan infra.EngineEvent, error) {
	out := make(chan infra.EngineEvent)
	if !until.IsZero() {
		close(out)
		return out, nil
	}
	go func() {
		defer close(out)
		for {
			select {
			case e := <-d.events:
				select {
				case out <- e:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func (d *fakeEngine) Logs(context.Context, string, infra.LogOptions) (<-chan infra.LogLine, error) {
	out := make(chan infra.LogLine)
	close(out)
	return out, nil
}

func (d *fakeEngine) Stats(context.Context, string) (infra.Stats, error) {
	return infra.Stats{Memory: -1}, nil
}

func (d *fakeEngine) tell(c *infra.Container, e infra.EngineEvent) {
	e.At, e.Container, e.Service = time.Now(), c.ID, c.Service
	d.events <- e
}

func (d *fakeEngine) ended(c *infra.Container, code int) {
	c.State, c.ExitCode, c.FinishedAt = "exited", code, time.Now()
	d.tell(c, infra.EngineEvent{Action: "die", ExitCode: code})
}

// kill ends the n-th container, if it runs, as if its program had failed.
func (d *fakeEngine) kill(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n < len(d.containers) && d.containers[n].State == "running" {
		d.ended(d.containers[n], 1)
	}
}

// missing is why a service is not as far as a dependency asks, in a run that began at floor or later.
func (d *fakeEngine) missing(dep stack.Dependency, floor time.Time) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.find(func(c *infra.Container) bool { return c.Service == dep.Name && c.State == "running" })
	switch {
	case c == nil:
		ended := func(c *infra.Container) bool { return c.Service == dep.Name && c.FinishedAt.Equal(time.Now()) }
		if d.find(ended) != nil {
			return ""
		}
		return "does not run"
	case c.StartedAt.Before(floor):
		return "is about to be run anew"
	case dep.Condition != stack.Started && time.Since(c.StartedAt) < boots(c.ID):
		return "does not answer yet"
	}
	return ""
}
