package daemon

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
	"devstack/probe"
	"devstack/view"
)

// wire watches services that somebody else runs (`up --no-infra`): it asks each server that it can speak to, over its
// published port, and takes all others for ready. It starts and stops nothing.
type wire struct {
	cancel  context.CancelFunc
	work    sync.WaitGroup
	publish func(view.Event)
	probes  map[string]probe.Probe // of the servers that it can speak to

	mu   sync.Mutex
	list []view.ServiceDetails
}

// All that can be seen of a service from outside, in Docker's words.
const (
	seen   = "running"
	unseen = view.Absent
)

// newWire begins to ask at once, and goes on until Close.
func newWire(p *types.Project, publish func(view.Event)) *wire {
	ctx, cancel := context.WithCancel(context.Background())
	w := &wire{cancel: cancel, publish: publish, probes: infra.WireOnly(p)}
	for i, name := range infra.Order(p) {
		s := view.NewService(name)
		s.Driver, s.Image, s.State, s.Health = driverNone, p.Services[name].Image, unseen, view.HealthStarting
		s.Ports = append(s.Ports, infra.DeclaredPorts(p.Services[name])...)
		ask := w.probes[name]
		if ask == nil {
			s.State, s.Ready, s.Health, s.Detail = seen, true, view.HealthHealthy, "taken for ready: run by somebody else, and no protocol that devstack speaks"
		}
		w.list = append(w.list, s)
		if ask != nil {
			w.work.Go(func() { w.watch(ctx, i, ask) })
		}
	}
	return w
}

// watch asks often until the first success, then every few seconds.
func (w *wire) watch(ctx context.Context, i int, p probe.Probe) {
	for ctx.Err() == nil {
		asked, cancel := context.WithTimeout(ctx, 2*time.Second)
		r := p.Check(asked)
		cancel()
		if ctx.Err() != nil {
			return
		}
		w.saw(i, r)
		pause := 100 * time.Millisecond
		if r.Ready {
			pause = 5 * time.Second
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// check asks one server once, now; what cannot be asked is taken for what it is.
func (w *wire) check(ctx context.Context, name string) probe.Result {
	w.mu.Lock()
	i := slices.IndexFunc(w.list, func(s view.ServiceDetails) bool { return s.Name == name })
	if i < 0 {
		w.mu.Unlock()
		return probe.Result{Detail: "no service is named " + name}
	}
	known := probe.Result{Ready: w.list[i].Ready, Detail: w.list[i].Detail}
	w.mu.Unlock()
	p := w.probes[name]
	if p == nil {
		return known
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r := p.Check(ctx)
	if !errors.Is(ctx.Err(), context.Canceled) { // else who asked has left, and nobody knows
		w.saw(i, r)
	}
	return r
}

// Confirm asks the named services once more, as infra.Infra's does.
func (w *wire) Confirm(ctx context.Context, services ...string) {
	var asked sync.WaitGroup
	for _, name := range services {
		asked.Go(func() { w.check(ctx, name) })
	}
	asked.Wait()
}

func (w *wire) saw(i int, r probe.Result) {
	w.mu.Lock()
	s := &w.list[i]
	before := s.Ready
	s.State, s.Ready, s.Detail, s.Health = unseen, r.Ready, r.Detail, view.HealthStarting
	switch {
	case r.Ready:
		s.State, s.Health = seen, view.HealthHealthy
	case r.Broken:
		s.Health = view.HealthUnhealthy
	}
	s.Probes = append(slices.Clone(s.Probes), view.Probe{At: time.Now(), Ready: r.Ready, Detail: r.Detail})
	s.Probes = s.Probes[max(0, len(s.Probes)-5):]
	name := s.Name
	w.mu.Unlock()
	if before != r.Ready || r.Broken {
		w.publish(view.Event{Resource: name, Kind: view.KindReady, From: view.ReadyWord(before), To: view.ReadyWord(r.Ready), Cause: r.Detail})
	}
}

func (w *wire) Snapshot() []view.ServiceDetails {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.Clone(w.list)
	for i := range out {
		out[i].Probes = slices.Clone(out[i].Probes)
	}
	return out
}

func (w *wire) Close() {
	w.cancel()
	w.work.Wait()
}
