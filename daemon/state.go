package daemon

import (
	"cmp"
	"time"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// stateOf is what every view shows, from snapshots alone. A nil stack is an idle daemon; driver is what runs its services.
func stateOf(st *stack.Stack, driver string, self *api.Daemon, services []view.ServiceDetails, processes []procs.Process, now time.Time) *api.State {
	s := &api.State{Infra: driverNone, Daemon: self, Services: []view.Service{}, Processes: []view.Process{}}
	if st != nil {
		s.Project, s.Profile = st.Project, st.Profile
		if st.Compose != nil && len(st.Compose.Services) > 0 {
			s.Infra = cmp.Or(driver, driverNone)
		}
	}
	for _, v := range services {
		s.Services = append(s.Services, v.Service)
	}
	for _, p := range processes {
		s.Processes = append(s.Processes, processView(p, now))
	}
	return s
}

// processView is a process at the moment of the answer.
func processView(p procs.Process, now time.Time) view.Process {
	v := p.Process
	if v.StartedAt != nil {
		v.UptimeMS = new(max(0, now.Sub(*v.StartedAt).Milliseconds()))
	}
	return v
}

// orNull is null for what is not known.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
