package daemon

import (
	"net/http"
	"time"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

func (l looks) processes(w http.ResponseWriter, _ *http.Request) {
	st, _, processes := l.all()
	reply(w, listProcesses(st, processes, time.Now()))
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
