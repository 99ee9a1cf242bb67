package daemon

import (
	"slices"
	"testing"

	"devstack/daemon/api"
	"devstack/probe"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

func TestProcessHealth(t *testing.T) {
	yes, no := probe.Result{Ready: true, By: probe.Answered(200), Detail: "200"}, probe.Result{Detail: "refused"}
	for _, tc := range []struct {
		name    string
		process procs.Process
		result  probe.Result
		checked bool
		want    string // health/probed by
	}{
		{"its check passes", processOf(view.Process{Pid: new(1), Status: view.Online, Ready: true, ReadyBy: "http"}), yes, true, "healthy/http 200"},
		{"its check fails now", processOf(view.Process{Pid: new(1), Status: view.Online, Ready: true, ReadyBy: "http 200"}), no, true, "unhealthy/http 200"},
		{"it has not passed yet", processOf(view.Process{Pid: new(1), Status: view.Launching, ReadyBy: "http"}), no, true, "starting/http"},
		{"nothing to ask", processOf(view.Process{Pid: new(1), Status: view.Online, Ready: true, ReadyBy: "unchecked"}), no, false, "unchecked/none"},
		{"it said so itself", processOf(view.Process{Pid: new(1), Status: view.Online, Ready: true, ReadyBy: "ipc"}), no, false, "healthy/ipc"},
		{"it has not said so yet", processOf(view.Process{Pid: new(1), Status: view.Launching, ReadyBy: "ipc"}), no, false, "starting/ipc"},
		{"a one-shot at work", processOf(view.Process{Pid: new(1), Status: view.Online, ReadyBy: "completed"}), no, false, "running/none"},
		{"a one-shot that is done", processOf(view.Process{Status: view.Completed, Ready: true}), no, false, "completed/none"},
		{"stopped", processOf(view.Process{Status: view.Stopped}), no, false, "stopped/none"},
		{"on its way down", processOf(view.Process{Pid: new(1), Status: view.Stopping}), yes, true, "stopped/none"},
		{"waiting", processOf(view.Process{Status: view.Waiting}), no, false, "stopped/none"},
		{"errored", processOf(view.Process{Status: view.Errored}), no, false, "unhealthy/none"},
	} {
		got := processHealth(tc.process, tc.result, tc.checked)
		if string(got.Health)+"/"+got.ProbedBy != tc.want {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}
}

func TestServiceHealth(t *testing.T) {
	running := serviceOf(view.Service{State: "running", Health: view.HealthHealthy, Ready: true})
	starting := serviceOf(view.Service{State: "running", Health: view.HealthStarting})
	for _, tc := range []struct {
		name    string
		service view.ServiceDetails
		result  probe.Result
		want    string
	}{
		{"answers", running, probe.Result{Ready: true}, "healthy"},
		{"answers no more", running, probe.Result{Detail: "refused"}, "unhealthy"},
		{"boots", starting, probe.Result{Detail: "refused"}, "starting"},
		{"refuses us", starting, probe.Result{Broken: true}, "unhealthy"},
		{"does not run", serviceOf(view.Service{State: "exited"}), probe.Result{}, "stopped"},
		{"run by others, no answer", serviceOf(view.Service{State: "absent", Driver: "none", Health: view.HealthHealthy}), probe.Result{}, "unhealthy"},
		{"seen by nobody", withUnseen(nil, []string{"redis"})[0], probe.Result{}, "unhealthy"},
	} {
		if got := serviceHealth(tc.service, tc.result).Health; string(got) != tc.want {
			t.Errorf("%s: %s, not %s", tc.name, got, tc.want)
		}
	}
}

func TestHealthCode(t *testing.T) {
	check := func(kind string, health view.Health) api.HealthCheck {
		return api.HealthCheck{Kind: kind, Health: health}
	}
	for _, tc := range []struct {
		checks []api.HealthCheck
		want   api.Code
	}{
		{nil, api.ExitDone},
		{[]api.HealthCheck{check("service", "healthy"), check("process", "healthy")}, api.ExitDone},
		{[]api.HealthCheck{check("process", "stopped")}, api.ExitProcess},
		{[]api.HealthCheck{check("process", "unhealthy"), check("service", "starting")}, api.ExitEngine},
	} {
		if got := healthCode(tc.checks); got != tc.want {
			t.Errorf("%+v: %d, not %d", tc.checks, got, tc.want)
		}
	}
}

func TestWhatIsProbed(t *testing.T) {
	st := &stack.Stack{Apps: []stack.App{{Name: "web", Autostart: true}, {Name: "later"}, {Name: "named"}}}
	services := []view.ServiceDetails{serviceOf(view.Service{Name: "redis"}), serviceOf(view.Service{Name: "postgres"})}
	processes := []procs.Process{
		processOf(view.Process{Name: "web", Status: view.Stopped}),
		processOf(view.Process{Name: "later", ID: 1, Status: view.Stopped}),
		processOf(view.Process{Name: "named", ID: 2, Status: view.Online}),
		{ProcessDetails: view.ProcessDetails{Process: view.Process{Name: "web", Instance: 1, ID: 3, Status: view.Stopping}}, Leaving: true},
	}
	for _, tc := range []struct{ names, want []string }{
		{nil, []string{"redis", "postgres", "web", "named"}},
		{[]string{"redis"}, []string{"redis"}},
		{[]string{"later", "postgres"}, []string{"postgres", "later"}},
		{[]string{"all"}, []string{"web", "later", "named"}},
		{[]string{"web", "nobody"}, []string{"?nobody"}},
	} {
		s, p, unknown := toProbe(st, services, processes, tc.names)
		var got []string
		for _, x := range s {
			got = append(got, x.Name)
		}
		for _, x := range p {
			got = append(got, x.Name)
		}
		if unknown != "" {
			got = append(got, "?"+unknown)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%q: %q, not %q", tc.names, got, tc.want)
		}
	}
}
