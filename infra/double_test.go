package infra

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/probe"
	"devstack/stack"
	"devstack/view"
)

// engineDouble is a container engine in memory. Its containers run until a test ends them.
type engineDouble struct {
	mu         sync.Mutex
	next       int
	containers []*Container
	volumes    map[string]Volume
	missing    map[string]bool // images that are not to be had
	absent     map[string]bool // images that are not here
	calls      []string
	events     chan EngineEvent // nil: nobody reads them
	checks     func() (probe.Execution, error)
	lines      []string
	hold       chan struct{} // nil: a start takes no time; else it waits for that to be closed
	away       bool          // it answers nobody who asks for its events
	end        chan struct{} // closed when it goes away
}

func newEngine() *engineDouble {
	return &engineDouble{volumes: map[string]Volume{}, missing: map[string]bool{}, absent: map[string]bool{}}
}

var errNoCall = errors.New("this engine cannot do that")

func (d *engineDouble) Name() string                     { return "docker" }
func (d *engineDouble) Object() string                   { return "container" }
func (d *engineDouble) Warnings(*types.Project) []string { return nil }
func (d *engineDouble) Check(*types.Project) error       { return nil }
func (d *engineDouble) Close() error                     { return nil }
func (d *engineDouble) called(what string)               { d.calls = append(d.calls, what) }
func (d *engineDouble) find(id string) *Container {
	for _, c := range d.containers {
		if c.ID == id {
			return c
		}
	}
	return nil
}

func (d *engineDouble) Observe(_ context.Context, _ string, p *types.Project) (Observed, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	obs := Observed{Networks: map[string][]Network{}, Volumes: map[string]Volume{}, Images: map[string]Image{}}
	for _, c := range d.containers {
		obs.Containers = append(obs.Containers, *c)
	}
	for name, v := range d.volumes {
		obs.Volumes[name] = v
	}
	if p != nil {
		for _, s := range p.Services {
			if !d.missing[s.Image] && !d.absent[s.Image] {
				obs.Images[s.Image] = Image{ID: s.Image}
			}
		}
	}
	return obs, nil
}

func (d *engineDouble) Inspect(_ context.Context, id string) (Container, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.find(id); c != nil {
		return *c, nil
	}
	return Container{}, ErrNotFound
}

func (d *engineDouble) Stats(context.Context, string) (Stats, error) { return Stats{}, errNoCall }

func (d *engineDouble) Pull(_ context.Context, s types.ServiceConfig, _ func(int64, int64)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.called("pull " + s.Image)
	if d.missing[s.Image] {
		return &Error{Kind: NoImage, Service: s.Name, Message: "there is no image " + s.Image}
	}
	delete(d.absent, s.Image)
	return nil
}

func (d *engineDouble) CreateNetwork(context.Context, *types.Project, string) (string, error) {
	return "", errNoCall
}
func (d *engineDouble) RemoveNetwork(context.Context, string) error { return errNoCall }
func (d *engineDouble) Connect(context.Context, *types.Project, types.ServiceConfig, string, string, string) error {
	return errNoCall
}
func (d *engineDouble) Disconnect(context.Context, string, string) error { return errNoCall }

func (d *engineDouble) CreateVolume(_ context.Context, p *types.Project, key string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := p.Volumes[key].Name
	hash, err := stack.VolumeHash(p.Volumes[key])
	d.volumes[name] = Volume{Name: name, Labels: map[string]string{LabelProject: p.Name, LabelHash: hash, LabelVersion: ComposeVersion}}
	return err
}

func (d *engineDouble) RemoveVolume(_ context.Context, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.volumes, name)
	return nil
}

func (d *engineDouble) CreateContainer(_ context.Context, c Create) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	hash, err := stack.ServiceHash(c.Service)
	d.next++
	made := &Container{
		ID: fmt.Sprintf("%s-%012d", c.Service.Name, d.next), Name: c.Name, Service: c.Service.Name, State: "created", Image: c.Service.Image, EngineHealth: "none",
		Labels: map[string]string{LabelHash: hash, LabelVersion: ComposeVersion, LabelImage: c.ImageID, LabelProject: c.Project.Name},
	}
	if c.Service.HealthCheck != nil {
		made.HealthTest, made.HealthWait = c.Service.HealthCheck.Test, time.Second
	}
	for _, v := range c.Service.Volumes {
		made.Mounts = append(made.Mounts, Mount{Volume: c.Project.Volumes[v.Source].Name, Target: v.Target})
	}
	d.containers = append(d.containers, made)
	d.called("create " + c.Service.Name)
	return made.ID, err
}

func (d *engineDouble) StartContainer(_ context.Context, id string) error {
	d.mu.Lock()
	hold := d.hold
	d.mu.Unlock()
	if hold != nil {
		<-hold
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.find(id)
	if c == nil {
		return ErrNotFound
	}
	d.called("start " + c.Service)
	c.State, c.StartedAt = "running", time.Now()
	d.tell(c, EngineEvent{Action: "start"})
	return nil
}

func (d *engineDouble) StopContainer(_ context.Context, id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.find(id); c != nil && c.State == "running" {
		d.called("stop " + c.Service)
		d.ended(c, 143, EngineEvent{Action: "kill", Signal: "15"})
		d.tell(c, EngineEvent{Action: "stop"})
	}
	return nil
}

func (d *engineDouble) RemoveContainer(_ context.Context, id string, volumes bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(id, volumes)
	return nil
}

func (d *engineDouble) remove(id string, volumes bool) {
	if c := d.find(id); c != nil {
		if c.State == "running" {
			d.ended(c, 137, EngineEvent{Action: "kill", Signal: "9"})
		}
		d.called(fmt.Sprintf("remove %s, with its volumes: %t", c.Service, volumes))
		d.tell(c, EngineEvent{Action: "destroy"})
		d.containers = slices.DeleteFunc(d.containers, func(o *Container) bool { return o == c })
	}
}

func (d *engineDouble) RenameContainer(_ context.Context, id, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.find(id).Name = name
	return nil
}

func (d *engineDouble) Exec(context.Context, string, []string) (probe.Execution, error) {
	d.mu.Lock()
	checks := d.checks
	d.mu.Unlock()
	if checks == nil {
		return probe.Execution{}, nil
	}
	return checks()
}

func (d *engineDouble) Events(ctx context.Context, _ string, _, until time.Time) (<-chan EngineEvent, error) {
	out := make(chan EngineEvent)
	if !until.IsZero() {
		close(out)
		return out, nil
	}
	in, end := make(chan EngineEvent, 1000), make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away {
		return nil, errNoCall
	}
	d.events, d.end = in, end
	go func() {
		defer close(out)
		for {
			select {
			case <-end:
				return
			case e := <-in:
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

// cut makes the engine go away, or come back.
func (d *engineDouble) cut(away bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away = away; away {
		close(d.end)
		d.events = nil
	}
}

func (d *engineDouble) Logs(context.Context, string, LogOptions) (<-chan LogLine, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(chan LogLine, len(d.lines))
	for _, l := range d.lines {
		out <- LogLine{Text: l}
	}
	close(out)
	return out, nil
}

func (d *engineDouble) tell(c *Container, e EngineEvent) {
	e.At, e.Container, e.Service = time.Now(), c.ID, c.Service
	if d.events != nil {
		d.events <- e
	}
}

func (d *engineDouble) ended(c *Container, code int, before ...EngineEvent) {
	for _, e := range before {
		d.tell(c, e)
	}
	c.State, c.ExitCode, c.FinishedAt = "exited", code, time.Now()
	d.tell(c, EngineEvent{Action: "die", ExitCode: code})
}

// of is the newest container of a service.
func (d *engineDouble) of(service string) *Container {
	for _, c := range slices.Backward(d.containers) {
		if c.Service == service {
			return c
		}
	}
	return nil
}

// exit ends a service's container as if its program had ended.
func (d *engineDouble) exit(service string, code int, before ...EngineEvent) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended(d.of(service), code, before...)
}

// count is how often something was called.
func (d *engineDouble) count(call string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.calls {
		if c == call {
			n++
		}
	}
	return n
}

// servicesOf is a project of services without anything to ask.
func servicesOf(names ...string) Project {
	p := &types.Project{Name: "p", Services: types.Services{}, Volumes: types.Volumes{}}
	for _, name := range names {
		s := types.ServiceConfig{Name: name}
		s.Image = name + ":1"
		p.Services[name] = s
	}
	return Project{Project: p}
}

// with changes one service of a project.
func (p Project) with(name string, change func(*types.ServiceConfig)) Project {
	s := p.Services[name]
	change(&s)
	p.Services[name] = s
	return p
}

// checked gives a service a healthcheck.
func checked(s *types.ServiceConfig) {
	s.HealthCheck = &types.HealthCheckConfig{Test: types.HealthCheckTest{"CMD", "check"}}
}

// kept runs a test in virtual time, with an Infra on an engine.
func kept(t *testing.T, f func(t *testing.T, i *Infra, d *engineDouble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newEngine()
		i := New(d, slog.New(slog.DiscardHandler), func(view.Event) {})
		defer i.Close()
		f(t, i, d)
	})
}

// up brings the project up and waits until nothing happens any more.
func up(t *testing.T, i *Infra, p Project) {
	t.Helper()
	if err := i.Up(t.Context(), p, nil); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// one is a service as others see it.
func one(t *testing.T, i *Infra, name string) view.ServiceDetails {
	t.Helper()
	for _, s := range i.Snapshot() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no service %s", name)
	return view.ServiceDetails{}
}

// is checks where a service is.
func is(t *testing.T, i *Infra, name, when string, state string, health view.Health, by string) view.ServiceDetails {
	t.Helper()
	s := one(t, i, name)
	if s.State != state || s.Health != health || cmp.Or(string(s.ReadyBy), string(s.StoppedBy)) != by {
		t.Errorf("%s: %s is %s, %s by %q (%s), want %s, %s by %q", when, name, s.State, s.Health, cmp.Or(s.ReadyBy, s.StoppedBy), s.Detail, state, health, by)
	}
	return s
}
