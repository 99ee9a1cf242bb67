package infra

import (
	"context"
	"errors"
	"fmt"
	"time"

	"devstack/view"
)

// Pauses between attempts to reach the engine.
const (
	firstReconnect = 500 * time.Millisecond
	lastReconnect  = 10 * time.Second
)

// shutdownTime is how long before it goes away an engine may have been stopping containers for its own shutdown.
const shutdownTime = 20 * time.Second

// watchFrom follows the project's events from then on, if nobody does so yet.
func (i *Infra) watchFrom(project string, since time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.watcher != nil {
		return
	}
	ctx, cancel := context.WithCancel(i.ctx)
	i.watcher = cancel
	i.spawn(func() { i.watch(ctx, project, since) })
}

// watch reads events until ctx ends. When the engine goes away the last verdicts stay; when it comes back everything is
// looked at again, because what happened meanwhile may have left no event.
func (i *Infra) watch(ctx context.Context, project string, since time.Time) {
	pause, lost := firstReconnect, false
	for ctx.Err() == nil {
		events, err := i.driver.Events(ctx, project, since, time.Time{})
		if err == nil && lost {
			err = i.catchUp(ctx, project, since)
		}
		if err == nil {
			if lost {
				i.tell(view.Event{Kind: view.KindWarning, Message: "the container engine answers again"})
			}
			pause, lost = firstReconnect, false
			for e := range events {
				since = e.At.Add(1)
				i.handle(ctx, e)
			}
		}
		if ctx.Err() != nil {
			return
		}
		if !lost {
			lost = true
			i.tell(view.Event{Kind: view.KindWarning, Message: "the container engine does not answer: keeping the last known state"})
			i.forgive(time.Now())
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, lastReconnect)
	}
}

// forgive takes back that somebody stopped a container where it was the engine, on its own way down.
func (i *Infra) forgive(now time.Time) {
	i.changeAll(func(t *tracked) {
		if t.view.StoppedBy == view.ByOther && now.Sub(t.decidedAt) < shutdownTime {
			t.view.StoppedBy, t.events = "", nil
		}
	})
}

// catchUp looks at everything and judges deaths that nobody watched by the engine's memory of them.
func (i *Infra) catchUp(ctx context.Context, project string, since time.Time) error {
	past := map[string][]EngineEvent{}
	if !since.IsZero() {
		// A little earlier: the clocks of a virtual machine and its host may differ.
		events, err := i.driver.Events(ctx, project, since.Add(-5*time.Second), time.Now())
		if err != nil {
			return err
		}
		for e := range events {
			if e.Action == "start" {
				past[e.Container] = nil
			} else {
				past[e.Container] = append(past[e.Container], e)
			}
		}
	}
	i.mu.Lock()
	p := i.project
	i.mu.Unlock()
	obs, err := i.driver.Observe(ctx, project, p)
	if err != nil {
		return err
	}
	present := map[string]bool{}
	for _, c := range obs.Containers {
		if present[c.Service] && c.State != "running" {
			continue
		}
		present[c.Service] = true
		if c.State != "exited" && c.State != "dead" {
			i.see(c)
			continue
		}
		i.change(c.Service, func(t *tracked) {
			t.fill(c)
			t.events = past[c.ID]
		})
		i.died(ctx, c.Service, c, exitOf(c))
	}
	for _, name := range i.names() {
		if present[name] {
			continue
		}
		i.change(name, func(t *tracked) {
			if t.container.ID != "" {
				t.events = past[t.container.ID]
			}
			t.gone()
		})
		i.removed(name)
	}
	return nil
}

// handle takes one event.
func (i *Infra) handle(ctx context.Context, e EngineEvent) {
	if !i.concerns(e) {
		return
	}
	switch e.Action {
	case "start", "restart", "pause", "unpause":
		i.refresh(ctx, e.Service, e.Container)
	case "kill", "oom":
		i.change(e.Service, func(t *tracked) { t.events = append(t.events, e) })
	case "die":
		i.change(e.Service, func(t *tracked) { t.events = append(t.events, e) })
		i.inspectDeath(ctx, e)
	case "stop":
		i.change(e.Service, func(t *tracked) { t.events = append(t.events, e) })
		i.judge(e.Service)
	case "destroy":
		i.change(e.Service, func(t *tracked) {
			t.events = append(t.events, e)
			t.gone()
		})
		i.removed(e.Service)
	default: // health_status: healthy
		i.refresh(ctx, e.Service, e.Container)
	}
}

// concerns says whether an event is about the container of one of our services and not of our own doing. A start is
// always of interest: it may be a new container.
func (i *Infra) concerns(e EngineEvent) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	t := i.tracked[e.Service]
	switch {
	case t == nil:
		return false
	case e.Action == "start" || e.Action == "restart":
		return true
	case t.ours[e.Container] || t.container.ID != e.Container:
		return false
	}
	return !e.At.Before(t.container.StartedAt) // else it is about an earlier run, which a command has ended
}

// inspectDeath looks at a container that died just now and decides.
func (i *Infra) inspectDeath(ctx context.Context, e EngineEvent) {
	c, err := i.driver.Inspect(ctx, e.Container)
	if err != nil && !errors.Is(err, ErrNotFound) {
		i.log.Debug("cannot look at a container that died", "service", e.Service, "err", err)
		return // the engine is going away: catchUp judges
	}
	if errors.Is(err, ErrNotFound) {
		i.mu.Lock()
		c = i.tracked[e.Service].container
		i.mu.Unlock()
		c.State = view.Absent
	}
	outOfMemory, uptime := c.OOMKilled, time.Duration(0)
	i.mu.Lock()
	if was := i.tracked[e.Service].container; !was.StartedAt.IsZero() && e.At.After(was.StartedAt) {
		uptime = e.At.Sub(was.StartedAt)
	}
	for _, past := range i.tracked[e.Service].events {
		outOfMemory = outOfMemory || past.Action == "oom"
	}
	i.mu.Unlock()
	exit := exited(e.ExitCode, outOfMemory, e.At, uptime)
	exit.LastLines = i.lastLines(ctx, e.Container)
	c.ExitCode = e.ExitCode
	i.died(ctx, e.Service, c, exit)
}

// died notes a death and does what follows from it.
func (i *Infra) died(ctx context.Context, service string, c Container, exit view.ExitRecord) {
	i.change(service, func(t *tracked) {
		if c.State == "running" { // the engine was quicker than our look
			t.fill(c)
			i.arm(t, c)
		} else {
			t.view.State, t.container.State, t.container.ExitCode = c.State, c.State, c.ExitCode
			t.down(view.HealthStopped, deathDetail(exit))
		}
		t.died(exit)
	})
	i.judge(service)
}

func deathDetail(e view.ExitRecord) string {
	switch {
	case e.Code == nil:
		return "ended, nobody knows how"
	case e.Reason == view.Memory:
		return fmt.Sprintf("out of memory, exit code %d", *e.Code)
	}
	return fmt.Sprintf("ended with exit code %d", *e.Code)
}

// judge decides about a container that does not run, by the events since its start.
func (i *Infra) judge(service string) {
	start := false
	i.change(service, func(t *tracked) {
		if t.container.State == "running" || t.gate != nil {
			return
		}
		asked := false
		switch v := judgeDeath(death{t.events, t.view.State, t.container.ExitCode, t.container.StopSignal, t.oneShot}); {
		case !t.wanted:
			asked = true
			t.view.StoppedBy = view.ByDevstack
			t.down(view.HealthStopped, "stopped by devstack")
		case t.view.StoppedBy == view.ByOther, v == decided:
			asked = true
			t.view.StoppedBy, t.decidedAt = view.ByOther, time.Now()
			t.down(view.HealthStopped, "stopped by another command than devstack's")
		case v == engineTurn:
			t.down(view.HealthStarting, t.view.Detail+", the engine restarts it")
		case v == completed:
			t.done = true
			t.view.Ready, t.view.Health, t.view.Detail = true, view.HealthHealthy, "completed"
		case v == failed:
			t.down(view.HealthUnhealthy, t.view.Detail)
		default:
			t.view.Health = view.HealthStarting
			start = true
		}
		if n := len(t.view.Exits); n > 0 && asked {
			t.view.Exits[n-1].Reason = view.Manual
		}
	})
	if start {
		i.repair(service)
	}
}

// removed judges a container that is not there any more.
func (i *Infra) removed(service string) {
	i.change(service, func(t *tracked) {
		if t.view.StoppedBy == "" {
			t.down(view.HealthStopped, "the container was removed")
		}
	})
	i.judge(service)
}

// lastLines are the last 20 lines that a container wrote. They are not worth waiting for.
func (i *Infra) lastLines(ctx context.Context, id string) []string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	lines, err := i.driver.Logs(ctx, id, LogOptions{Tail: 20})
	if err != nil {
		return []string{}
	}
	out := []string{}
	for l := range lines {
		out = append(out, l.Text)
	}
	return out
}
