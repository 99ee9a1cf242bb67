package daemon

import (
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
)

// gates says, for every app, which of its dependencies keep it from starting, in the order of the file. An empty list
// is an open gate. Apps in loose were started by `up --only` and wait for nothing.
func gates(apps []stack.App, loose map[string]bool, services []infra.Service, processes []procs.Process) map[string][]string {
	closed := make(map[string][]string, len(apps))
	for _, app := range apps {
		closed[app.Name] = []string{}
		if loose[app.Name] {
			continue
		}
		for _, dep := range app.DependsOn {
			if !open(dep, services, processes) {
				closed[app.Name] = append(closed[app.Name], dep.Name)
			}
		}
	}
	return closed
}

// open reports whether a dependency has come as far as its condition asks: of an app, every instance that is to stay.
// What is not there has not.
func open(dep stack.Dependency, services []infra.Service, processes []procs.Process) bool {
	if dep.Service {
		for _, s := range services {
			if s.Name == dep.Name {
				return serviceOpen(dep.Condition, s)
			}
		}
		return false
	}
	found := false
	for _, p := range processes {
		if p.App != dep.Name || p.Leaving {
			continue
		}
		found = true
		if !processOpen(dep.Condition, p) {
			return false
		}
	}
	return found
}

func serviceOpen(c stack.Condition, s infra.Service) bool {
	switch c {
	case stack.Started:
		return s.Ready || s.State == "running"
	case stack.Completed:
		n := len(s.Exits)
		return s.State == "exited" && n > 0 && s.Exits[n-1].Code == 0 && !s.Exits[n-1].OOM
	}
	return s.Ready
}

func processOpen(c stack.Condition, p procs.Process) bool {
	switch c {
	case stack.Started:
		return p.Ready || p.Pid != 0
	case stack.Completed:
		return completed(p)
	}
	return p.Ready
}

// completed reports whether a process has ended by itself with 0 and is not to come back.
func completed(p procs.Process) bool {
	n := len(p.Exits)
	if p.State != procs.Stopped || n == 0 {
		return false
	}
	last := p.Exits[n-1]
	return last.Code == 0 && last.Signal == 0 && !last.Unknown && last.Reason != procs.Manual
}
