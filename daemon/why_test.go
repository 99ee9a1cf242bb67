package daemon

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
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
	crash := view.ExitRecord{Exit: view.Exit{Code: new(1), Reason: view.Crash, At: at(5)}, LastLines: []string{"boom"}}
	manual := view.ExitRecord{Exit: view.Exit{Signal: "SIGTERM", Reason: view.Manual, At: at(7)}}
	for _, tc := range []struct {
		name    string
		app     stack.App
		process procs.Process
		says    string
		stopper string
	}{
		{"ready", stack.App{}, processOf(view.Process{Status: view.Online, Ready: true}), "runs and is ready", ""},
		{
			"its dependency went away",
			stack.App{},
			processOf(view.Process{Status: view.Online, Ready: true, WaitingFor: []string{"redis"}}),
			"would wait for redis", "",
		},
		{
			"not ready yet",
			stack.App{},
			detailsOf(view.ProcessDetails{Process: view.Process{Status: view.Launching, ReadyBy: "healthcheck"}, Probes: []view.Probe{{Detail: "refused"}}}),
			"is not ready yet: refused", "",
		},
		{"late", stack.App{ListenTimeout: time.Second}, procs.Process{ProcessDetails: view.ProcessDetails{Process: view.Process{Status: view.Launching}}, Late: true}, "not ready within 1s (listen_timeout)", ""},
		{
			"late for its healthcheck",
			stack.App{ListenTimeout: time.Second, Healthcheck: &stack.Healthcheck{StartPeriod: time.Minute}},
			procs.Process{ProcessDetails: view.ProcessDetails{Process: view.Process{Status: view.Launching}}, Late: true},
			"not ready within 1m0s (healthcheck.start_period)", "",
		},
		{
			"says nothing over IPC",
			stack.App{WaitReady: true},
			processOf(view.Process{Status: view.Launching}),
			"is not ready yet: devstack waits for its process.send('ready') (wait_ready)", "",
		},
		{
			"listens elsewhere",
			stack.App{Port: 21310},
			detailsOf(view.ProcessDetails{
				Process: view.Process{Status: view.Launching, Ports: []view.Address{{Host: "::", Port: 4000}, {Host: "0.0.0.0", Port: 4000}}},
				Probes:  []view.Probe{{Detail: "nothing listens on :21310"}},
			}),
			"nothing listens on :21310; it listens on :4000", "",
		},
		{
			"listens elsewhere than its healthcheck asks",
			stack.App{Healthcheck: &stack.Healthcheck{HTTP: "http://localhost:3000/up"}},
			processOf(view.Process{Status: view.Launching, Ports: []view.Address{{Port: 4000}}}), "is not ready yet; it listens on :4000", "",
		},
		{
			"crashed",
			stack.App{MaxRestarts: 10},
			detailsOf(view.ProcessDetails{Process: view.Process{Status: view.WaitingRestart, UnstableRestarts: 2}, Exits: []view.ExitRecord{crash}}),
			"exited with code 1 and is about to be restarted: unstable exit 2 in a row, devstack gives up after 11", "",
		},
		{
			"no limit",
			stack.App{MaxRestarts: -1},
			detailsOf(view.ProcessDetails{Process: view.Process{Status: view.WaitingRestart, UnstableRestarts: 2}, Exits: []view.ExitRecord{crash}}),
			"there is no limit", "",
		},
		{
			"errored",
			stack.App{MaxRestarts: 3, MinUptime: time.Second},
			detailsOf(view.ProcessDetails{Process: view.Process{Status: view.Errored, UnstableRestarts: 4}, Exits: []view.ExitRecord{crash}}),
			"4 exits in a row within 1s of the launch (max_restarts 3", "",
		},
		{"no program", stack.App{}, detailsOf(view.ProcessDetails{Process: view.Process{Status: view.Errored}, LastError: "no such file"}), "cannot be launched: no such file", ""},
		{"stopped by hand", stack.App{}, detailsOf(view.ProcessDetails{Process: view.Process{Status: view.Stopped}, Exits: []view.ExitRecord{crash, manual}}), "stopped by a command", "devstack"},
		{"autostart", stack.App{}, processOf(view.Process{Status: view.Stopped}), "autostart: false", ""},
		{"never", stack.App{Autostart: true}, processOf(view.Process{Status: view.Stopped}), "never launched", ""},
		{"no autorestart", stack.App{}, detailsOf(view.ProcessDetails{Process: view.Process{Status: view.Stopped}, Exits: []view.ExitRecord{crash}}), "autorestart: false", ""},
		{
			"stop_exit_codes",
			stack.App{Autorestart: true, StopExitCodes: []int{1}},
			detailsOf(view.ProcessDetails{Process: view.Process{Status: view.Stopped}, Exits: []view.ExitRecord{crash}}),
			"stop_exit_codes", "",
		},
		{
			"stopped in its backoff",
			stack.App{Autorestart: true},
			detailsOf(view.ProcessDetails{Process: view.Process{Status: view.Stopped}, Exits: []view.ExitRecord{crash}}),
			"stopped it before its restart", "",
		},
		{"done", stack.App{OneShot: true}, detailsOf(view.ProcessDetails{Process: view.Process{Status: view.Completed, Ready: true}, Exits: []view.ExitRecord{{}}}), "has done its work", ""},
	} {
		tc.app.Name, tc.process.Name = "web", "web"
		v := facts{st: &stack.Stack{Apps: []stack.App{tc.app}}, processes: []procs.Process{tc.process}}
		got := reasons(t, v, "web").Instances[0]
		if !strings.Contains(got.Reason, tc.says) || string(got.StoppedBy) != tc.stopper {
			t.Errorf("%s: %q, stopped by %q", tc.name, got.Reason, got.StoppedBy)
		}
	}
}

func TestWhyCountsCausesAndKeepsTheLastFailure(t *testing.T) {
	exits := []view.ExitRecord{
		{Exit: view.Exit{Code: new(1), Reason: view.Crash, At: at(1)}},
		{Exit: view.Exit{Code: new(2), Reason: view.Crash, At: at(2)}, LastLines: []string{"boom"}, LogFiles: []string{"/logs/web-out.log"}},
		{Exit: view.Exit{Code: new(0), Reason: view.Exited, At: at(3)}},
		{Exit: view.Exit{Signal: "SIGTERM", Reason: view.Manual, At: at(4)}},
	}
	v := facts{st: &stack.Stack{Apps: []stack.App{{Name: "web", OneShot: true}}}, processes: []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: "web", Status: view.Stopped}, Exits: exits, RestartsBy: view.Restarts{Manual: 1, Crash: 3}})}}
	got := reasons(t, v, "web").Instances[0]
	if d := cmp.Diff([]view.Count{{Cause: "crash", Count: 3}, {Cause: "manual", Count: 1}}, got.Causes); d != "" {
		t.Error(d)
	}
	if got.LastFailure == nil || *got.LastFailure.Code != 2 || got.LastFailure.LastLines[0] != "boom" {
		t.Errorf("last failure %+v", got.LastFailure)
	}
	if !slices.Equal(got.LastFailure.LogFiles, []string{"/logs/web-out.log"}) {
		t.Errorf("its lines are in %q", got.LastFailure.LogFiles)
	}
	v.st.Apps[0].OneShot = false // and so had no reason to end
	if got := reasons(t, v, "web").Instances[0]; got.LastFailure == nil || *got.LastFailure.Code != 0 || len(got.LastFailure.LogFiles) > 0 {
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
	v.processes = append(v.processes, processOf(view.Process{Name: "web", Instance: 1, ID: 7}))
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
		services: []view.ServiceDetails{
			serviceOf(view.Service{Name: "redis", State: "running", Ready: true}),
			{Service: view.Service{Name: "postgres", State: "exited", Health: view.HealthStarting, StoppedBy: "other"}, StoppedAt: new(at(9)), RepairAttempts: 2, Detail: "postgres://u:hunter2@db/x"},
			{Service: view.Service{Name: "proxy", State: "created"}, DependsOn: []view.DependsOn{{Name: "postgres", Condition: "service_healthy"}}},
		},
		processes: []procs.Process{
			processOf(view.Process{Name: "agent", Status: view.Waiting, WaitingFor: []string{"api"}}),
			processOf(view.Process{Name: "api", Status: view.Waiting, WaitingFor: []string{"postgres"}}),
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
	if s := got.Instances[0]; got.Kind != "service" || s.StoppedBy != "other" || !s.StoppedAt.Equal(at(9)) || s.RepairAttempts != 2 {
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
	serving := detailsOf(view.ProcessDetails{Process: view.Process{Status: view.Online, Ready: true, ReadyBy: "ipc"}, Generation: 3})
	for says, change := range map[string]func(*procs.Process){
		"its successor is about to be launched":               func(p *procs.Process) { p.Successor = &view.Successor{} },
		"pid 12, is not ready yet":                            func(p *procs.Process) { p.Successor = &view.Successor{Pid: new(12)} },
		"pid 12, is ready and takes over in a moment":         func(p *procs.Process) { p.Successor = &view.Successor{Pid: new(12), Ready: true} },
		"pid 11, answers its last requests":                   func(p *procs.Process) { p.Retiring, p.RetiringPid = 2, new(11) },
		"failed: the new one was not ready within 30s":        func(p *procs.Process) { p.Rejected = procs.Rejection{Gen: 4, Late: true} },
		"failed: the new one did not stay ready for a second": func(p *procs.Process) { p.Rejected = procs.Rejection{Gen: 4, WasReady: true} },
		"failed: the new one ended before it was ready":       func(p *procs.Process) { p.Rejected = procs.Rejection{Gen: 4} },
		"failed: the new one cannot be launched: no such file": func(p *procs.Process) {
			p.Rejected, p.SuccessorError = procs.Rejection{Gen: 4}, "no such file"
		},
		"failed: the new one ended before": func(p *procs.Process) { // and is still on its way out
			p.Rejected, p.Retiring, p.RetiringPid = procs.Rejection{Gen: 4}, 4, new(12)
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
