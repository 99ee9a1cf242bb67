package infra

import (
	"context"
	"sync"
	"time"

	"devstack/view"
)

// lookTime is how long Look waits for one service's answer.
const lookTime = 2 * time.Second

// Look is one look at a project that nobody keeps: each running container is asked once whether it is ready.
func Look(ctx context.Context, d Driver, p Project) ([]view.ServiceDetails, error) {
	obs, err := d.Observe(ctx, p.Name, p.Project)
	if err != nil {
		return nil, err
	}
	names := Order(p.Project)
	out := make([]view.ServiceDetails, len(names))
	var work sync.WaitGroup
	for n, name := range names {
		work.Go(func() {
			s := supervisor{name: name, machine: newMachine()}
			s.define(d.Name(), p, p.Services[name])
			if c := obs.chosen(p, name); c != nil {
				s.askOnce(ctx, *c, checksOf(*c, runIn(d, c.ID)))
			}
			out[n] = s.details()
		})
	}
	work.Wait()
	return out, nil
}

// askOnce judges a container by one look. Of one that has ended nobody knows whether it was stopped, unless it was to end.
func (s *supervisor) askOnce(ctx context.Context, c Container, all checks) {
	s.container, s.checks = c, all
	done := c.State == "exited" && c.ExitCode == 0 && s.machine.OneShot
	if c.State != "running" && !done {
		s.machine.State = c.State
		return
	}
	happened := []Event{Start{}, seenOf(c, all)}
	for len(happened) > 0 {
		var effects []Effect
		s.machine, effects = s.machine.Step(happened[0])
		happened = happened[1:]
		for _, e := range effects {
			switch e := e.(type) {
			case Record:
				s.record(e)
			case Probe:
				ctx, cancel := context.WithTimeout(ctx, lookTime)
				r := all.once(ctx)
				cancel()
				s.looked(r, time.Now())
				if r.Ready {
					happened = append(happened, Answered{e.Run, r.By, r.Detail})
				} else {
					happened = append(happened, NotYet{e.Run, r.Detail, true}) // it is not asked again
				}
			}
		}
	}
}
