package daemon

import (
	"slices"
	"strings"
	"sync"

	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// gates opens and closes the gates of apps: an app starts when all that it depends on has come as far as it asks.
type gates struct {
	wanted     func() intent
	containers *containers
	procs      *procs.Manager
	publish    func(view.Event)

	mu     sync.Mutex          // one update at a time; guards what follows
	closed map[string][]string // app -> what keeps its gate closed, as of the last update
	told   map[string]string   // app -> what it waits for, as last published
}

// update sets the gates as things are now.
func (g *gates) update() {
	g.mu.Lock()
	defer g.mu.Unlock()
	want := g.wanted()
	if want.Stack == nil {
		g.closed, g.told = nil, nil
		return
	}
	processes := g.procs.Snapshot()
	now := closedGates(want.gated(), want.Loose, g.containers.snapshot(), want.awaited(processes))
	for _, app := range want.Stack.Apps {
		if before, known := g.closed[app.Name]; !known || !slices.Equal(before, now[app.Name]) {
			g.procs.SetGate(app.Name, now[app.Name])
		}
	}
	g.closed = now
	g.tell(want.Stack.Apps, processes)
}

// tell publishes what waiting processes wait for. What runs does not wait, whatever its gate says. g.mu is held.
func (g *gates) tell(apps []stack.App, processes []procs.Process) {
	told := map[string]string{}
	for _, p := range processes {
		if p.Status == view.Waiting {
			told[p.Name] = strings.Join(g.closed[p.Name], ", ")
		}
	}
	for _, app := range apps {
		if from, to := g.told[app.Name], told[app.Name]; from != to {
			g.publish(view.Event{Resource: app.Name, Kind: view.KindWaiting, From: from, To: to})
		}
	}
	g.told = told
}

// list is, by app, what keeps its gate closed. Nobody may change it.
func (g *gates) list() map[string][]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// closedGates says, for every app, which of its dependencies keep it from starting, in the order of the file. An empty list
// is an open gate. Apps in loose were started by `up --only` and wait for nothing.
func closedGates(apps []stack.App, loose map[string]bool, services []view.ServiceDetails, processes []procs.Process) map[string][]string {
	closed := make(map[string][]string, len(apps))
	for _, app := range apps {
		closed[app.Name] = []string{}
		if loose[app.Name] {
			continue
		}
		for _, dep := range app.DependsOn {
			if !open(dep, services, processes) {
				closed[app.Name] = append(closed[app.Name], dep.Name)
			}
		}
	}
	return closed
}

// open reports whether a dependency has come as far as its condition asks: of an app, every instance that is to stay.
// What is not there has not.
func open(dep stack.Dependency, services []view.ServiceDetails, processes []procs.Process) bool {
	if dep.Service {
		for _, s := range services {
			if s.Name == dep.Name {
				return serviceOpen(dep.Condition, s)
			}
		}
		return false
	}
	found := false
	for _, p := range processes {
		if p.Name != dep.Name || p.Leaving {
			continue
		}
		found = true
		if !processOpen(dep.Condition, p) {
			return false
		}
	}
	return found
}

func serviceOpen(c stack.Condition, s view.ServiceDetails) bool {
	switch c {
	case stack.Started:
		return s.Ready || s.State == "running"
	case stack.Completed:
		return s.Health == view.HealthCompleted
	}
	return s.Ready
}

func processOpen(c stack.Condition, p procs.Process) bool {
	switch c {
	case stack.Started:
		return p.Ready || p.Pid != nil
	case stack.Completed:
		return completed(p)
	}
	return p.Ready
}

// completed reports whether a process has ended by itself with 0 and is not to come back.
func completed(p procs.Process) bool {
	exit := p.LastExit()
	return p.Status == view.Completed || p.Status == view.Stopped && exit != nil && exit.Succeeded() && exit.Reason != view.Manual
}
