package procs

import (
	"context"
	"fmt"
	"time"

	"devstack/probe"
	"devstack/procs/keeper"
	"devstack/stack"
	"devstack/view"
)

// bootTime is how long a process without any check must live to count as ready.
const bootTime = 500 * time.Millisecond

// readyBy is how an app's readiness is judged.
func readyBy(app stack.App) view.Text {
	switch {
	case app.OneShot:
		return "exit"
	case app.WaitReady:
		return "ipc"
	case app.Healthcheck != nil:
		return "healthcheck"
	case app.Port != 0 && app.HoldsSockets() && app.RunsNode():
		return "listening"
	}
	return "uptime"
}

// watch judges the readiness of a new launch, and its health from then on. Listening tells the rest.
func (s *supervisor) watch(r *run) {
	switch readyBy(r.app) {
	case "healthcheck":
		s.watchHealth(r, false)
	case "listening":
		s.watchElsewhere(r)
	case "uptime":
		ctx := s.newWatch(r)
		timer := time.AfterFunc(bootTime, func() {
			s.inbox.put(func() { s.satisfied(r.gen, "alive for "+bootTime.String()) })
		})
		context.AfterFunc(ctx, func() { timer.Stop() })
	}
}

// resumeWatch goes on watching a launch of an earlier daemon.
func (s *supervisor) resumeWatch(row keeper.Running, launching bool) {
	r := s.run(row.Key.Generation)
	switch {
	case launching && r.app.WaitReady && row.Ready:
		s.readyByIPC(r)
	case launching:
		s.watch(r)
	case !r.app.OneShot && r.app.Healthcheck != nil:
		s.watchHealth(r, true)
	}
	for _, at := range row.Listening {
		s.listening(r.gen, at)
	}
}

// newWatch ends the former watchers of a launch and returns the context of new ones.
func (s *supervisor) newWatch(r *run) context.Context {
	r.stopWatch()
	ctx, cancel := context.WithCancel(s.ctx)
	r.stopWatch = cancel
	return ctx
}

// watchHealth runs the healthcheck of one launch until it ends: every 100 ms until the first success, which makes it
// ready, then every interval.
func (s *supervisor) watchHealth(r *run, ready bool) {
	ctx, hc, gen := s.newWatch(r), *r.app.Healthcheck, r.gen
	p := s.probeOf(r)
	s.m.wg.Go(func() {
		if c, ok := p.(interface{ close() }); ok {
			defer c.close()
		}
		if !ready {
			if !probe.Poll(ctx, p, probe.Apps(hc.Timeout), s.recordProbe).Ready {
				return
			}
			s.inbox.put(func() { s.satisfied(gen, "healthcheck") })
		}
		if hc.LogLine != "" {
			return // a line that was written stays written
		}
		if detail := untilUnhealthy(ctx, p, hc, s.recordProbe); ctx.Err() == nil {
			s.send(Unhealthy{gen}, detail)
		}
	})
}

// untilUnhealthy returns when the check has failed `retries` times in a row, or ctx ends.
func untilUnhealthy(ctx context.Context, p probe.Probe, hc stack.Healthcheck, seen func(probe.Result)) string {
	ticker := time.NewTicker(hc.Interval)
	defer ticker.Stop()
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			return ""
		case <-ticker.C:
		}
		attempt, cancel := context.WithTimeout(ctx, hc.Timeout)
		r := p.Check(attempt)
		cancel()
		if ctx.Err() != nil {
			return ""
		}
		seen(r)
		if r.Ready {
			failures = 0
			continue
		}
		if failures++; failures >= hc.Retries {
			return fmt.Sprintf("healthcheck failed %d times: %s", failures, r.Detail)
		}
	}
}

func (s *supervisor) recordProbe(r probe.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.Probes = appendBounded(s.view.Probes, view.Probe{At: time.Now(), Ready: r.Ready, Detail: r.Detail}, maxProbes)
}
