package daemon

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
)

// goal is what an action waits for: these services and all instances of these apps, ready.
type goal struct {
	services []string
	apps     []stack.App
	began    time.Time // exits before it belong to the past
}

// verdict is how far a goal has come.
type verdict struct {
	pending  []api.Failure // could still become ready, as failures of type timeout; empty when all has settled
	failures []api.Failure // will not, or not soon, become ready
	blocked  []string      // not started because what they wait for failed: a consequence, not a cause
	recheck  time.Time     // the verdict may change then without an event; zero: only with one
}

// settled reports whether waiting longer has no sense.
func (v verdict) settled() bool { return len(v.pending) == 0 }

// judge compares a goal with what is there. A process that crashed since the action began counts as failed while it
// waits for its next restart: an action does not wait out ten restarts, but it does wait for the others.
func judge(g goal, services []infra.Service, processes []procs.Process, now time.Time) verdict {
	var v verdict
	bad := map[string]bool{}
	for _, name := range g.services {
		i := slices.IndexFunc(services, func(s infra.Service) bool { return s.Name == name })
		if i < 0 {
			v.wait(name, "is not there yet")
			continue
		}
		v.service(services[i], bad)
	}
	waiting := map[string][]string{}
	for _, app := range g.apps {
		found := false
		for _, p := range processes {
			if p.App != app.Name {
				continue
			}
			found = true
			if p.State == procs.Waiting {
				waiting[app.Name] = p.WaitingFor
				continue
			}
			v.process(app, p, g.began, now, bad)
		}
		if !found {
			v.wait(app.Name, "is not there yet")
		}
	}
	v.block(g.apps, waiting, bad)
	return v
}

func (v *verdict) wait(name, why string) {
	v.pending = append(v.pending, api.Failure{Resource: name, Exit: api.ExitTimeout, Message: name + " " + why, LastLines: []string{}})
}

func (v *verdict) fail(f api.Failure, bad map[string]bool) {
	if f.LastLines == nil {
		f.LastLines = []string{}
	}
	bad[f.Resource] = true
	v.failures = append(v.failures, f)
}

func (v *verdict) service(s infra.Service, bad map[string]bool) {
	switch {
	case s.Ready:
	case s.Health == infra.Unhealthy, s.StoppedBy != "":
		f := api.Failure{Resource: s.Name, Exit: api.ExitEngine, Message: because(s.Name+" is not healthy", s.Detail)}
		if s.StoppedBy != "" {
			f.Message = because(s.Name+" was stopped meanwhile", s.Detail)
		} else if n := len(s.Exits); n > 0 {
			f.LastLines = s.Exits[n-1].LastLines
		}
		v.fail(f, bad)
	default:
		v.wait(s.Name, because("is not healthy yet", s.Detail))
	}
}

func (v *verdict) process(app stack.App, p procs.Process, began, now time.Time, bad map[string]bool) {
	var last procs.Exit
	fresh := false // last belongs to this action
	if n := len(p.Exits); n > 0 {
		last = p.Exits[n-1]
		fresh = !last.At.Before(began)
	}
	failure := api.Failure{Resource: app.Name, Exit: api.ExitProcess, LogFile: app.ErrorFile}
	if fresh {
		failure.LastLines = last.LastLines
	}
	switch {
	case p.Ready:
	case p.State == procs.Errored:
		failure.LastLines = last.LastLines
		failure.Message = app.Name + " is errored: " + ending(p, last)
		v.fail(failure, bad)
	case p.State == procs.Stopped && completed(p) && app.OneShot:
	case p.State == procs.Stopped && (fresh || p.LastError != ""):
		failure.Message = app.Name + " ended before it was ready: " + ending(p, last)
		v.fail(failure, bad)
	case p.State == procs.WaitingRestart && fresh && last.Reason != procs.Manual:
		failure.Message = app.Name + " " + ending(p, last) + " and goes on being restarted"
		v.fail(failure, bad)
	case p.State == procs.Launching && !p.StartedAt.IsZero():
		limit := p.StartedAt.Add(patience(app))
		if now.Before(limit) {
			v.wait(app.Name, because("is not ready yet", lastProbe(p)))
			if v.recheck.IsZero() || limit.Before(v.recheck) {
				v.recheck = limit
			}
			return
		}
		failure.Exit = api.ExitTimeout
		failure.Message = because(fmt.Sprintf("%s runs and was not ready within %s", app.Name, patience(app)), lastProbe(p))
		v.fail(failure, bad)
	default:
		v.wait(app.Name, because("is "+string(p.State), lastProbe(p)))
	}
}

// block settles apps whose gate cannot open because something behind it failed, also through other apps.
func (v *verdict) block(apps []stack.App, waiting map[string][]string, bad map[string]bool) {
	for changed := true; changed; {
		changed = false
		for _, app := range apps {
			isBad := func(name string) bool { return bad[name] }
			if !bad[app.Name] && slices.ContainsFunc(waiting[app.Name], isBad) {
				bad[app.Name], changed = true, true
				v.blocked = append(v.blocked, app.Name)
			}
		}
	}
	for _, app := range apps {
		if names, ok := waiting[app.Name]; ok && !bad[app.Name] {
			v.wait(app.Name, "waits for "+strings.Join(names, ", "))
		}
	}
}

// patience is how long a launch may take to become ready.
func patience(app stack.App) time.Duration {
	limit := app.ListenTimeout
	if app.Healthcheck != nil {
		limit = max(limit, app.Healthcheck.StartPeriod)
	}
	return limit
}

func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

func lastProbe(p procs.Process) string {
	if n := len(p.Probes); n > 0 && !p.Probes[n-1].Ready {
		return p.Probes[n-1].Detail
	}
	return ""
}

// ending says in words how a process came to its end.
func ending(p procs.Process, last procs.Exit) string {
	switch {
	case p.LastError != "":
		return p.LastError
	case len(p.Exits) == 0:
		return "it never ran"
	case last.Reason == procs.Memory:
		return "was ended for its memory"
	case last.Reason == procs.Manual:
		return "was stopped by another command"
	case last.Unknown:
		return "exited with an unknown status"
	case last.Signal != 0:
		return "was killed by " + signalName(last.Signal)
	}
	return fmt.Sprintf("exited with code %d", last.Code)
}

// exitCode is the code that reports all failures, and puts those that it speaks of first: the first is the cause.
func exitCode(failures []api.Failure) api.Code {
	codes := make([]api.Code, len(failures))
	for i, f := range failures {
		codes[i] = f.Exit
	}
	code := api.First(codes...)
	slices.SortStableFunc(failures, func(a, b api.Failure) int {
		switch {
		case a.Exit == b.Exit:
			return 0
		case api.First(a.Exit, b.Exit) == a.Exit:
			return -1
		}
		return 1
	})
	return code
}

// signalName is SIGKILL for 9.
func signalName(n int) string {
	if name := unix.SignalName(syscall.Signal(n)); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", n)
}
