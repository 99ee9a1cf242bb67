package pilot

import (
	"time"

	"devstack/stack"
)

// StopTime is how long stopping every process may take: an app is stopped when those that depend on it have ended.
func StopTime(apps []stack.App) time.Duration {
	index := map[string]stack.App{}
	for _, a := range apps {
		index[a.Name] = a
	}
	known := map[string]time.Duration{}
	var chain func(a stack.App) time.Duration // from a down to what it depends on; there are no cycles
	chain = func(a stack.App) time.Duration {
		if d, ok := known[a.Name]; ok {
			return d
		}
		var below time.Duration
		for _, dep := range a.DependsOn {
			if on, ok := index[dep.Name]; ok && !dep.Service {
				below = max(below, chain(on))
			}
		}
		known[a.Name] = a.KillTimeout + below
		return known[a.Name]
	}
	var longest time.Duration
	for _, a := range apps {
		longest = max(longest, chain(a))
	}
	return longest
}
