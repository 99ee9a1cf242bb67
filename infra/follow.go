package infra

import (
	"context"
	"errors"
	"time"

	"devstack/view"
)

// Pauses between attempts to reach the engine.
const (
	firstReconnect = 500 * time.Millisecond
	lastReconnect  = 10 * time.Second
)

// follower reads what the engine tells about the project's containers.
type follower struct {
	*keeping
	stop context.CancelFunc // nil: nothing is read; whose turn it is may look at it
}

// from reads the engine's events from then on, if nobody does so yet.
func (f *follower) from(since time.Time) {
	if f.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(f.ctx)
	f.stop = cancel
	f.spawn(func() { f.read(ctx, since) })
}

// end ends the reading; from begins it again.
func (f *follower) end() {
	if f.stop != nil {
		f.stop()
		f.stop = nil
	}
}

// read reads events until ctx ends. When the engine goes away the last verdicts stay; when it comes back everything is
// looked at again, because what happened meanwhile may have left no event.
func (f *follower) read(ctx context.Context, since time.Time) {
	pause, lost := firstReconnect, false
	for ctx.Err() == nil {
		events, err := f.driver.Events(ctx, f.current().Name, since, time.Time{})
		if err == nil && lost {
			err = f.catchUp(ctx, since)
		}
		if err == nil {
			if lost {
				f.tell(view.Event{Kind: view.KindWarning, Message: "the container engine answers again"})
			}
			pause, lost = firstReconnect, false
			for e := range events {
				since = e.At.Add(1)
				f.handle(ctx, e)
			}
		}
		if ctx.Err() != nil {
			return
		}
		if !lost {
			lost = true
			f.tell(view.Event{Kind: view.KindWarning, Message: "the container engine does not answer: keeping the last known state"})
			for _, name := range f.names() {
				f.step(name, EngineLost{time.Now()})
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, lastReconnect)
	}
}

// catchUp looks at everything, and at ends that nobody watched with the engine's memory of them.
func (f *follower) catchUp(ctx context.Context, since time.Time) error {
	p := f.current()
	past := map[string][]EngineEvent{}
	if !since.IsZero() {
		// A little earlier: the clocks of a virtual machine and its host may differ.
		events, err := f.driver.Events(ctx, p.Name, since.Add(-5*time.Second), time.Now())
		if err != nil {
			return err
		}
		for e := range events {
			past[e.Container] = append(past[e.Container], e)
		}
	}
	obs, err := f.driver.Observe(ctx, p.Name, p.Project)
	if err != nil {
		return err
	}
	for _, name := range f.names() {
		c := obs.chosen(p, name)
		if c == nil {
			f.apply(name, func(s *supervisor) Event {
				return Absent{At: time.Now(), Signs: signsOf(past[s.machine.Run.Container], s.machine.StopSignal)}
			})
			continue
		}
		f.saw(*c, signsOf(past[c.ID], c.StopSignal), f.lastLines(ctx, *c))
	}
	return nil
}

// signsOf are the signs since the last start of a container.
func signsOf(events []EngineEvent, stopSignal string) Signs {
	var s Signs
	for _, e := range events {
		switch e.Action {
		case "start":
			s = Signs{}
		case "kill":
			s = s.with(signed(e.Signal, stopSignal))
		case "stop":
			s.Decided = true
		case "oom":
			s.OOM = true
		}
	}
	return s
}

// handle takes one event.
func (f *follower) handle(ctx context.Context, e EngineEvent) {
	m, _, known, _ := f.look(e.Service)
	told := Told{e.Container, e.At}
	switch {
	case !known:
		return
	case e.Action == "start" || e.Action == "restart": // perhaps of a container that nobody knows yet
		f.lookAt(ctx, e.Service, e.Container)
		return
	case !m.concerns(told):
		return
	}
	switch e.Action {
	case "kill":
		f.step(e.Service, Killed{told, e.Signal})
	case "oom":
		f.step(e.Service, OutOfMemory{told})
	case "die":
		f.died(ctx, e, told)
	case "stop":
		f.step(e.Service, StopDone{told})
	case "destroy":
		f.step(e.Service, Removed{told})
	default: // pause, unpause, health_status: healthy
		f.lookAt(ctx, e.Service, e.Container)
	}
}

// died looks at a container that died just now: the engine may have restarted or removed it already.
func (f *follower) died(ctx context.Context, e EngineEvent, told Told) {
	c, err := f.driver.Inspect(ctx, e.Container)
	switch {
	case errors.Is(err, ErrNotFound):
		c = Container{ID: e.Container, Service: e.Service, State: view.Absent}
	case err != nil:
		f.log.Debug("cannot look at a container that died", "service", e.Service, "err", err)
		return // the engine is going away: catchUp looks again
	}
	_, before, _, _ := f.look(e.Service)
	before.State = "exited"
	f.step(e.Service, Died{Told: told, State: c.State, Code: e.ExitCode, OOM: c.OOMKilled, Lines: f.lastLines(ctx, before)})
	if c.State == "running" {
		f.saw(c, Signs{}, nil)
	}
}
