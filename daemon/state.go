package daemon

import (
	"cmp"
	"time"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
)

// stateOf is what every view shows, from snapshots alone. A nil stack is an idle daemon; driver is what runs its services.
func stateOf(st *stack.Stack, driver string, self *api.Daemon, services []infra.Service, processes []procs.Process, now time.Time) *api.State {
	s := &api.State{Infra: driverNone, Daemon: self, Services: []api.Service{}, Processes: []api.Process{}}
	if st != nil {
		s.Project, s.Profile = st.Project, st.Profile
		if st.Compose != nil && len(st.Compose.Services) > 0 {
			s.Infra = cmp.Or(driver, driverNone)
		}
	}
	for _, v := range services {
		s.Services = append(s.Services, serviceView(v))
	}
	for _, p := range processes {
		s.Processes = append(s.Processes, processView(p, now))
	}
	return s
}

func serviceView(s infra.Service) api.Service {
	v := api.Service{
		Name: s.Name, Driver: s.Driver, Image: s.Image, ID: orNull(s.ID), State: s.State, StoppedBy: orNull(s.StoppedBy),
		Health: string(s.Health), EngineHealth: s.EngineHealth, Ready: s.Ready, Ports: []api.ServicePort{},
		Restarts: s.Restarts, StartedAt: orNull(s.StartedAt),
	}
	for _, p := range s.Ports {
		v.Ports = append(v.Ports, api.ServicePort(p))
	}
	if s.State == "running" && s.Memory >= 0 {
		v.MemoryBytes = &s.Memory
	}
	if s.State == "running" && s.CPU >= 0 {
		v.CPUPercent = &s.CPU
	}
	return v
}

func processView(p procs.Process, now time.Time) api.Process {
	v := api.Process{
		Name: p.App, Namespace: p.Namespace, Instance: p.Instance, ID: p.ID, Pid: orNull(p.Pid), Status: string(p.State),
		Ready: p.Ready, ReadyBy: orNull(p.ReadyBy), ExecMode: cmp.Or(p.ExecMode, "fork"), Restarts: p.Restarts, UnstableRestarts: p.Unstable,
		Watching: p.Watching, Ports: []api.ProcessPort{}, WaitingFor: orEmpty(p.WaitingFor),
	}
	for _, port := range p.Ports {
		v.Ports = append(v.Ports, api.ProcessPort(port))
	}
	if p.Pid != 0 {
		uptime := max(0, now.Sub(p.StartedAt).Milliseconds())
		v.UptimeMS, v.StartedAt = &uptime, orNull(p.StartedAt)
		if p.Memory >= 0 {
			v.MemoryBytes = &p.Memory
		}
		if p.CPU >= 0 {
			v.CPUPercent = &p.CPU
		}
	}
	if n := len(p.Exits); n > 0 {
		e := exitView(p.Exits[n-1])
		v.Exit = &e
	}
	return v
}

func exitView(e procs.Exit) api.Exit {
	v := api.Exit{Reason: string(e.Reason), At: e.At}
	switch {
	case e.Signal != 0:
		name := signalName(e.Signal)
		v.Signal = &name
	case !e.Unknown:
		v.Code = &e.Code
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
