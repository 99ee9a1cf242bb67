package daemon

import (
	"slices"
	"testing"

	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

func TestGates(t *testing.T) {
	healthy := func(name string) stack.Dependency {
		return stack.Dependency{Name: name, Service: true, Condition: stack.Healthy}
	}
	app := func(name string, c stack.Condition) stack.Dependency {
		return stack.Dependency{Name: name, Condition: c}
	}
	for _, tc := range []struct {
		name      string
		deps      []stack.Dependency
		loose     bool
		services  []view.ServiceDetails
		processes []procs.Process
		want      []string
	}{
		{name: "no dependencies"},
		{name: "nothing known yet", deps: []stack.Dependency{healthy("redis"), app("web", stack.Healthy)}, want: []string{"redis", "web"}},
		{name: "only", deps: []stack.Dependency{healthy("redis")}, loose: true},
		{
			name: "per dependency", deps: []stack.Dependency{healthy("redis"), healthy("postgres")},
			services: []view.ServiceDetails{serviceOf(view.Service{Name: "redis", Ready: true}), serviceOf(view.Service{Name: "postgres", State: "running"})},
			want:     []string{"postgres"},
		},
		{
			name:     "started is less than ready",
			deps:     []stack.Dependency{{Name: "postgres", Service: true, Condition: stack.Started}},
			services: []view.ServiceDetails{serviceOf(view.Service{Name: "postgres", State: "running"})},
		},
		{
			name:     "a service that completed",
			deps:     []stack.Dependency{{Name: "seed", Service: true, Condition: stack.Completed}},
			services: []view.ServiceDetails{{Service: view.Service{Name: "seed", State: "exited", Health: view.HealthCompleted}}},
		},
		{
			name:     "a service that failed",
			deps:     []stack.Dependency{{Name: "seed", Service: true, Condition: stack.Completed}},
			services: []view.ServiceDetails{{Service: view.Service{Name: "seed", State: "exited"}, Exits: []view.ExitRecord{{Exit: view.Exit{Code: new(1)}}}}},
			want:     []string{"seed"},
		},
		{
			name: "every instance counts", deps: []stack.Dependency{app("web", stack.Healthy)},
			processes: []procs.Process{processOf(view.Process{Name: "web", Ready: true}), processOf(view.Process{Name: "web", Instance: 1})},
			want:      []string{"web"},
		},
		{
			name: "an instance on its way out does not count", deps: []stack.Dependency{app("web", stack.Healthy)},
			processes: []procs.Process{processOf(view.Process{Name: "web", Ready: true}), {ProcessDetails: view.ProcessDetails{Process: view.Process{Name: "web", Instance: 1}}, Leaving: true}},
		},
		{
			name: "what was deleted is not ready", deps: []stack.Dependency{app("web", stack.Started)},
			processes: []procs.Process{{ProcessDetails: view.ProcessDetails{Process: view.Process{Name: "web", Ready: true}}, Leaving: true}},
			want:      []string{"web"},
		},
		{
			name: "a process has started", deps: []stack.Dependency{app("web", stack.Started)},
			processes: []procs.Process{processOf(view.Process{Name: "web", Pid: new(7), Status: view.Launching})},
		},
		{
			name: "a process completed", deps: []stack.Dependency{app("migrate", stack.Completed)},
			processes: []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: "migrate", Status: view.Completed}, Exits: []view.ExitRecord{{Exit: view.Exit{Code: new(0)}}}})},
		},
		{
			name: "stopped while it waited to run again is not completed", deps: []stack.Dependency{app("migrate", stack.Completed)},
			processes: []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: "migrate", Status: view.Stopped}, Exits: []view.ExitRecord{{Exit: view.Exit{Code: new(0)}}}})},
			want:      []string{"migrate"},
		},
		{
			name: "stopped by hand is not completed", deps: []stack.Dependency{app("migrate", stack.Completed)},
			processes: []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: "migrate", Status: view.Stopped}, Exits: []view.ExitRecord{{Exit: view.Exit{Code: new(0), Reason: view.Manual}}}})},
			want:      []string{"migrate"},
		},
		{
			name: "a signal is not completed", deps: []stack.Dependency{app("migrate", stack.Completed)},
			processes: []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: "migrate", Status: view.Stopped}, Exits: []view.ExitRecord{{Exit: view.Exit{Signal: "SIGKILL"}}}})},
			want:      []string{"migrate"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			apps := []stack.App{{Name: "a", DependsOn: tc.deps}}
			got := closedGates(apps, map[string]bool{"a": tc.loose}, tc.services, tc.processes)["a"]
			if got == nil || !slices.Equal(got, tc.want) {
				t.Errorf("gates = %#v, want %#v", got, tc.want)
			}
		})
	}
}
