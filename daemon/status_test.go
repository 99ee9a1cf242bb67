package daemon

import (
	"testing"

	"devstack/daemon/api"
	"devstack/daemon/preflight"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

func TestStatusOf(t *testing.T) {
	online := func(app string, instance int) procs.Process {
		return processOf(view.Process{Name: app, Instance: instance, Status: view.Online, Ready: true, Pid: new(7)})
	}
	all := []procs.Process{online("web", 0), online("agent", 0), online("last", 0), online("last", 1), processOf(view.Process{Name: "extra", Status: view.Stopped})}
	but := func(i int, p procs.Process) []procs.Process {
		list := append([]procs.Process{}, all...)
		p.Name, p.Instance = list[i].Name, list[i].Instance
		list[i] = p
		return list
	}
	exited := func(code int, reason view.Reason) []view.ExitRecord {
		return []view.ExitRecord{{Exit: view.Exit{Code: new(code), Reason: reason}}}
	}
	redis := []view.ServiceDetails{serviceOf(view.Service{Name: "redis", Ready: true}), serviceOf(view.Service{Name: "others", Ready: false})}
	for name, tc := range map[string]struct {
		want      lasting
		services  []string
		there     []view.ServiceDetails
		processes []procs.Process
		ready     bool
		status    string
	}{
		"all":                  {processes: all, ready: true, status: "4/4 processes ready"},
		"none yet":             {status: "0/4 processes ready: waiting for web, agent, last"},
		"one launching":        {processes: but(3, processOf(view.Process{Status: view.Launching, Pid: new(8)})), status: "3/4 processes ready: waiting for last"},
		"one errored":          {processes: but(0, processOf(view.Process{Status: view.Errored})), status: "3/4 processes ready: waiting for web (errored)"},
		"one crashed":          {processes: but(0, detailsOf(view.ProcessDetails{Process: view.Process{Status: view.Stopped}, Exits: exited(1, view.Crash)})), status: "3/4 processes ready: waiting for web"},
		"one done":             {processes: but(0, procs.Process{Ended: true, ProcessDetails: view.ProcessDetails{Process: view.Process{Status: view.Stopped}, Exits: exited(0, view.Exited)}}), ready: true, status: "4/4 processes ready"},
		"one instance stopped": {want: lasting{StoppedInstances: map[string][]int{"last": {1}}}, processes: but(3, detailsOf(view.ProcessDetails{Process: view.Process{Status: view.Stopped}, Exits: exited(0, view.Manual)})), ready: true, status: "3/3 processes ready"},
		"one leaving":          {processes: append([]procs.Process{{ProcessDetails: view.ProcessDetails{Process: view.Process{Name: "last", Instance: 2}}, Leaving: true}}, all...), ready: true, status: "4/4 processes ready"},
		"one app stopped":      {want: lasting{Stopped: set("agent")}, processes: but(1, processOf(view.Process{Status: view.Stopped})), ready: true, status: "3/3 processes ready"},
		"one more started":     {want: lasting{Started: set("extra")}, processes: all, status: "4/5 processes ready: waiting for extra"},
		"services":             {services: []string{"redis"}, there: redis, processes: all, ready: true, status: "4/4 processes ready, 1/1 services ready"},
		"a service missing":    {services: []string{"db", "redis"}, there: redis, processes: all, status: "4/4 processes ready, 1/2 services ready: waiting for db"},
		"a service not yet":    {services: []string{"others", "redis"}, there: redis, processes: all, status: "4/4 processes ready, 1/2 services ready: waiting for others"},
		"many": {
			services: []string{"a", "b", "c", "d"}, status: "0/4 processes ready, 0/4 services ready: waiting for a, b, c, d, web, 2 more",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := statusOf(intent{Stack: fourApps(), Services: tc.services, lasting: tc.want}, tc.there, tc.processes)
			if got.ready != tc.ready || got.line != tc.status {
				t.Errorf("got %+v\nnot ready %v, %q", got, tc.ready, tc.status)
			}
		})
	}
	if got := statusOf(intent{Stack: &stack.Stack{}}, nil, nil); !got.ready {
		t.Errorf("nothing to wait for is %+v", got)
	}
}

func TestAfterBoot(t *testing.T) {
	up := &api.State{}
	failed := func(code api.Code) []api.Failure { return []api.Failure{{Resource: "x", Exit: code}} }
	full := []api.Failure{{Resource: preflight.DiskSpace, Exit: api.ExitEnvironment}}
	for name, tc := range map[string]struct {
		result  api.Result
		noInfra bool
		want    bootStep
	}{
		"ready":                  {api.Result{State: up}, false, bootDone},
		"down meanwhile":         {api.Result{Exit: api.ExitInterrupted}, false, bootDone},
		"usage":                  {api.Result{Exit: api.ExitUsage}, false, bootFails},
		"files":                  {api.Result{Exit: api.ExitFiles}, false, bootFails},
		"environment":            {api.Result{Exit: api.ExitEnvironment}, false, bootFails},
		"a port":                 {api.Result{Exit: api.ExitPortTaken}, false, bootFails},
		"a bug":                  {api.Result{Exit: api.ExitBug}, false, bootFails},
		"no engine":              {api.Result{Exit: api.ExitEngine, Failures: failed(api.ExitEngine)}, false, bootAgain},
		"no room":                {api.Result{Exit: api.ExitEnvironment, Failures: full}, false, bootAgain},
		"no room, no engine":     {api.Result{Exit: api.ExitEnvironment, Failures: append(failed(api.ExitEngine), full...)}, false, bootAgain},
		"no room, no port":       {api.Result{Exit: api.ExitEnvironment, Failures: append(failed(api.ExitPortTaken), full...)}, false, bootFails},
		"a service failed":       {api.Result{Exit: api.ExitEngine, State: up, Failures: failed(api.ExitEngine)}, false, bootAgain},
		"of others":              {api.Result{Exit: api.ExitEngine, State: up, Failures: failed(api.ExitEngine)}, true, bootDone},
		"a process failed":       {api.Result{Exit: api.ExitProcess, State: up, Failures: failed(api.ExitProcess)}, false, bootDone},
		"not ready in time":      {api.Result{Exit: api.ExitTimeout, State: up, Failures: failed(api.ExitTimeout)}, false, bootDone},
		"a container's own port": {api.Result{Exit: api.ExitPortTaken, State: up, Failures: failed(api.ExitPortTaken)}, false, bootDone},
	} {
		if got := afterBoot(&tc.result, tc.noInfra); got != tc.want {
			t.Errorf("%s: %v, not %v", name, got, tc.want)
		}
	}
}
