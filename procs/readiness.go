package procs

import (
	"context"
	"fmt"
	"time"

	"devstack/probe"
	"devstack/stack"
)

// bootTime is how long a process without any check must live to count as ready.
const bootTime = 500 * time.Millisecond

// readyBy is how an app's readiness is judged.
func readyBy(app stack.App) string {
	switch {
	case app.OneShot:
		return "exit"
	case app.WaitReady:
		return "ipc"
	case app.Healthcheck != nil:
		return "healthcheck"
	}
	return "uptime"
}

// watch judges the readiness of a new launch, and its health from then on.
func (s *supervisor) watch(gen int64) {
	switch readyBy(s.app) {
	case "healthcheck":
		s.watchHealth(gen, false)
	case "uptime":
		ctx := s.newWatch()
		timer := time.AfterFunc(bootTime, func() { s.send(Ready{gen}, "alive for "+bootTime.String()) })
		context.AfterFunc(ctx, func() { timer.Stop() })
	}
}

// resumeWatch goes on watching a launch of an earlier daemon; saidReady: it has sent "ready" over IPC at some time.
func (s *supervisor) resumeWatch(saidReady bool) {
	switch {
	case s.machine.State == Launching && s.app.WaitReady && saidReady:
		s.readyByIPC()
	case s.machine.State == Launching:
		s.watch(s.machine.Gen)
	case s.machine.State == Online && !s.app.OneShot && s.app.Healthcheck != nil:
		s.watchHealth(s.machine.Gen, true)
	}
}

// newWatch ends the former watchers and returns the context of new ones.
func (s *supervisor) newWatch() context.Context {
	s.stopWatch()
	ctx, cancel := context.WithCancel(s.ctx)
	s.stopWatch = cancel
	return ctx
}

// watchHealth runs the healthcheck of one launch until it ends: every 100 ms until the first success, which makes it
// ready, then every interval.
func (s *supervisor) watchHealth(gen int64, ready bool) {
	ctx, hc := s.newWatch(), *s.app.Healthcheck
	p := s.probeOf(s.app)
	s.m.wg.Go(func() {
		if c, ok := p.(interface{ close() }); ok {
			defer c.close()
		}
		if !ready {
			if !probe.Poll(ctx, p, probe.Apps(hc.Timeout), s.recordProbe).Ready {
				return
			}
			s.send(Ready{gen}, "healthcheck")
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
	s.view.Probes = appendBounded(s.view.Probes, ProbeRecord{At: time.Now(), Result: r}, maxProbes)
}
