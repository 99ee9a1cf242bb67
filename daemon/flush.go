package daemon

import (
	"context"

	"devstack/daemon/api"
	"devstack/procs"
)

// flush empties the log files of processes. Whoever follows them goes on.
type flush struct {
	d   *Daemon
	req api.ActionRequest
}

func (f *flush) run(context.Context) *api.Result {
	st, s, refused := f.d.processesOnly(f.req.Names, "flush")
	if refused != nil {
		return refused
	}
	failures := []api.Failure{}
	for _, p := range s.processes {
		for _, app := range st.Apps {
			if app.Name != p.Name {
				continue
			}
			if err := procs.Flush(app, p.Instance, f.d.home.StateDir); err != nil {
				failures = append(failures, api.Failure{Resource: p.Name, Exit: api.ExitBug, Message: err.Error()})
			}
		}
	}
	r := f.d.conclude(failures, nil, []string{})
	if len(failures) > 0 {
		r.Error = "cannot empty every log"
	}
	return r
}
