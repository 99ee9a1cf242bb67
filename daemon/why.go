package daemon

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

func (l looks) why(w http.ResponseWriter, r *http.Request) {
	v := facts{}
	v.st, v.services, v.processes = l.all()
	if v.st != nil { // what a launch listens on says what it does wrong
		v.processes = l.d.procs.SnapshotWithPortsNow()
	}
	reasons, refused := v.why(r.PathValue("name"))
	answer(w, reasons, refused)
}

// facts are what reasons are made of.
type facts struct {
	st        *stack.Stack
	services  []view.ServiceDetails
	processes []procs.Process
}

// why is the reasons for what is meant by a word: a service, or processes as in every command.
func (v facts) why(word string) (*api.Why, *api.Error) {
	if v.st == nil {
		return nil, unknownName(nil, word)
	}
	out := &api.Why{Project: v.st.Project, Name: word, Kind: "service", Instances: []api.WhyInstance{}}
	if s, ok := v.service(word); ok {
		out.Instances = append(out.Instances, v.whyService(s))
		return out, nil
	}
	chosen, refused := pick(v.st, v.processes, []string{word})
	if refused != nil {
		return nil, refused
	}
	out.Kind = "process"
	for _, p := range chosen.processes {
		if app, ok := v.app(p.Name); ok {
			out.Instances = append(out.Instances, v.whyProcess(app, p))
		}
	}
	return out, nil
}

func (v facts) service(name string) (view.ServiceDetails, bool) {
	i := slices.IndexFunc(v.services, func(s view.ServiceDetails) bool { return s.Name == name })
	if i < 0 {
		return view.ServiceDetails{}, false
	}
	return v.services[i], true
}

func (v facts) app(name string) (stack.App, bool) {
	i := slices.IndexFunc(v.st.Apps, func(a stack.App) bool { return a.Name == name })
	if i < 0 {
		return stack.App{}, false
	}
	return v.st.Apps[i], true
}

func (v facts) whyProcess(app stack.App, p procs.Process) api.WhyInstance {
	out := api.WhyInstance{
		Name: p.Name, Instance: p.Instance, Status: string(p.Status), Ready: p.Ready, Reason: processReason(app, p), WaitsFor: v.appBlockers(app, p),
		Restarts: p.Restarts, Causes: p.RestartsBy.Counts(), NextRestartAt: p.NextRestartAt,
		LastFailure: lastFailure(app.OneShot, maskedExits(p.Exits)), LastProbe: last(maskedProbes(p.Probes)),
	}
	if exit := p.LastExit(); p.Status == view.Stopped && exit != nil && exit.Reason == view.Manual {
		out.StoppedBy, out.StoppedAt = view.ByDevstack, &exit.At
	}
	return out
}

func (v facts) whyService(s view.ServiceDetails) api.WhyInstance {
	out := api.WhyInstance{
		Name: s.Name, Status: serviceStatus(s), Ready: s.Ready, Reason: serviceReason(s), WaitsFor: v.serviceBlockers(s),
		StoppedBy: s.StoppedBy, StoppedAt: s.StoppedAt, Restarts: s.Restarts, Causes: view.CountReasons(s.Exits),
		RepairAttempts: s.RepairAttempts, LastFailure: lastFailure(true, s.Exits), LastProbe: last(maskedProbes(s.Probes)),
	}
	if exit := last(s.Exits); out.StoppedAt == nil && s.StoppedBy != "" && exit != nil {
		out.StoppedAt = &exit.At
	}
	return out
}

// appBlockers are the closed gates of a process that waits, each with what it waits for itself.
func (v facts) appBlockers(app stack.App, p procs.Process) []api.Blocker {
	blockers := []api.Blocker{}
	if p.Status != view.Waiting {
		return blockers
	}
	for _, d := range app.DependsOn {
		if slices.Contains(p.WaitingFor, d.Name) {
			blockers = append(blockers, v.blocker(d))
		}
	}
	return blockers
}

// serviceBlockers are the dependencies that keep a container from being started.
func (v facts) serviceBlockers(s view.ServiceDetails) []api.Blocker {
	blockers := []api.Blocker{}
	if s.State == "running" || s.StoppedBy != "" {
		return blockers
	}
	for _, d := range s.DependsOn {
		dep := serviceDependency(d)
		if !open(dep, v.services, nil) {
			blockers = append(blockers, v.blocker(dep))
		}
	}
	return blockers
}

// blocker is one closed gate; the graph has no cycles, so this ends.
func (v facts) blocker(d stack.Dependency) api.Blocker {
	b := api.Blocker{Name: d.Name, Kind: "process", Condition: string(d.Condition), Status: "absent", Reason: "is not there yet", WaitsFor: []api.Blocker{}}
	if d.Service {
		b.Kind = "service"
		if s, ok := v.service(d.Name); ok {
			b.Status, b.Reason, b.WaitsFor = serviceStatus(s), serviceReason(s), v.serviceBlockers(s)
		}
		return b
	}
	app, _ := v.app(d.Name)
	for _, p := range v.processes {
		if p.Name == d.Name && !processOpen(d.Condition, p) {
			b.Status, b.Reason, b.WaitsFor = string(p.Status), processReason(app, p), v.appBlockers(app, p)
			break
		}
	}
	return b
}

// serviceStatus is the one word for a container: its health while it runs.
func serviceStatus(s view.ServiceDetails) string {
	if s.State == "running" || s.Health == view.HealthCompleted {
		return string(s.Health)
	}
	return s.State
}

func serviceReason(s view.ServiceDetails) string {
	detail := stack.MaskText(s.Detail)
	switch {
	case s.State == "unknown":
		return because("cannot be seen", detail)
	case s.StoppedBy == "other":
		return "was stopped by somebody else (docker stop, docker compose, a signal or the like)"
	case s.StoppedBy != "":
		return "was stopped by devstack"
	case s.Health == view.HealthCompleted:
		return "has done its work"
	case s.Ready:
		return because("runs and is ready", detail)
	case s.Health == view.HealthStarting && s.State != "running":
		return because("does not run and is being brought back", detail)
	case s.State == "running":
		return because("runs and is not ready", detail)
	}
	return because("does not run", detail)
}

// processReason says why a process is in its state.
func processReason(app stack.App, p procs.Process) string {
	switch p.Status {
	case view.Waiting:
		return "waits for " + strings.Join(p.WaitingFor, ", ")
	case view.Launching:
		if p.Late {
			return withElsewhere(lateness(app, p), app, p)
		}
		return withElsewhere(because("was launched and is not ready yet", expectation(app, p)), app, p)
	case view.Online:
		return onlineReason(app, p)
	case view.Stopping:
		return "is being stopped"
	case view.WaitingRestart:
		return restartReason(app, p)
	case view.Errored:
		return erroredReason(app, p)
	}
	return stoppedReason(app, p)
}

func onlineReason(app stack.App, p procs.Process) string {
	switch {
	case !p.Ready && app.OneShot:
		return "is doing its work"
	case !p.Ready:
		return because("runs and is not ready", lastProbe(p))
	case len(p.WaitingFor) > 0:
		return "runs and is ready; after an exit it would wait for " + strings.Join(p.WaitingFor, ", ")
	}
	if reload := reloadReason(app, p); reload != "" {
		return "runs and is ready; " + reload
	}
	if exit := p.LastExit(); exit != nil && exit.Cause != "" && exit.Reason != view.Manual {
		return because("runs and is ready; it was restarted", stack.MaskText(string(exit.Cause)))
	}
	return "runs and is ready"
}

// reloadReason says of a reload that is under way how far it is, and of the last one why it failed; else it is empty.
func reloadReason(app stack.App, p procs.Process) string {
	switch next := p.Successor; {
	case next != nil && next.Pid == nil:
		return "a reload is under way: its successor is about to be launched"
	case next != nil && next.Ready:
		return fmt.Sprintf("a reload is under way: its successor, pid %d, is ready and takes over in a moment", *next.Pid)
	case next != nil:
		return fmt.Sprintf("a reload is under way: its successor, pid %d, is not ready yet", *next.Pid)
	case p.RetiringPid != nil && p.Retiring < p.Generation:
		return fmt.Sprintf("a reload is under way: the launch before it, pid %d, answers its last requests", *p.RetiringPid)
	case p.Rejected.Gen <= p.Generation:
		return ""
	case p.Rejected.Late:
		return fmt.Sprintf("the last reload failed: the new one was not ready within %s", inTime(app))
	case p.SuccessorError != "":
		return "the last reload failed: the new one cannot be launched: " + stack.MaskText(p.SuccessorError)
	case p.Rejected.WasReady:
		return "the last reload failed: the new one did not stay ready for a second"
	}
	return "the last reload failed: the new one ended before it was ready"
}

func restartReason(app stack.App, p procs.Process) string {
	if p.LastError != "" {
		return "cannot be launched: " + ending(p) + "; it is tried again"
	}
	how := ending(p)
	if p.UnstableRestarts == 0 {
		return how + " and is about to be restarted"
	}
	limit := "there is no limit"
	if app.MaxRestarts >= 0 {
		limit = fmt.Sprintf("devstack gives up after %d", app.MaxRestarts+1)
	}
	return fmt.Sprintf("%s and is about to be restarted: unstable exit %d in a row, %s", how, p.UnstableRestarts, limit)
}

func erroredReason(app stack.App, p procs.Process) string {
	switch {
	case p.LastError != "":
		return "cannot be launched: " + ending(p)
	case app.OneShot && (!app.Autorestart || app.MaxRestarts == 0):
		return ending(p) + " and is not tried again: a one_shot that fails has failed, unless it has max_restarts"
	}
	return fmt.Sprintf("%s and is not restarted any more: %d exits in a row within %s of the launch (max_restarts %d, min_uptime %s)",
		ending(p), p.UnstableRestarts, app.MinUptime, app.MaxRestarts, app.MinUptime)
}

func stoppedReason(app stack.App, p procs.Process) string {
	exit := p.LastExit()
	switch {
	case p.Status == view.Completed:
		return "has done its work (one_shot)"
	case p.LastError != "":
		return "cannot be launched: " + ending(p)
	case exit == nil && !app.Autostart:
		return "is not started unless it is named (autostart: false)"
	case exit == nil:
		return "was never launched: it was stopped before the stack came up again, or not among what was started"
	case exit.Reason == view.Manual:
		return "was stopped by a command"
	case !app.Autorestart:
		return ending(p) + " and is not restarted (autorestart: false)"
	case exit.Code != nil && slices.Contains(app.StopExitCodes, *exit.Code):
		return ending(p) + ", one of its stop_exit_codes"
	}
	return ending(p) + ", and a command stopped it before its restart"
}

// lastFailure is the newest exit that nobody asked for. A one_shot that ended with 0 has done what it was asked for, and so has
// a container.
func lastFailure(mayEnd bool, exits []view.ExitRecord) *view.ExitRecord {
	for i := len(exits) - 1; i >= 0; i-- {
		asked := slices.Contains([]view.Reason{view.Manual, view.Watch, view.Cron}, exits[i].Reason)
		if !asked && (exits[i].Reason != view.Exited || !mayEnd) {
			return &exits[i]
		}
	}
	return nil
}

// last is the newest element, nil if there is none.
func last[T any](list []T) *T {
	if len(list) == 0 {
		return nil
	}
	return &list[len(list)-1]
}
