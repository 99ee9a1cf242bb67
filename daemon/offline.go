package daemon

import (
	"time"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// Offline is the state of a stack that no daemon runs: its processes are stopped, its services are as they were seen with
// the driver.
func Offline(st *stack.Stack, driver string, services []view.ServiceDetails) *api.State {
	return stateOf(st, driver, nil, services, stopped(st), time.Now())
}

// PickLogs finds the logs that the words of a command mean in a stack that no daemon runs: files of processes, and
// services. No words are everything.
func PickLogs(st *stack.Stack, words []string) (sources []procs.LogSource, services []string, err error) {
	s, refused := pick(st, stopped(st), words)
	if refused != nil {
		return nil, nil, refused
	}
	if len(words) == 0 && st.Compose != nil {
		s.services = st.Compose.ServiceNames()
	}
	for _, p := range s.processes {
		for _, app := range st.Apps {
			if app.Name == p.Name {
				sources = append(sources, procs.SourceOf(app, p.Instance, nil))
			}
		}
	}
	return sources, s.services, nil
}

func stopped(st *stack.Stack) []procs.Process {
	var out []procs.Process
	for _, app := range st.Apps {
		for n := range app.Count() {
			out = append(out, procs.Idle(app.Instance(n), n, len(out)))
		}
	}
	return out
}
