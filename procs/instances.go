package procs

import (
	"slices"
	"sync"

	"devstack/stack"
)

// instances are the instances that a Manager supervises. mu guards every field below it, and supervisor.wanted.
type instances struct {
	mu     sync.Mutex
	byKey  map[instanceKey]*supervisor
	order  []*supervisor       // in file order, an app's instances by number; those being removed come last
	gates  map[string][]string // app -> what it waits for, as SetGate said last
	nextID int
	// newest are the highest generations of instances that are gone: one that comes back counts on, because the keeper may
	// still remember their exits.
	newest map[instanceKey]int64
}

// instanceKey names one instance of an app.
type instanceKey struct {
	app    string
	number int
}

func newInstances() *instances {
	return &instances{byKey: map[instanceKey]*supervisor{}, gates: map[string][]string{}, newest: map[instanceKey]int64{}}
}

// apply gives the instances their definitions, as Manager.Apply says. create makes and starts a supervisor; it is called
// with mu held.
func (i *instances) apply(apps []stack.App, names []string, create func(app stack.App, n, id int) *supervisor) Changes {
	i.mu.Lock()
	defer i.mu.Unlock()
	var c Changes
	var order []*supervisor
	wanted := map[*supervisor]bool{}
	for _, app := range apps {
		for n := range app.Count() {
			s := i.byKey[instanceKey{app.Name, n}]
			if s == nil {
				s = create(app, n, i.newID())
				if n == 0 {
					c.Added = append(c.Added, app.Name)
				}
			} else if len(names) == 0 || slices.Contains(names, app.Name) {
				s.wanted = true
				changed := s.shown.setHash(app.Hash)
				if changed && !slices.Contains(c.Changed, app.Name) {
					c.Changed = append(c.Changed, app.Name)
				}
				s.inbox.put(func() { s.define(app.Instance(n), changed) })
			}
			order = append(order, s)
			wanted[s] = true
		}
	}
	for _, s := range i.order {
		if wanted[s] {
			continue
		}
		order = append(order, s)
		if s.wanted && s.instance == 0 {
			c.Removed = append(c.Removed, s.name)
			delete(i.gates, s.name)
		}
		s.wanted = false
		s.inbox.put(s.leave)
	}
	i.order = order
	return c
}

// newID is called with mu held.
func (i *instances) newID() int {
	i.nextID++
	return i.nextID - 1
}

// remove forgets an instance that has left the file and no longer runs, unless it has come back meanwhile. newest is the
// highest generation that it has had.
func (i *instances) remove(s *supervisor, newest int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if s.wanted {
		return
	}
	key := instanceKey{s.name, s.instance}
	delete(i.byKey, key)
	i.newest[key] = newest
	i.order = slices.DeleteFunc(slices.Clone(i.order), func(other *supervisor) bool { return other == s })
	s.cancel()
}

// setGate keeps what an app waits for, for the instances that it gets later.
func (i *instances) setGate(app string, waitingFor []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.gates[app] = slices.Clone(waitingFor)
}

// shown are the processes in file order. The caller holds mu.
func (i *instances) shown() []Process {
	list := make([]Process, len(i.order))
	for n, s := range i.order {
		list[n] = s.shown.get()
	}
	return list
}

// all are the instances in file order.
func (i *instances) all() []*supervisor {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.order)
}

// named are the instances of an app that are not on their way out: no command and no changed file may call those back.
func (i *instances) named(app string) []*supervisor {
	return i.wantedIf(func(s *supervisor) bool { return s.name == app })
}

// withIDs are the instances with these ids that are not on their way out.
func (i *instances) withIDs(ids ...int) []*supervisor {
	return i.wantedIf(func(s *supervisor) bool { return slices.Contains(ids, s.id) })
}

func (i *instances) wantedIf(which func(*supervisor) bool) []*supervisor {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(i.order), func(s *supervisor) bool { return !s.wanted || !which(s) })
}

// find is one instance; nil: there is none.
func (i *instances) find(app string, number int) *supervisor {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.byKey[instanceKey{app, number}]
}
