package daemon

import (
	"context"
	"slices"
	"testing"
	"time"

	"devstack/infra"
	"devstack/procs"
	keeper "devstack/procs/keeper/protocol"
	"devstack/view"
)

// deafKeeper launches nothing.
type deafKeeper struct{ procs.Keeper }

func (deafKeeper) Ack(context.Context, keeper.Key) error { return nil }

// dying are services that turn out not to be ready when they are asked.
type dying struct {
	infra.Services
	names []string
	asked []string
}

func (s *dying) Snapshot() []view.ServiceDetails {
	var all []view.ServiceDetails
	for _, name := range s.names {
		all = append(all, serviceOf(view.Service{Name: name, Ready: !slices.Contains(s.asked, name), State: "running"}))
	}
	return all
}

func (s *dying) Confirm(_ context.Context, names ...string) { s.asked = append(s.asked, names...) }

// A process can exit milliseconds after its database: the exit counts only after the database was asked, and the gate follows.
func TestAnExitAsksTheServicesFirst(t *testing.T) {
	for name, tc := range map[string]struct {
		app    string
		launch int64
		asked  []string
	}{
		"its own service":       {app: "web", asked: []string{"redis"}},
		"through another app":   {app: "agent-b", asked: []string{"redis"}},
		"an app of nobody":      {app: "nobody"},
		"a launch of long ago":  {app: "web", launch: 7},
		"an app that has no db": {app: "alone"},
	} {
		t.Run(name, func(t *testing.T) {
			st := sampleStack()
			alone := st.Apps[0]
			alone.Name, alone.DependsOn = "alone", nil
			st.Apps = append(st.Apps, alone)
			services := &dying{names: []string{"redis"}}
			d := &Daemon{ctx: t.Context(), bus: newBus(time.Now()), changed: newBroadcast(), intent: intent{Stack: st}}
			d.containers = &containers{current: services}
			d.procs = procs.NewManager(procs.Options{Keeper: deafKeeper{}})
			defer d.procs.Close()
			d.gates = &gates{wanted: d.wanted, containers: d.containers, procs: d.procs, publish: d.bus.publish}
			d.procs.Apply(st.Apps)
			d.gates.update()
			if closed := d.gates.list()["web"]; len(closed) > 0 {
				t.Fatalf("the gate is closed by %q before the exit", closed)
			}
			d.exited(keeper.Exit{Key: keeper.Key{App: tc.app, Generation: tc.launch}, Code: 1})
			if !slices.Equal(services.asked, tc.asked) {
				t.Errorf("asked %q, not %q", services.asked, tc.asked)
			}
			if closed := d.gates.list()["web"]; !slices.Equal(closed, tc.asked) && len(closed)+len(tc.asked) > 0 {
				t.Errorf("the gate of web is closed by %q", closed)
			}
		})
	}
}
