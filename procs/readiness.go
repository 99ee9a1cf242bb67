package procs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"devstack/probe"
	keeper "devstack/procs/keeper/protocol"
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

// readiness watches one launch: until it is ready, and its health from then on. At most one watch runs at a time. A watch
// puts what it finds into the mailbox of the supervisor, which alone decides what that means.
type readiness struct {
	s    *supervisor
	l    *launch
	stop context.CancelFunc // ends the watch that runs
}

// begin watches a new launch. Of one that is ready by ipc or by listening, the keeper tells.
func (r *readiness) begin() {
	switch readyBy(r.l.app) {
	case "healthcheck":
		r.watchHealth(false)
	case "listening":
		r.watchElsewhere()
	case "uptime":
		ctx := r.newWatch()
		timer := time.AfterFunc(bootTime, func() { r.satisfied("alive for " + bootTime.String()) })
		context.AfterFunc(ctx, func() { timer.Stop() })
	}
}

// resume goes on watching a launch of an earlier daemon.
func (r *readiness) resume(row keeper.Running, launching bool) {
	app := r.l.app
	switch {
	case launching && app.WaitReady && row.Ready:
		r.byIPC()
	case launching:
		r.begin()
	case !app.OneShot && app.Healthcheck != nil:
		r.watchHealth(true)
	}
	for _, at := range row.Listening {
		r.s.listening(r.l.gen, at)
	}
}

// byIPC is called on the supervisor's goroutine when the process has said over IPC that it is ready.
func (r *readiness) byIPC() {
	r.s.satisfied(r.l.gen, "ipc")
	if r.l.app.Healthcheck != nil {
		r.watchHealth(true)
	}
}

func (r *readiness) satisfied(by string) {
	r.s.inbox.put(func() { r.s.satisfied(r.l.gen, by) })
}

// newWatch ends the watch that runs and returns the context of a new one.
func (r *readiness) newWatch() context.Context {
	r.stop()
	var ctx context.Context
	ctx, r.stop = context.WithCancel(r.s.ctx)
	return ctx
}

// watchHealth runs the healthcheck of the launch until it ends: every 100 ms until the first success, which makes it
// ready, then every interval.
func (r *readiness) watchHealth(ready bool) {
	ctx, hc, gen := r.newWatch(), *r.l.app.Healthcheck, r.l.gen
	check, closeLogs := r.healthcheck()
	r.s.m.wg.Go(func() {
		defer closeLogs()
		if !ready {
			if !probe.Poll(ctx, check, probe.Apps(hc.Timeout), r.s.shown.showProbe).Ready {
				return
			}
			r.satisfied("healthcheck")
		}
		if hc.LogLine != "" {
			return // a line that was written stays written
		}
		if detail := untilUnhealthy(ctx, check, hc, r.s.shown.showProbe); ctx.Err() == nil {
			r.s.send(Unhealthy{gen}, detail)
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

// watchElsewhere looks whether something in the process tree listens on the app's port without ever telling. A launch that
// was born with that socket has it open from the start, so there it would tell nothing.
func (r *readiness) watchElsewhere() {
	ctx, s, l := r.newWatch(), r.s, r.l
	if l.born() {
		return
	}
	gen, port := l.gen, l.app.Port
	s.m.wg.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			p := s.shown.get()
			if p.Generation != gen || p.Pid == nil {
				continue
			}
			for _, ports := range s.m.ports.find(append([]int{*p.Pid}, p.Children...)) {
				if slices.ContainsFunc(ports, func(at view.Address) bool { return at.Port == port }) {
					s.inbox.put(func() {
						if !l.listens() {
							s.satisfied(gen, elsewhere)
						}
					})
					return
				}
			}
		}
	})
}
