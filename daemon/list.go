package daemon

import (
	"net/http"
	"slices"
	"time"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

func (s *server) processes(w http.ResponseWriter, _ *http.Request) {
	st, _, processes := s.d.looks()
	reply(w, listProcesses(st, processes, time.Now()))
}

// looks is what the files say and what is there; a nil stack is an idle daemon. A service that nobody has seen, because
// the engine does not answer, is absent.
func (d *Daemon) looks() (st *stack.Stack, services []view.ServiceDetails, processes []procs.Process) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.desired == nil {
		return nil, nil, nil
	}
	return d.desired.Stack, withUnseen(d.services(), d.desired.Services), d.procs.Snapshot()
}

// withUnseen adds the services that are to run and that nothing is known about.
func withUnseen(seen []view.ServiceDetails, wanted []string) []view.ServiceDetails {
	for _, name := range wanted {
		if !slices.ContainsFunc(seen, func(s view.ServiceDetails) bool { return s.Name == name }) {
			s := view.NewService(name)
			s.State, s.Health, s.Detail = "unknown", view.HealthUnhealthy, "no engine answers"
			seen = append(seen, s)
		}
	}
	return seen
}

// listProcesses is every process with the definition of its app.
func listProcesses(st *stack.Stack, processes []procs.Process, now time.Time) []api.ListedProcess {
	apps := map[string]stack.App{}
	if st != nil {
		for _, app := range st.Apps {
			app.Environment = nil // is not shown, and would be copied for each process
			apps[app.Name] = app
		}
	}
	list := make([]api.ListedProcess, 0, len(processes))
	for _, p := range processes {
		app := apps[p.Name].Instance(p.Instance)
		list = append(list, api.ListedProcess{
			Process: processView(p, now), Script: app.Script, Interpreter: app.Interpreter, NodeArgs: orEmpty(app.NodeArgs),
			Command: orEmpty(stack.MaskArgs(app.Command)), Args: orEmpty(stack.MaskArgs(app.Args)), Cwd: app.Cwd,
			OutFile: app.OutFile, ErrorFile: app.ErrorFile, Instances: app.Instances, Autostart: app.Autostart,
			Autorestart: app.Autorestart, MergeLogs: app.MergeLogs, MaxMemoryBytes: orNull(app.MaxMemory), CreatedAt: createdAt(p),
		})
	}
	return list
}

// createdAt is the first launch since somebody asked for one: restarts after a crash do not move it.
func createdAt(p procs.Process) *time.Time {
	at := p.StartedAt
	for i := len(p.Exits) - 1; i >= 0 && p.Exits[i].Reason != view.Manual; i-- {
		at = new(p.Exits[i].At.Add(-time.Duration(p.Exits[i].UptimeMS) * time.Millisecond))
	}
	return at
}
