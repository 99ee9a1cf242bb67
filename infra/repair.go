package infra

import (
	"context"
	"time"

	"devstack/view"
)

// Backoff of repairs, and how long a container must have lived for the next death to count as the first.
const (
	firstRepair = 100 * time.Millisecond
	lastRepair  = 15 * time.Second
	stableAfter = 10 * time.Second
)

// repairDelay is the pause before a repair after so many quick deaths and failed repairs in a row.
func repairDelay(failures int) time.Duration {
	delay := firstRepair
	for range failures {
		delay = min(2*delay, lastRepair)
	}
	return delay
}

// repair brings a service back that nobody stopped, in the background: starts its container, or makes a new one where it was
// removed. It goes on until the container runs or the service is not wanted any more.
func (i *Infra) repair(service string) {
	begin := false
	i.change(service, func(t *tracked) {
		if t.repairing {
			return
		}
		begin, t.repairing = true, true
		if n := len(t.view.Exits); n > 0 && t.view.Exits[n-1].UptimeMS >= stableAfter.Milliseconds() {
			t.failures = 0
		}
	})
	if !begin {
		return
	}
	i.spawn(func() {
		for i.repairOnce(service) {
		}
	})
}

// repairOnce waits its time and tries; it says whether to try again.
func (i *Infra) repairOnce(service string) (again bool) {
	failures := 0
	i.change(service, func(t *tracked) { failures = t.failures })
	select {
	case <-time.After(repairDelay(failures)):
	case <-i.ctx.Done():
		return false
	}
	busy, needed := false, false
	if !i.change(service, func(t *tracked) {
		busy = t.busy
		needed = t.wanted && t.view.StoppedBy == "" && t.gate == nil && !t.done
		if !needed && !busy {
			t.repairing = false
		}
	}) {
		return false
	}
	if busy {
		return true
	}
	if !needed {
		return false
	}
	err := i.startAgain(i.ctx, service)
	if i.ctx.Err() != nil {
		return false
	}
	i.change(service, func(t *tracked) {
		t.failures++
		if err == nil {
			t.repairing = false
			t.view.Restarts++
		} else {
			t.view.Detail = "cannot be brought back: " + err.Error()
		}
	})
	if err != nil {
		i.tell(view.Event{Resource: service, Kind: view.KindWarning, Message: "cannot bring back " + service + ": " + err.Error()})
	}
	return err != nil
}

// startAgain is one repair: the same plan as Up's, for one service.
func (i *Infra) startAgain(ctx context.Context, service string) error {
	i.mu.Lock()
	p := i.project
	i.mu.Unlock()
	plan, obs, err := i.plan(ctx, p, Wanted{Services: []string{service}, Now: time.Now()})
	if err != nil {
		return err
	}
	for _, c := range obs.Containers {
		if c.Service == service && c.State == "running" {
			i.see(c)
		}
	}
	x := execution{driver: i.driver, project: p, obs: obs, publish: i.tell, started: i.started, wait: i.await}
	return x.Execute(ctx, plan)
}
