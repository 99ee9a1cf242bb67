package procs

import (
	"context"
	"fmt"
	"time"

	"devstack/probe"
	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
)

// minSettle is how long a launch must live that opens no port, and of which nothing else tells, to be called unchecked. One of
// an app that took longer once must live longer: see Machine.settle.
const minSettle = time.Second

// expected is what the readiness of an app is to rest on, as its definition says: probe.Kinds is the table. An app that has
// nothing of it may still open a port, and is ready by that then.
func expected(app stack.App) probe.Kind {
	hc := app.Healthcheck
	switch {
	case app.OneShot:
		return probe.Completed
	case app.WaitReady:
		return probe.IPC
	case hc != nil && hc.HTTP != "":
		return probe.HTTPAnswer
	case hc != nil && hc.TCP != "":
		return probe.ListensAt(hc.TCP)
	case hc != nil && hc.LogLine != "":
		return probe.LogLined
	case hc != nil:
		return probe.Healthcheck
	case awaitsPort(app):
		return probe.ListensOn(app.Port)
	}
	return probe.Unchecked
}

// awaitsPort says that an app is ready when it listens on its port. A program that is given the socket before it starts
// (hold_port: true) has it open from the start: there the port tells nothing.
func awaitsPort(app stack.App) bool {
	return app.Port != 0 && portCounts(app) && (app.RunsNode() || app.HoldPort != "true")
}

// portCounts says that nothing else than a port tells when an app is ready.
func portCounts(app stack.App) bool {
	return !app.OneShot && !app.WaitReady && app.Healthcheck == nil
}

// readiness watches one launch: until it is ready, and its health from then on. At most one watch runs at a time. A watch
// puts what it finds into the mailbox of the supervisor, which alone decides what that means.
type readiness struct {
	s    *supervisor
	l    *launch
	stop context.CancelFunc // ends the watch that runs
}

// begin watches a new launch. Of one that is ready by ipc, or by the port that node itself opens, the keeper tells.
func (r *readiness) begin() {
	switch app := r.l.app; {
	case app.OneShot, app.WaitReady:
	case app.Healthcheck != nil:
		r.watchHealth(false)
	case awaitsPort(app):
		r.watchPort(r.newWatch(), 0)
	default:
		ctx, settled := r.newWatch(), r.s.machine.settle()
		timer := time.AfterFunc(settled, func() { r.satisfied(probe.Unchecked) })
		context.AfterFunc(ctx, func() { timer.Stop() })
		r.watchPort(ctx, settled)
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
	r.s.satisfied(r.l.gen, probe.IPC)
	if r.l.app.Healthcheck != nil {
		r.watchHealth(true)
	}
}

func (r *readiness) satisfied(by probe.Kind) {
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
			found := probe.Poll(ctx, check, probe.Apps(hc.Timeout), r.s.shown.showProbe)
			if !found.Ready {
				return
			}
			r.satisfied(found.By)
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
