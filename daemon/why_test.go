package daemon

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/probe"
	"devstack/procs"
	"devstack/stack"
)

func reasons(t *testing.T, v facts, word string) *api.Why {
	t.Helper()
	w, refused := v.why(word)
	if refused != nil {
		t.Fatal(refused)
	}
	return w
}

func TestWhyOfAProcess(t *testing.T) {
	crash := procs.Exit{Code: 1, Reason: procs.Crash, At: at(5), LastLines: []string{"boom"}}
	manual := procs.Exit{Code: -1, Signal: 15, Reason: procs.Manual, At: at(7)}
	for _, tc := range []struct {
		name    string
		app     stack.App
		process procs.Process
		says    string
		stopper string
	}{
		{"ready", stack.App{}, procs.Process{State: procs.Online, Ready: true}, "runs and is ready", ""},
		{
			"its dependency went away",
			stack.App{},
			procs.Process{State: procs.Online, Ready: true, WaitingFor: []string{"redis"}},
			"would wait for redis", "",
		},
		{
			"not ready yet",
			stack.App{},
			procs.Process{State: procs.Launching, ReadyBy: "healthcheck", Probes: []procs.ProbeRecord{{Result: probe.Result{Detail: "refused"}}}},
			"judged by healthcheck): refused", "",
		},
		{"late", stack.App{ListenTimeout: time.Second}, procs.Process{State: procs.Launching, Late: true}, "not ready within 1s", ""},
		{
			"crashed",
			stack.App{MaxRestarts: 10},
			procs.Process{State: procs.WaitingRestart, Unstable: 2, Exits: []procs.Exit{crash}},
			"exited with code 1 and is about to be restarted: unstable exit 2 in a row, after 11", "",
		},
		{
			"no limit",
			stack.App{MaxRestarts: -1},
			procs.Process{State: procs.WaitingRestart, Unstable: 2, Exits: []procs.Exit{crash}},
			"there is no limit", "",
		},
		{
			"errored",
			stack.App{MaxRestarts: 3, MinUptime: time.Second},
			procs.Process{State: procs.Errored, Unstable: 4, Exits: []procs.Exit{crash}},
			"4 exits in a row within 1s of the launch (max_restarts 3", "",
		},
		{"no program", stack.App{}, procs.Process{State: procs.Errored, LastError: "no such file"}, "cannot be launched: no such file", ""},
		{"stopped by hand", stack.App{}, procs.Process{State: procs.Stopped, Exits: []procs.Exit{crash, manual}}, "stopped by a command", "devstack"},
		{"autostart", stack.App{}, procs.Process{State: procs.Stopped}, "autostart: false", ""},
		{"never", stack.App{Autostart: true}, procs.Process{State: procs.Stopped}, "never launched", ""},
		{"no autorestart", stack.App{}, procs.Process{State: procs.Stopped, Exits: []procs.Exit{crash}}, "autorestart: false", ""},
		{
			"stop_exit_codes",
			stack.App{Autorestart: true, StopExitCodes: []int{1}},
			procs.Process{State: procs.Stopped, Exits: []procs.Exit{crash}},
			"stop_exit_codes", "",
		},
		{
			"stopped in its backoff",
			stack.App{Autorestart: true},
			procs.Process{State: procs.Stopped, Exits: []procs.Exit{crash}},
			"stopped it before its restart", "",
		},
		{"done", stack.App{OneShot: true}, procs.Process{State: procs.Stopped, Ready: true, Exits: []procs.Exit{{}}}, "has done its work", ""},
	} {
		tc.app.Name, tc.process.App = "web", "web"
		v := facts{st: &stack.Stack{Apps: []stack.App{tc.app}}, processes: []procs.Process{tc.process}}
		got := reasons(t, v, "web").Instances[0]
		stopper := ""
		if got.StoppedBy != nil {
			stopper = *got.StoppedBy
		}
		if !strings.Contains(got.Reason, tc.says) || stopper != tc.stopper {
			t.Errorf("%s: %q, stopped by %q", tc.name, got.Reason, stopper)
		}
	}
}

func TestWhyCountsCausesAndKeepsTheLastFailure(t *testing.T) {
	exits := []procs.Exit{
		{Code: 1, Reason: procs.Crash, At: at(1)},
		{Code: 2, Reason: procs.Crash, At: at(2), LastLines: []string{"boom"}},
		{Code: 0, Reason: procs.Crash, At: at(3)},
		{Code: -1, Signal: 15, Reason: procs.Manual, At: at(4)},
	}
	v := facts{st: &stack.Stack{Apps: []stack.App{{Name: "web"}}}, processes: []procs.Process{{App: "web", State: procs.Stopped, Exits: exits, RestartsBy: procs.Restarts{Manual: 1, Crash: 3}}}}
	got := reasons(t, v, "web").Instances[0]
	if d := cmp.Diff([]api.CauseCount{{Cause: "crash", Count: 3}, {Cause: "manual", Count: 1}}, got.Causes); d != "" {
		t.Error(d)
	}
	if got.LastFailure == nil || *got.LastFailure.Code != 2 || got.LastFailure.LastLines[0] != "boom" {
		t.Errorf("last failure %+v", got.LastFailure)
	}
	if !got.StoppedAt.Equal(at(4)) {
		t.Errorf("stopped at %v", got.StoppedAt)
	}
	if w, refused := v.why("nobody"); refused == nil || refused.Exit != api.ExitUsage {
		t.Errorf("reasons for what is not there: %+v, %v", w, refused)
	}
	if w, refused := (facts{}).why("web"); refused == nil || refused.Exit != api.ExitNotRunning {
		t.Errorf("reasons while nothing runs: %+v, %v", w, refused)
	}
	v.processes = append(v.processes, procs.Process{App: "web", Instance: 1, ID: 7})
	if one := reasons(t, v, "7").Instances; len(one) != 1 || one[0].Instance != 1 || one[0].Name != "web" {
		t.Errorf("by id: %+v", one)
	}
}

// The chain leads from an app through another one to the container that somebody stopped.
func TestWhyFollowsTheChain(t *testing.T) {
	healthy := func(name string, service bool) stack.Dependency {
		return stack.Dependency{Name: name, Service: service, Condition: stack.Healthy}
	}
	v := facts{
		st: &stack.Stack{Apps: []stack.App{
			{Name: "agent", DependsOn: []stack.Dependency{healthy("redis", true), healthy("api", false)}},
			{Name: "api", DependsOn: []stack.Dependency{healthy("postgres", true)}},
		}},
		services: []infra.Service{
			{Name: "redis", State: "running", Ready: true},
			{Name: "postgres", State: "exited", StoppedBy: "other", StoppedAt: at(9), RepairAttempts: 2, Detail: "postgres://u:hunter2@db/x"},
			{Name: "proxy", State: "created", DependsOn: []infra.Dependency{{Name: "postgres", Condition: "service_healthy"}}},
		},
		processes: []procs.Process{
			{App: "agent", State: procs.Waiting, WaitingFor: []string{"api"}},
			{App: "api", State: procs.Waiting, WaitingFor: []string{"postgres"}},
		},
	}
	waits := reasons(t, v, "agent").Instances[0].WaitsFor
	if len(waits) != 1 || waits[0].Name != "api" || len(waits[0].WaitsFor) != 1 {
		t.Fatalf("agent waits for %+v", waits)
	}
	if root := waits[0].WaitsFor[0]; root.Name != "postgres" || root.Kind != "service" || !strings.Contains(root.Reason, "somebody else") {
		t.Errorf("the cause is %+v", root)
	}
	if proxy := reasons(t, v, "proxy").Instances[0].WaitsFor; len(proxy) != 1 || proxy[0].Name != "postgres" {
		t.Errorf("proxy waits for %+v", proxy)
	}
	got := reasons(t, v, "postgres")
	if s := got.Instances[0]; got.Kind != "service" || *s.StoppedBy != "other" || !s.StoppedAt.Equal(at(9)) || s.RepairAttempts != 2 {
		t.Errorf("postgres: %+v", s)
	}
	v.services = withUnseen(v.services, []string{"queue", "redis"})
	if reason := reasons(t, v, "queue").Instances[0].Reason; reason != "cannot be seen: no engine answers" || len(v.services) != 4 {
		t.Errorf("queue %s, of %d services", reason, len(v.services))
	}
	v.services[1].StoppedBy = ""
	if reason := reasons(t, v, "postgres").Instances[0].Reason; strings.Contains(reason, "hunter2") || !strings.Contains(reason, "being brought back") {
		t.Errorf("postgres %s", reason)
	}
}

func TestWhyOfAReload(t *testing.T) {
	serving := procs.Process{State: procs.Online, Ready: true, ReadyBy: "ipc", Generation: 3}
	for says, change := range map[string]func(*procs.Process){
		"its successor is about to be launched":               func(p *procs.Process) { p.Heir = &procs.Beside{Generation: 4} },
		"pid 12, is not ready yet (judged by ipc)":            func(p *procs.Process) { p.Heir = &procs.Beside{Generation: 4, Pid: 12} },
		"pid 12, is ready and takes over in a moment":         func(p *procs.Process) { p.Heir = &procs.Beside{Generation: 4, Pid: 12, Ready: true} },
		"pid 11, answers its last requests":                   func(p *procs.Process) { p.Retiring = &procs.Beside{Generation: 2, Pid: 11} },
		"failed: the new one was not ready within 30s":        func(p *procs.Process) { p.Rejected = procs.Rejection{Gen: 4, Late: true} },
		"failed: the new one did not stay ready for a second": func(p *procs.Process) { p.Rejected = procs.Rejection{Gen: 4, WasReady: true} },
		"failed: the new one ended before it was ready":       func(p *procs.Process) { p.Rejected = procs.Rejection{Gen: 4} },
		"failed: the new one cannot be launched: no such file": func(p *procs.Process) {
			p.Rejected, p.HeirError = procs.Rejection{Gen: 4}, "no such file"
		},
		"failed: the new one ended before": func(p *procs.Process) { // and is still on its way out
			p.Rejected, p.Retiring = procs.Rejection{Gen: 4}, &procs.Beside{Generation: 4, Pid: 12}
		},
	} {
		p := serving
		change(&p)
		if got := processReason(stack.App{ListenTimeout: 30 * time.Second}, p); !strings.HasPrefix(got, "runs and is ready; ") || !strings.Contains(got, says) {
			t.Errorf("%q does not say %q", got, says)
		}
	}
	serving.Rejected = procs.Rejection{Gen: 2}
	if got := processReason(stack.App{}, serving); got != "runs and is ready" {
		t.Errorf("a failed reload is told of after a newer launch: %q", got)
	}
}
