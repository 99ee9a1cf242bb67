package daemon

import (
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// gates says, for every app, which of its dependencies keep it from starting, in the order of the file. An empty list
// is an open gate. Apps in loose were started by `up --only` and wait for nothing.
func gates(apps []stack.App, loose map[string]bool, services []view.ServiceDetails, processes []procs.Process) map[string][]string {
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
func open(dep stack.Dependency, services []view.ServiceDetails, processes []procs.Process) bool {
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
		if p.Name != dep.Name || p.Leaving {
			continue
		}
		found = true
		if !processOpen(dep.Condition, p) {
			return false
		}
	}
	return found
}

func serviceOpen(c stack.Condition, s view.ServiceDetails) bool {
	switch c {
	case stack.Started:
		return s.Ready || s.State == "running"
	case stack.Completed:
		return s.Health == view.HealthCompleted
	}
	return s.Ready
}

func processOpen(c stack.Condition, p procs.Process) bool {
	switch c {
	case stack.Started:
		return p.Ready || p.Pid != nil
	case stack.Completed:
		return completed(p)
	}
	return p.Ready
}

// completed reports whether a process has ended by itself with 0 and is not to come back.
func completed(p procs.Process) bool {
	exit := p.LastExit()
	return p.Status == view.Stopped && exit != nil && exit.Succeeded() && exit.Reason != view.Manual
}
