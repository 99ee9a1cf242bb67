package daemon

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
)

func (s *server) why(w http.ResponseWriter, r *http.Request) {
	v := facts{}
	v.st, v.services, v.processes = s.d.looks()
	answer, refused := v.why(r.PathValue("name"))
	if refused != nil {
		refuse(w, http.StatusNotFound, refused)
		return
	}
	reply(w, answer)
}

// facts are what reasons are made of.
type facts struct {
	st        *stack.Stack
	services  []infra.Service
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
		if app, ok := v.app(p.App); ok {
			out.Instances = append(out.Instances, v.whyProcess(app, p))
		}
	}
	return out, nil
}

func (v facts) service(name string) (infra.Service, bool) {
	i := slices.IndexFunc(v.services, func(s infra.Service) bool { return s.Name == name })
	if i < 0 {
		return infra.Service{}, false
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
	details := describeProcess(app, p, nil, p.StartedAt)
	out := api.WhyInstance{
		Name: p.App, Instance: p.Instance, Status: string(p.State), Ready: p.Ready, Reason: processReason(app, p), WaitsFor: v.appBlockers(app, p),
		Restarts: p.Restarts, Causes: restartCauses(p.RestartsBy), NextRestartAt: details.NextRestartAt,
		LastFailure: lastFailure(details.Exits), LastProbe: last(details.Probes), LogFile: app.Instance(p.Instance).ErrorFile,
	}
	if exit := last(p.Exits); p.State == procs.Stopped && exit != nil && exit.Reason == procs.Manual {
		out.StoppedBy, out.StoppedAt = orNull("devstack"), orNull(exit.At)
	}
	return out
}

func (v facts) whyService(s infra.Service) api.WhyInstance {
	details := describeService(s, v.services)
	out := api.WhyInstance{
		Name: s.Name, Status: serviceStatus(s), Ready: s.Ready, Reason: serviceReason(s), WaitsFor: v.serviceBlockers(s),
		StoppedBy: orNull(s.StoppedBy), StoppedAt: orNull(s.StoppedAt), Restarts: s.Restarts, Causes: countCauses(details.Exits),
		RepairAttempts: s.RepairAttempts, LastFailure: lastFailure(details.Exits), LastProbe: last(details.Probes),
	}
	if exit := last(details.Exits); out.StoppedAt == nil && s.StoppedBy != "" && exit != nil {
		out.StoppedAt = &exit.At
	}
	return out
}

// appBlockers are the closed gates of a process that waits, each with what it waits for itself.
func (v facts) appBlockers(app stack.App, p procs.Process) []api.Blocker {
	blockers := []api.Blocker{}
	if p.State != procs.Waiting {
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
func (v facts) serviceBlockers(s infra.Service) []api.Blocker {
	blockers := []api.Blocker{}
	if s.State == "running" || s.StoppedBy != "" {
		return blockers
	}
	for _, d := range s.DependsOn {
		dep := stack.Dependency{Name: d.Name, Service: true, Condition: stack.Condition(d.Condition)}
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
		if p.App == d.Name && !processOpen(d.Condition, p) {
			b.Status, b.Reason, b.WaitsFor = string(p.State), processReason(app, p), v.appBlockers(app, p)
			break
		}
	}
	return b
}

// serviceStatus is the one word for a container: its health while it runs.
func serviceStatus(s infra.Service) string {
	if s.State == "running" {
		return string(s.Health)
	}
	return s.State
}

func serviceReason(s infra.Service) string {
	detail := stack.MaskText(s.Detail)
	switch {
	case s.State == "unknown":
		return because("cannot be seen", detail)
	case s.StoppedBy == "other":
		return "was stopped by somebody else (docker stop, docker compose, a signal or the like)"
	case s.StoppedBy != "":
		return "was stopped by devstack"
	case s.State == "exited" && s.Ready:
		return "has done its work"
	case s.Ready:
		return because("runs and is ready", detail)
	case s.RepairAttempts > 0 && s.State != "running":
		return because("does not run and is being brought back", detail)
	case s.State == "running":
		return because("runs and is not ready", detail)
	}
	return because("does not run", detail)
}

// processReason says why a process is in its state.
func processReason(app stack.App, p procs.Process) string {
	switch p.State {
	case procs.Waiting:
		return "waits for " + strings.Join(p.WaitingFor, ", ")
	case procs.Launching:
		if p.Late {
			return because(fmt.Sprintf("runs and was not ready within %s", patience(app)), stack.MaskText(lastProbe(p)))
		}
		return because("was launched and is not ready yet (judged by "+p.ReadyBy+")", stack.MaskText(lastProbe(p)))
	case procs.Online:
		return onlineReason(app, p)
	case procs.Stopping:
		return "is being stopped"
	case procs.WaitingRestart:
		return restartReason(app, p)
	case procs.Errored:
		return erroredReason(app, p)
	}
	return stoppedReason(app, p)
}

func onlineReason(app stack.App, p procs.Process) string {
	switch {
	case !p.Ready && app.OneShot:
		return "is at work"
	case !p.Ready:
		return because("runs and is not ready", stack.MaskText(lastProbe(p)))
	case len(p.WaitingFor) > 0:
		return "runs and is ready; after an exit it would wait for " + strings.Join(p.WaitingFor, ", ")
	}
	if reload := reloadReason(app, p); reload != "" {
		return "runs and is ready; " + reload
	}
	if exit := last(p.Exits); exit != nil && exit.Cause != "" && exit.Reason != procs.Manual {
		return because("runs and is ready; it was restarted", stack.MaskText(exit.Cause))
	}
	return "runs and is ready"
}

// reloadReason says of a reload that is under way how far it is, and of the last one why it failed; else it is empty.
func reloadReason(app stack.App, p procs.Process) string {
	heir, retiring := p.Heir, p.Retiring
	switch {
	case heir != nil && heir.Pid == 0:
		return "a reload is under way: its successor is about to be launched"
	case heir != nil && heir.Ready:
		return fmt.Sprintf("a reload is under way: its successor, pid %d, is ready and takes over in a moment", heir.Pid)
	case heir != nil:
		return fmt.Sprintf("a reload is under way: its successor, pid %d, is not ready yet (judged by %s)", heir.Pid, p.ReadyBy)
	case retiring != nil && retiring.Generation < p.Generation:
		return fmt.Sprintf("a reload is under way: the launch before it, pid %d, answers its last requests", retiring.Pid)
	case p.Rejected.Gen <= p.Generation:
		return ""
	case p.Rejected.Late:
		return fmt.Sprintf("the last reload failed: the new one was not ready within %s", patience(app))
	case p.HeirError != "":
		return "the last reload failed: the new one cannot be launched: " + p.HeirError
	case p.Rejected.WasReady:
		return "the last reload failed: the new one did not stay ready for a second"
	}
	return "the last reload failed: the new one ended before it was ready"
}

func restartReason(app stack.App, p procs.Process) string {
	if p.LastError != "" {
		return "cannot be launched: " + p.LastError + "; it is tried again"
	}
	how := newestEnding(p)
	if p.Unstable == 0 {
		return how + " and is about to be restarted"
	}
	limit := "there is no limit"
	if app.MaxRestarts >= 0 {
		limit = fmt.Sprintf("after %d it is given up", app.MaxRestarts+1)
	}
	return fmt.Sprintf("%s and is about to be restarted: unstable exit %d in a row, %s", how, p.Unstable, limit)
}

func erroredReason(app stack.App, p procs.Process) string {
	switch {
	case p.LastError != "":
		return "cannot be launched: " + p.LastError
	case app.OneShot && !app.Autorestart:
		return newestEnding(p) + " and is not tried again (one_shot)"
	}
	return fmt.Sprintf("%s and is not restarted any more: %d exits in a row within %s of the launch (max_restarts %d, min_uptime %s)",
		newestEnding(p), p.Unstable, app.MinUptime, app.MaxRestarts, app.MinUptime)
}

func stoppedReason(app stack.App, p procs.Process) string {
	exit := last(p.Exits)
	switch {
	case p.Ready:
		return "has done its work (one_shot)"
	case p.LastError != "":
		return "cannot be launched: " + p.LastError
	case exit == nil && !app.Autostart:
		return "is not started unless it is named (autostart: false)"
	case exit == nil:
		return "was never launched: it was stopped before the stack came up again, or not among what was started"
	case exit.Reason == procs.Manual:
		return "was stopped by a command"
	case !app.Autorestart:
		return newestEnding(p) + " and is not restarted (autorestart: false)"
	case slices.Contains(app.StopExitCodes, exit.Code):
		return newestEnding(p) + ", one of its stop_exit_codes"
	}
	return newestEnding(p) + ", and a command stopped it before its restart"
}

func newestEnding(p procs.Process) string {
	if exit := last(p.Exits); exit != nil {
		return ending(p, *exit)
	}
	return ending(p, procs.Exit{})
}

// restartCauses are the causes that an instance was restarted for, the most frequent first.
func restartCauses(by procs.Restarts) []api.CauseCount {
	all := []api.CauseCount{
		{Cause: "crash", Count: by.Crash},
		{Cause: "manual", Count: by.Manual},
		{Cause: "watch", Count: by.Watch},
		{Cause: "memory", Count: by.Memory},
		{Cause: "cron", Count: by.Cron},
		{Cause: "liveness", Count: by.Liveness},
	}
	all = slices.DeleteFunc(all, func(c api.CauseCount) bool { return c.Count == 0 })
	slices.SortStableFunc(all, func(a, b api.CauseCount) int { return b.Count - a.Count })
	return all
}

// countCauses counts exits by their cause, the most frequent first.
func countCauses(exits []api.ExitRecord) []api.CauseCount {
	counts := []api.CauseCount{}
	for _, e := range exits {
		i := slices.IndexFunc(counts, func(c api.CauseCount) bool { return c.Cause == e.Reason })
		if i < 0 {
			counts = append(counts, api.CauseCount{Cause: e.Reason})
			i = len(counts) - 1
		}
		counts[i].Count++
	}
	slices.SortStableFunc(counts, func(a, b api.CauseCount) int { return b.Count - a.Count })
	return counts
}

// lastFailure is the newest exit that nobody asked for and that was no success.
func lastFailure(exits []api.ExitRecord) *api.ExitRecord {
	for i := len(exits) - 1; i >= 0; i-- {
		asked := slices.Contains([]string{"manual", "watch", "cron"}, exits[i].Reason)
		if success := exits[i].Code != nil && *exits[i].Code == 0; !asked && (!success || exits[i].Reason != "crash") {
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
