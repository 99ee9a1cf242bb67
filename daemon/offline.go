package daemon

import (
	"time"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
)

// Offline is the state of a stack that no daemon runs: its processes are stopped, its containers are as they were seen.
func Offline(st *stack.Stack, services []infra.Service) *api.State {
	return stateOf(st, nil, services, stopped(st), time.Now())
}

// Pick finds what the words of a command mean in a stack that no daemon runs. No words are everything.
func Pick(st *stack.Stack, words []string) (apps, services []string, err error) {
	apps, services, refused := pick(st, stopped(st), words)
	if refused != nil {
		return nil, nil, refused
	}
	if len(words) == 0 && st.Compose != nil {
		services = st.Compose.ServiceNames()
	}
	return apps, services, nil
}

func stopped(st *stack.Stack) []procs.Process {
	var out []procs.Process
	for i, app := range st.Apps {
		out = append(out, procs.Process{ID: i, App: app.Name, Namespace: app.Namespace, State: procs.Stopped, Memory: -1, CPU: -1})
	}
	return out
}
