package daemon

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"devstack/daemon/api"
	"devstack/probe"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// goal is what an action waits for: these services and all instances of these apps, ready.
type goal struct {
	services []string
	apps     []stack.App
	only     map[int]bool // these processes of the apps alone; nil: all of them
	removed  []string     // apps to be gone
	began    time.Time    // exits before it belong to the past
	broken   error        // why containers could not be brought up, as far as known
	launches launches     // that were asked for when the action began: what an older launch says does not count any more
}

// order is everything in the goal, dependencies first.
func (g goal) order(st *stack.Stack) []string {
	return slices.DeleteFunc(st.Order(), func(name string) bool {
		return !slices.Contains(g.services, name) &&
			!slices.ContainsFunc(g.apps, func(a stack.App) bool { return a.Name == name })
	})
}

// verdict is how far a goal has come.
type verdict struct {
	pending  []api.Failure       // could still become ready, as failures of type timeout; empty when all has settled
	failures []api.Failure       // will not, or not soon, become ready
	blocked  []string            // not started because something else failed: a consequence, not a cause
	waiting  map[string][]string // what an app waits for
	over     []api.Failure       // of apps that have ended as they may, after they were ready if anything tells: failures if something waits for them
}

// settled reports whether waiting longer has no sense.
func (v verdict) settled() bool { return len(v.pending) == 0 }

// known are the failures that nothing can undo any more or that last already, also of what could still become ready.
func (v verdict) known() []api.Failure {
	return append(slices.Clone(v.failures), slices.DeleteFunc(slices.Clone(v.pending), func(f api.Failure) bool {
		return f.Exit == api.ExitTimeout
	})...)
}

// judge compares a goal with what is there. An exit since the action began that speaks against the program is a failure, even
// if the process is ready again. While it waits for its next restart that settles it: an action does not wait out ten restarts,
// but it does wait for the others.
func judge(g goal, services []view.ServiceDetails, processes []procs.Process) verdict {
	var v verdict
	bad := map[string]bool{}
	v.brokenOff(g.broken, services, bad)
	for _, name := range g.services {
		i := slices.IndexFunc(services, func(s view.ServiceDetails) bool { return s.Name == name })
		if i < 0 {
			v.wait(name, "is not there yet")
			continue
		}
		v.service(services[i], g.broken != nil, bad)
	}
	v.waiting = map[string][]string{}
	for _, app := range g.apps {
		v.app(g, app, processes, bad)
	}
	for _, name := range g.removed {
		if slices.ContainsFunc(processes, func(p procs.Process) bool { return p.Name == name }) {
			v.wait(name, "still runs; devstack is removing it")
		}
	}
	v.block(g.apps, v.waiting, bad)
	return v
}

// app adds how far the processes of one app have come.
func (v *verdict) app(g goal, app stack.App, processes []procs.Process, bad map[string]bool) {
	found := false
	for _, p := range processes {
		if p.Name != app.Name || g.only != nil && !g.only[p.ID] && !p.Leaving {
			continue
		}
		found = true
		if p.Leaving {
			v.wait(app.Name, fmt.Sprintf("instance %d still runs; devstack is stopping it", p.Instance))
			continue
		}
		if p.Status == view.Waiting {
			v.waiting[app.Name] = p.WaitingFor
			continue
		}
		if p.Ready && g.launches.awaits(p) {
			v.wait(app.Name, "is about to be launched")
			continue
		}
		v.process(app, p, g.began, bad)
	}
	if !found && g.only == nil {
		v.wait(app.Name, "is not there yet")
	}
}

func (v *verdict) wait(name, why string) {
	v.pending = append(v.pending, api.Failure{Resource: name, Exit: api.ExitTimeout, Message: why, LastLines: []string{}, LogFiles: []string{}})
}

func (v *verdict) fail(f api.Failure, bad map[string]bool) {
	f.LastLines, f.LogFiles = orEmpty(f.LastLines), orEmpty(f.LogFiles)
	bad[f.Resource] = true
	v.failures = append(v.failures, f)
}

// brokenOff is why containers could not be brought up, with what they have said last; nil: they could.
func (v *verdict) brokenOff(err error, services []view.ServiceDetails, bad map[string]bool) {
	if err == nil {
		return
	}
	for _, f := range infraFailures(err) {
		i := slices.IndexFunc(services, func(s view.ServiceDetails) bool { return s.Name == f.Resource })
		if i >= 0 {
			f.LastLines = lastWords(services[i])
		}
		v.fail(f, bad)
	}
}

func (v *verdict) service(s view.ServiceDetails, broken bool, bad map[string]bool) {
	s.Detail = stack.MaskText(s.Detail)
	f := api.Failure{Resource: s.Name, Exit: api.ExitEngine, LastLines: lastWords(s)}
	switch {
	case s.Ready || bad[s.Name]:
	case s.StoppedBy != "":
		f.Message = because("was stopped meanwhile", s.Detail)
		v.fail(f, bad)
	case s.Health == view.HealthUnhealthy && len(s.Exits) > 0 && s.Detail != "": // how it ended is the cause
		f.Message = s.Detail
		v.fail(f, bad)
	case s.Health == view.HealthUnhealthy:
		f.Message = because("cannot get healthy", s.Detail)
		v.fail(f, bad)
	case broken && s.State != "running": // no further step was begun
		bad[s.Name] = true
		v.blocked = append(v.blocked, s.Name)
	default:
		v.wait(s.Name, because("is not healthy yet", s.Detail))
	}
}

// lastWords are the lines of a service's last run that has ended.
func lastWords(s view.ServiceDetails) []string {
	if n := len(s.Exits); n > 0 {
		return s.Exits[n-1].LastLines
	}
	return nil
}

func (v *verdict) process(app stack.App, p procs.Process, began time.Time, bad map[string]bool) {
	exit := p.LastExit()
	fresh := exit != nil && !exit.At.Before(began) // it belongs to this action
	blamed, times := blamedExit(app, p.Exits, began)
	failure := api.Failure{Resource: app.Name, Exit: api.ExitProcess}
	switch {
	case p.Ready && (app.OneShot || blamed == nil):
		return
	case p.Ready:
		attachExit(&failure, blamed)
		failure.Message = which(app, p) + endings(*blamed, times) + " and was restarted; it is ready again"
		v.failures = append(v.failures, failure) // not bad: what waits for it is started
		return
	case p.Status == view.Errored:
		failure.Message = ending(p) + " and is errored: it is not restarted any more"
		if app.OneShot && app.MaxRestarts == 0 {
			failure.Message = ending(p) + ": a one_shot that fails is not run again by itself"
		}
	case p.Status == view.Stopped && fresh && (exit.WasReady || mayEnd(app, *exit) && p.ReadyBy == view.Text(probe.Unchecked)):
		failure.Message = endings(*exit, 1) + " and is not restarted"
		if mayEnd(app, *exit) {
			attachExit(&failure, exit)
			failure.Message = which(app, p) + failure.Message
			v.over = append(v.over, failure)
			return
		}
	case p.Status == view.Stopped && (fresh || p.LastError != ""):
		failure.Message = ending(p) + " before it was ready"
	case p.Status == view.WaitingRestart && fresh && exit.Reason != view.Manual:
		failure.Message = ending(p) + " and goes on being restarted"
	case p.Status == view.WaitingRestart && p.LastError != "":
		failure.Message = ending(p) + "; it is tried again"
	case p.Status == view.Launching && p.Late:
		failure.Message = lateness(app, p)
		failure.Exit, exit = api.ExitTimeout, nil // the lines of the launch that runs are its evidence
		if blamed != nil {
			failure.Exit, exit = api.ExitProcess, blamed
			failure.Message += "; before that it " + endings(*blamed, times)
		}
	default:
		v.unfinished(app, p, blamed, times)
		return
	}
	if p.LastError == "" {
		attachExit(&failure, exit)
	}
	failure.Message = which(app, p) + failure.Message
	v.fail(failure, bad)
}

// unfinished waits for a process that may still become ready. One that has exited before will not be what was asked for even
// then, and how it exited says more than where it is now.
func (v *verdict) unfinished(app stack.App, p procs.Process, blamed *view.ExitRecord, times int) {
	state := because("is "+string(p.Status), lastProbe(p))
	if p.Status == view.Launching {
		state = because("is not ready yet", expectation(app, p))
	}
	v.wait(app.Name, which(app, p)+state)
	if blamed != nil {
		f := &v.pending[len(v.pending)-1]
		f.Exit, f.Message = api.ExitProcess, which(app, p)+endings(*blamed, times)+", was restarted and "+state
		attachExit(f, blamed)
	}
}

// which says which of several instances a message is about.
func which(app stack.App, p procs.Process) string {
	if app.Count() == 1 {
		return ""
	}
	return fmt.Sprintf("instance %d ", p.Instance)
}

// block settles apps whose gate cannot open because something behind it failed or is over, also through other apps.
func (v *verdict) block(apps []stack.App, waiting map[string][]string, bad map[string]bool) {
	for _, f := range v.over {
		if slices.ContainsFunc(apps, func(a stack.App) bool { return slices.Contains(waiting[a.Name], f.Resource) }) {
			v.fail(f, bad)
		}
	}
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

// notStarted says of everything that is blocked what it waits for, and why that does not come.
func (v verdict) notStarted() []string {
	var out []string
	for _, name := range v.blocked {
		var causes []string
		for _, f := range v.failures {
			if slices.Contains(v.waiting[name], f.Resource) {
				causes = append(causes, f.Resource+", which "+f.Message)
			}
		}
		for _, other := range v.blocked {
			if slices.Contains(v.waiting[name], other) {
				causes = append(causes, other)
			}
		}
		if len(causes) == 0 {
			out = append(out, name+" is not started")
			continue
		}
		out = append(out, name+" is not started: it waits for "+strings.Join(causes, "; and for "))
	}
	return out
}

func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

// lastProbe is what the last probe found wrong, without secrets.
func lastProbe(p procs.Process) string {
	if n := len(p.Probes); n > 0 && !p.Probes[n-1].Ready {
		return stack.MaskText(p.Probes[n-1].Detail)
	}
	return ""
}

// ending says in words how a process came to its end, without secrets.
func ending(p procs.Process) string {
	switch exit := p.LastExit(); {
	case p.LastError != "":
		return stack.MaskText(string(p.LastError))
	case exit == nil:
		return "it never ran"
	default:
		return exit.Exit.Ending()
	}
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
