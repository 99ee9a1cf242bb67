package infra

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/probe"
	"devstack/view"
)

// Others are services that somebody else runs (`up --no-infra`): each server that can be asked over its published port is asked,
// again and again, and all others are taken for ready. Nothing is started and nothing is stopped.
type Others struct {
	cancel  context.CancelFunc
	work    sync.WaitGroup
	publish func(view.Event)
	checks  []*check   // by place in list; nil: it cannot be asked
	telling sync.Mutex // held while a change is made and published

	mu   sync.Mutex // guards list
	list []view.ServiceDetails
}

var _ Services = (*Others)(nil)

// askTime is how long one of the others may take to answer, and the pause after an answer.
const (
	askTime   = 2 * time.Second
	askPause  = 5 * time.Second
	askSooner = 100 * time.Millisecond // until the first answer
)

// Watch begins to ask at once, and goes on until Close. publish gets every change, in order of one service.
func Watch(p Project, publish func(view.Event)) *Others {
	ctx, cancel := context.WithCancel(context.Background())
	o := &Others{cancel: cancel, publish: publish}
	for _, name := range Order(p.Project) {
		s := definition("none", p, p.Services[name])
		s.Health = view.HealthStarting
		ask := declaredCheck(p.Services[name])
		if ask == nil {
			s.State, s.Ready, s.Health, s.ReadyBy = "running", true, view.HealthRunning, view.Text(view.HealthRunning)
			s.Detail = "taken for ready: others run it, and it has no published port that could be asked"
		}
		o.list, o.checks = append(o.list, s), append(o.checks, ask)
	}
	for i, ask := range o.checks { // when the lists are whole: each asker reads them
		if ask != nil {
			o.work.Go(func() { o.watch(ctx, i) })
		}
	}
	return o
}

// declaredCheck asks a service over the ports that the Compose file publishes; nil: it publishes none that is fixed.
func declaredCheck(s types.ServiceConfig) *check {
	c := Container{Image: s.Image, Argv: slices.Concat(s.Entrypoint, s.Command), Ports: DeclaredPorts(s)}
	for key, value := range s.Environment {
		if value != nil {
			c.Env = append(c.Env, key+"="+*value)
		}
	}
	if ask := serverCheck(c, nil); ask != nil && ask.outside {
		return ask
	}
	return listensOn(c.Ports)
}

// watch asks often until the first answer, then every few seconds.
func (o *Others) watch(ctx context.Context, i int) {
	for ctx.Err() == nil {
		pause := askSooner
		if o.ask(ctx, i).Ready {
			pause = askPause
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// ask asks one service once and notes the answer. Where ctx was cancelled nobody knows.
func (o *Others) ask(ctx context.Context, i int) probe.Result {
	asked, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	r := o.checks[i].once(asked)
	if !errors.Is(ctx.Err(), context.Canceled) {
		o.saw(i, r)
	}
	return r
}

// saw notes an answer.
func (o *Others) saw(i int, r probe.Result) {
	o.telling.Lock()
	defer o.telling.Unlock()
	o.mu.Lock()
	s := &o.list[i]
	before := s.Ready
	s.State, s.Ready, s.ReadyBy, s.Detail, s.Health = view.Absent, r.Ready, view.Text(r.By), r.Detail, view.HealthStarting
	switch {
	case r.Ready:
		s.State, s.Health = "running", view.HealthHealthy
	case r.Broken:
		s.Health = view.HealthUnhealthy
	}
	s.Probes = append(slices.Clone(s.Probes), view.Probe{At: time.Now(), Ready: r.Ready, Detail: r.Detail})
	s.Probes = s.Probes[max(0, len(s.Probes)-keptProbes):]
	name := s.Name
	o.mu.Unlock()
	if before != r.Ready || r.Broken {
		o.publish(view.Event{Resource: name, Kind: view.KindReady, From: view.ReadyWord(before), To: view.ReadyWord(r.Ready), Cause: r.Detail})
	}
}

// Check asks one service once, now. What cannot be asked is taken for what it is.
func (o *Others) Check(ctx context.Context, service string) probe.Result {
	o.mu.Lock()
	i := slices.IndexFunc(o.list, func(s view.ServiceDetails) bool { return s.Name == service })
	if i < 0 {
		o.mu.Unlock()
		return probe.Result{Detail: "no service is named " + service}
	}
	known := probe.Result{Ready: o.list[i].Ready, Detail: o.list[i].Detail}
	o.mu.Unlock()
	if o.checks[i] == nil {
		return known
	}
	return o.ask(ctx, i)
}

// Confirm asks the named services once more.
func (o *Others) Confirm(ctx context.Context, services ...string) {
	var asked sync.WaitGroup
	for _, name := range services {
		asked.Go(func() { o.Check(ctx, name) })
	}
	asked.Wait()
}

// Told returns when all that Snapshot showed before has been published.
func (o *Others) Told() {
	o.telling.Lock()
	defer o.telling.Unlock()
}

// Snapshot is every service, as it answered last.
func (o *Others) Snapshot() []view.ServiceDetails {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := slices.Clone(o.list)
	for i := range out {
		out[i].Probes = slices.Clone(out[i].Probes)
	}
	return out
}

// Watched does nothing: nobody here knows what they consume.
func (o *Others) Watched() {}

// Close ends the asking.
func (o *Others) Close() {
	o.cancel()
	o.work.Wait()
}
