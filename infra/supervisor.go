package infra

import (
	"context"
	"slices"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/probe"
	"devstack/view"
)

// How much is kept of one service.
const (
	keptProbes = 5
	keptExits  = 20
)

// supervisor carries out what the Machine of one service says. keeping's mu guards all of it.
type supervisor struct {
	keeping     *keeping
	name        string
	defined     view.ServiceDetails // what the Compose file says
	machine     Machine
	container   Container // as last seen; its ID is empty while there is none
	checks      checks    // of the container's present run
	found       Container // while the machine steps: what a look has just found
	foundChecks checks
	probes      []view.Probe
	exits       []exit

	stopProbe context.CancelFunc // nil: nobody asks it
	stopTimer context.CancelFunc // nil: no repair is due
	repair    *repair            // under way; nil: none
}

// exit is one end of a run in the history.
type exit struct {
	run Run
	view.ExitRecord
}

// repair is one that is under way.
type repair struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it is over
}

// define takes over what the Compose file says now.
func (s *supervisor) define(driver string, p Project, c types.ServiceConfig) {
	s.defined = definition(driver, p, c)
	s.machine.OneShot = p.oneShot(c.Name)
	if s.container.ID == "" {
		s.machine.Checked = checkable(c)
	}
}

// definition is what the Compose file says of a service, for people.
func definition(driver string, p Project, c types.ServiceConfig) view.ServiceDetails {
	v := view.NewService(c.Name)
	v.Driver, v.Image, v.ContainerName, v.Ports = driver, ImageName(p.Name, c), ContainerName(p.Name, c), DeclaredPorts(c)
	for _, name := range sorted(c.DependsOn) {
		v.DependsOn = append(v.DependsOn, view.DependsOn{Name: name, Condition: c.DependsOn[name].Condition})
	}
	for _, mount := range c.Volumes {
		v.Volumes = append(v.Volumes, first(mount.Source, "(anonymous)")+":"+mount.Target)
	}
	for _, key := range sorted(c.Networks) {
		v.Networks = append(v.Networks, first(p.Networks[key].Name, key))
	}
	return v
}

// details is the service as others see it; it shares nothing that changes.
func (s *supervisor) details() view.ServiceDetails {
	v, m, c := s.defined, s.machine, s.container
	v.State, v.Health, v.Ready, v.ReadyBy, v.Detail = m.State, m.Health(), m.Ready(), view.Text(m.ReadyBy), m.Detail
	v.StoppedBy, v.Restarts, v.RepairAttempts = view.Text(m.StoppedBy), m.Restarts, m.Failures
	if m.StoppedBy == view.ByOther && !m.StoppedAt.IsZero() {
		v.StoppedAt = &m.StoppedAt
	}
	if c.ID != "" {
		v.ID, v.ContainerName, v.Image, v.EngineHealth = view.Text(c.ID), c.Name, c.Image, c.EngineHealth
		if !c.StartedAt.IsZero() {
			v.StartedAt = &c.StartedAt
		}
		if len(c.Ports) > 0 {
			v.Ports = slices.Clone(c.Ports)
		}
	}
	v.Probes = append([]view.Probe{}, s.probes...)
	v.Exits = []view.ExitRecord{}
	for _, e := range s.exits {
		v.Exits = append(v.Exits, e.ExitRecord)
	}
	return v
}

// settle takes over what a look has found, unless the machine has found it older than what is known.
func (s *supervisor) settle() {
	switch run := s.machine.Run; {
	case run.Container == "":
		s.container, s.checks = Container{}, checks{}
	case run == Run{s.found.ID, s.found.StartedAt}:
		s.container, s.checks = s.found, s.foundChecks
	}
	s.found, s.foundChecks = Container{}, checks{}
}

// end is that the service is not kept any more.
func (s *supervisor) end() {
	s.endProbe()
	s.endTimer()
	if s.repair != nil {
		s.repair.cancel()
	}
}

// perform carries out one effect.
func (s *supervisor) perform(e Effect) {
	switch e := e.(type) {
	case Probe:
		s.endProbe()
		s.probe(e.Run, e.Again)
	case StopProbe:
		s.endProbe()
	case SetTimer:
		s.endTimer()
		ctx, cancel := context.WithCancel(s.keeping.ctx)
		s.stopTimer = cancel
		s.keeping.spawn(func() { s.keeping.elapse(ctx, s.name, e.After) })
	case StopTimer:
		s.endTimer()
	case BringBack:
		s.bringBack()
	case Record:
		s.record(e)
	case Excuse:
		for n := range s.exits {
			if s.exits[n].run == e.Run {
				s.exits[n].Reason = view.Manual
			}
		}
	}
}

func (s *supervisor) endProbe() {
	if s.stopProbe != nil {
		s.stopProbe()
		s.stopProbe = nil
	}
}

func (s *supervisor) endTimer() {
	if s.stopTimer != nil {
		s.stopTimer()
		s.stopTimer = nil
	}
}

// probe asks a run until it is ready, or stopProbe is called. Of one that was ready before it only asks the server, if there is
// one to ask: a healthcheck through exec says nothing new, and is what a loaded machine is slow at.
func (s *supervisor) probe(run Run, again bool) {
	ctx, cancel := context.WithCancel(s.keeping.ctx)
	s.stopProbe = cancel
	all, k, name := s.checks, s.keeping, s.name
	if again && all.server != nil {
		all.own = nil
	}
	k.spawn(func() {
		r := all.wait(ctx, func(r probe.Result) { k.looked(name, run, r) })
		if r.Ready && ctx.Err() == nil {
			k.step(name, Answered{run, r.By, r.Detail})
		}
	})
}

// bringBack is one repair, in the background.
func (s *supervisor) bringBack() {
	ctx, cancel := context.WithCancel(s.keeping.ctx)
	own := &repair{cancel, make(chan struct{})}
	s.repair = own
	k, name := s.keeping, s.name
	ok := k.spawn(func() {
		defer close(own.done)
		err := k.again(ctx, name)
		if ctx.Err() != nil {
			return
		}
		problem := ""
		if err != nil {
			problem = err.Error()
			k.tell(view.Event{Resource: name, Kind: view.KindWarning, Message: "cannot bring back " + name + ": " + problem})
		}
		k.step(name, BroughtBack{problem})
	})
	if !ok {
		close(own.done)
	}
}

// looked keeps one probe result. One that only repeats the last one replaces it.
func (s *supervisor) looked(r probe.Result, at time.Time) {
	if n := len(s.probes); n > 0 && s.probes[n-1].Ready == r.Ready && s.probes[n-1].Detail == r.Detail {
		s.probes = s.probes[:n-1]
	}
	s.probes = append(slices.Clone(s.probes), view.Probe{At: at, Ready: r.Ready, Detail: r.Detail})
	s.probes = s.probes[max(0, len(s.probes)-keptProbes):]
}

// record keeps one exit. A look and the engine's word may both tell of the same one: the first knows how, either knows its
// lines.
func (s *supervisor) record(r Record) {
	if r.Exit.LastLines == nil {
		r.Exit.LastLines = []string{}
	}
	s.exits = slices.Clone(s.exits)
	for n, known := range s.exits {
		if known.run == r.Run {
			if len(known.LastLines) == 0 {
				s.exits[n].LastLines = r.Exit.LastLines
			}
			return
		}
	}
	s.exits = append(s.exits, exit{r.Run, r.Exit})
	s.exits = s.exits[max(0, len(s.exits)-keptExits):]
}

// since is from when on the lines of the present run are: after the end of the one before, or from its start, which the engine
// notes a little late.
func (s *supervisor) since(c Container) time.Time {
	since := c.StartedAt.Add(-time.Second)
	for _, e := range s.exits {
		if e.run.Container == c.ID && !e.run.Started.Equal(c.StartedAt) && e.At.After(since) {
			since = e.At.Add(1)
		}
	}
	return since
}

// differences are the events that lead from one state to another.
func differences(before, after view.ServiceDetails) []view.Event {
	var out []view.Event
	cause := after.Detail
	if after.StoppedBy != "" {
		cause = "stopped by " + string(after.StoppedBy)
	}
	add := func(kind view.Kind, from, to string) {
		if from != to {
			out = append(out, view.Event{Resource: after.Name, Kind: kind, From: from, To: to, Cause: cause})
		}
	}
	add(view.KindService, before.State, after.State)
	add(view.KindService, string(before.Health), string(after.Health))
	add(view.KindReady, view.ReadyWord(before.Ready), view.ReadyWord(after.Ready))
	return out
}
