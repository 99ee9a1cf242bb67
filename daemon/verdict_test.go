package daemon

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// at is second s of an action that began at second 100.
func at(s int64) time.Time { return time.Unix(s, 0) }

func TestJudge(t *testing.T) {
	crashed := []view.ExitRecord{{Exit: view.Exit{Code: new(1), Reason: view.Crash, At: at(101)}, LastLines: []string{"boom"}}}
	stayed := func(e view.ExitRecord) []view.ExitRecord {
		e.At, e.UptimeMS, e.LastLines = at(101), 900, []string{"boom"}
		return []view.ExitRecord{e}
	}
	again := func(name string, exits []view.ExitRecord) []procs.Process {
		return []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: name, Status: view.Online, Ready: true}, Exits: exits})}
	}
	over := func(exits []view.ExitRecord) []procs.Process {
		return []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: "web", Status: view.Stopped}, Exits: exits})}
	}
	failed := view.Exit{Code: new(1), Reason: view.Crash}
	old := []view.ExitRecord{{Exit: view.Exit{Code: new(1), Reason: view.Crash, At: at(50)}, LastLines: []string{"long ago"}}}
	web := stack.App{Name: "web", ListenTimeout: 30 * time.Second, ErrorFile: "/logs/web-error.log"}
	agent := stack.App{Name: "agent"}
	pair := stack.App{Name: "pair", Instances: 2}
	for _, tc := range []struct {
		name      string
		services  []view.ServiceDetails
		processes []procs.Process
		apps      []stack.App
		pending   []string
		failed    []string // resource=code
		blocked   []string
		broken    error
		launches  launches
		only      map[int]bool
		removed   []string
		contains  string // the first failure's message
	}{
		{name: "nothing wanted"},
		{
			name: "all ready", apps: []stack.App{web}, services: []view.ServiceDetails{serviceOf(view.Service{Name: "redis", Ready: true})},
			processes: []procs.Process{processOf(view.Process{Name: "web", Status: view.Online, Ready: true})},
		},
		{name: "not there yet", apps: []stack.App{web}, pending: []string{"web"}},
		{
			name: "launching", apps: []stack.App{web}, pending: []string{"web"},
			processes: []procs.Process{processOf(view.Process{Name: "web", Status: view.Launching, StartedAt: new(at(101))})},
		},
		{
			name: "launching again after a crash", apps: []stack.App{web}, pending: []string{"web"},
			processes: []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: "web", Status: view.Launching, StartedAt: new(at(102))}, Exits: crashed})},
		},
		{
			name: "listen_timeout passed", apps: []stack.App{web}, failed: []string{"web=6"}, contains: "30s (listen_timeout): refused",
			processes: []procs.Process{{ProcessDetails: view.ProcessDetails{Process: view.Process{Name: "web", Status: view.Launching}, Probes: []view.Probe{{Detail: "refused"}}}, Late: true}},
		},
		{
			name: "crashed and is ready again", apps: []stack.App{web}, failed: []string{"web=7"},
			contains:  "exited with code 1 after 900ms and was restarted; it is ready again",
			processes: again("web", stayed(view.ExitRecord{Exit: failed})),
		},
		{
			name: "crashed three times and is ready again", apps: []stack.App{web}, failed: []string{"web=7"}, contains: "(exit 3 since this command began)",
			processes: again("web", slices.Repeat(stayed(view.ExitRecord{Exit: failed}), 3)),
		},
		{
			name: "what waits for one that is ready again is started", apps: []stack.App{web, agent}, failed: []string{"web=7"}, pending: []string{"agent"},
			processes: append(again("web", stayed(view.ExitRecord{Exit: failed})), processOf(view.Process{Name: "agent", Status: view.Waiting, WaitingFor: []string{"web"}})),
		},
		{
			name: "out of memory and ready again", apps: []stack.App{web}, failed: []string{"web=7"}, contains: "was ended for its memory (SIGTERM) after 900ms: too large and was restarted",
			processes: again("web", stayed(view.ExitRecord{Exit: view.Exit{Signal: "SIGTERM", Reason: view.Memory}, Cause: "too large"})),
		},
		{
			name: "unhealthy and ready again", apps: []stack.App{web}, failed: []string{"web=7"}, contains: "ended for its healthcheck",
			processes: again("web", stayed(view.ExitRecord{Exit: view.Exit{Signal: "SIGTERM", Reason: view.Liveness}})),
		},
		{
			name: "ended by itself and is ready again", apps: []stack.App{{Name: "web", Autorestart: true}}, failed: []string{"web=7"}, contains: "exited with code 0",
			processes: again("web", stayed(view.ExitRecord{Exit: view.Exit{Code: new(0), Reason: view.Exited}})),
		},
		{
			name: "was ready and ended as it may", apps: []stack.App{{Name: "web"}},
			processes: over(stayed(view.ExitRecord{Exit: view.Exit{Code: new(0), Reason: view.Exited}, WasReady: true})),
		},
		{
			name: "was ready and ended with one of its stop_exit_codes", apps: []stack.App{{Name: "web", Autorestart: true, StopExitCodes: []int{7}}},
			processes: over(stayed(view.ExitRecord{Exit: view.Exit{Code: new(7), Reason: view.Crash}, WasReady: true})),
		},
		{
			name: "ended as it may while another waits for it", apps: []stack.App{{Name: "web"}, agent}, failed: []string{"web=7"}, blocked: []string{"agent"},
			contains: "exited with code 0 after 900ms and is not restarted",
			processes: append(over(stayed(view.ExitRecord{Exit: view.Exit{Code: new(0), Reason: view.Exited}, WasReady: true})),
				processOf(view.Process{Name: "agent", Status: view.Waiting, WaitingFor: []string{"web"}})),
		},
		{
			name: "ended as it may, and nothing tells when it is ready", apps: []stack.App{{Name: "web"}},
			processes: []procs.Process{detailsOf(view.ProcessDetails{
				Process: view.Process{Name: "web", Status: view.Stopped, ReadyBy: "unchecked"}, Exits: stayed(view.ExitRecord{Exit: view.Exit{Code: new(0), Reason: view.Exited}}),
			})},
		},
		{
			name: "ended as it may before it was ready", apps: []stack.App{{Name: "web"}}, failed: []string{"web=7"}, contains: "before it was ready",
			processes: over(stayed(view.ExitRecord{Exit: view.Exit{Code: new(0), Reason: view.Exited}})),
		},
		{
			name: "was ready, crashed and is not restarted", apps: []stack.App{{Name: "web"}}, failed: []string{"web=7"}, contains: "exited with code 1 after 900ms and is not restarted",
			processes: over(stayed(view.ExitRecord{Exit: failed, WasReady: true})),
		},
		{name: "restarted by a command", apps: []stack.App{web}, processes: again("web", stayed(view.ExitRecord{Exit: view.Exit{Code: new(1), Reason: view.Manual}}))},
		{name: "restarted for a file", apps: []stack.App{web}, processes: again("web", stayed(view.ExitRecord{Exit: view.Exit{Code: new(1), Reason: view.Watch}}))},
		{name: "restarted by the clock", apps: []stack.App{web}, processes: again("web", stayed(view.ExitRecord{Exit: view.Exit{Code: new(1), Reason: view.Cron}}))},
		{name: "a launch beside it crashed", apps: []stack.App{web}, processes: again("web", stayed(view.ExitRecord{Exit: failed, Beside: true}))},
		{name: "exited because its dependency did", apps: []stack.App{web}, processes: again("web", stayed(view.ExitRecord{Exit: failed, DependencyDown: true}))},
		{name: "crashed before and is ready", apps: []stack.App{web}, processes: again("web", old)},
		{name: "a one_shot that succeeded in the end", apps: []stack.App{{Name: "web", OneShot: true}}, processes: again("web", crashed)},
		{
			name: "crashed and is late", apps: []stack.App{web}, failed: []string{"web=7"}, contains: "30s (listen_timeout); before that it exited with code 1",
			processes: []procs.Process{{ProcessDetails: view.ProcessDetails{Process: view.Process{Name: "web", Status: view.Launching}, Exits: crashed}, Late: true}},
		},
		{
			name: "crash loop with delay", apps: []stack.App{web}, failed: []string{"web=7"}, contains: "exited with code 1 and goes on",
			processes: []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: "web", Status: view.WaitingRestart}, Exits: crashed})},
		},
		{
			name: "crashed before this action", apps: []stack.App{web}, pending: []string{"web"},
			processes: []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: "web", Status: view.WaitingRestart}, Exits: old})},
		},
		{
			name: "errored", apps: []stack.App{web}, failed: []string{"web=7"}, contains: "errored",
			processes: []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: "web", Status: view.Errored}, Exits: old})},
		},
		{
			name: "cannot even start", apps: []stack.App{web}, failed: []string{"web=7"}, contains: "no such file",
			processes: []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: "web", Status: view.Errored}, LastError: "no such file"})},
		},
		{
			name: "stopped and about to start", apps: []stack.App{web}, pending: []string{"web"},
			processes: []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: "web", Status: view.Stopped}, Exits: old})},
		},
		{
			name: "a one-shot that succeeded", apps: []stack.App{{Name: "web", OneShot: true}},
			processes: []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: "web", Status: view.Stopped, Ready: true}, Exits: []view.ExitRecord{{Exit: view.Exit{Code: new(0), At: at(50)}}}})},
		},
		{
			name: "one instance of two", apps: []stack.App{web}, pending: []string{"web"},
			processes: []procs.Process{processOf(view.Process{Name: "web", Ready: true}), processOf(view.Process{Name: "web", Instance: 1, Status: view.Stopping})},
		},
		{
			name: "blocked through another app", apps: []stack.App{web, agent, {Name: "later"}}, failed: []string{"web=7"},
			blocked: []string{"agent", "later"},
			processes: []procs.Process{
				detailsOf(view.ProcessDetails{Process: view.Process{Name: "web", Status: view.WaitingRestart}, Exits: crashed}),
				processOf(view.Process{Name: "agent", Status: view.Waiting, WaitingFor: []string{"web"}}),
				processOf(view.Process{Name: "later", Status: view.Waiting, WaitingFor: []string{"agent"}}),
			},
		},
		{
			name: "waiting for what still comes", apps: []stack.App{agent}, services: []view.ServiceDetails{serviceOf(view.Service{Name: "redis", Health: view.HealthStarting})},
			processes: []procs.Process{processOf(view.Process{Name: "agent", Status: view.Waiting, WaitingFor: []string{"redis"}})},
			pending:   []string{"redis", "agent"},
		},
		{
			name: "unhealthy service", apps: []stack.App{agent}, failed: []string{"redis=5"}, blocked: []string{"agent"}, contains: "wrong password",
			services:  []view.ServiceDetails{{Service: view.Service{Name: "redis", Health: view.HealthUnhealthy}, Detail: "wrong password"}},
			processes: []procs.Process{processOf(view.Process{Name: "agent", Status: view.Waiting, WaitingFor: []string{"redis"}})},
		},
		{
			name: "a container could not be started", apps: []stack.App{agent}, failed: []string{"redis=5"}, blocked: []string{"postgres", "agent"},
			broken:    &infra.Error{Kind: infra.Failed, Service: "redis", Message: "cannot start"},
			services:  []view.ServiceDetails{serviceOf(view.Service{Name: "redis", State: "created"}), serviceOf(view.Service{Name: "postgres", State: "absent"})},
			processes: []procs.Process{processOf(view.Process{Name: "agent", Status: view.Waiting, WaitingFor: []string{"postgres"}})},
			contains:  "cannot start",
		},
		{
			name: "an app that was removed from the file", removed: []string{"old", "older"}, pending: []string{"old"},
			processes: []procs.Process{processOf(view.Process{Name: "old", Status: view.Stopping})},
		},
		{
			name: "the launch before a restart", apps: []stack.App{web}, launches: launches{"web/0": {Least: 4}}, pending: []string{"web"},
			processes: []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: "web", Status: view.Online, Ready: true}, Generation: 3})},
		},
		{
			name: "the launch after a restart", apps: []stack.App{web}, launches: launches{"web/0": {Least: 4}},
			processes: []procs.Process{detailsOf(view.ProcessDetails{Process: view.Process{Name: "web", Status: view.Online, Ready: true}, Generation: 4})},
		},
		{
			name: "all instances count", apps: []stack.App{pair}, failed: []string{"pair=7"}, contains: "instance 1 exited with code 1",
			processes: []procs.Process{
				processOf(view.Process{Name: "pair", Status: view.Online, Ready: true}), detailsOf(view.ProcessDetails{Process: view.Process{Name: "pair", ID: 1, Instance: 1, Status: view.Errored}, Exits: crashed}),
			},
		},
		{
			name: "one instance was asked for", apps: []stack.App{pair}, only: map[int]bool{0: true},
			processes: []procs.Process{
				processOf(view.Process{Name: "pair", Status: view.Online, Ready: true}), detailsOf(view.ProcessDetails{Process: view.Process{Name: "pair", ID: 1, Instance: 1, Status: view.Errored}, Exits: crashed}),
			},
		},
		{
			name: "an instance on its way out", apps: []stack.App{pair}, only: map[int]bool{}, pending: []string{"pair"},
			processes: []procs.Process{processOf(view.Process{Name: "pair", Status: view.Online, Ready: true}), {ProcessDetails: view.ProcessDetails{Process: view.Process{Name: "pair", ID: 2, Instance: 2, Status: view.Stopping}}, Leaving: true}},
		},
		{
			name: "stopped meanwhile", apps: nil, failed: []string{"redis=5"}, contains: "stopped meanwhile",
			services: []view.ServiceDetails{serviceOf(view.Service{Name: "redis", State: "exited", StoppedBy: "other"})},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := goal{apps: tc.apps, began: at(100), broken: tc.broken, launches: tc.launches, only: tc.only, removed: tc.removed}
			for _, s := range tc.services {
				g.services = append(g.services, s.Name)
			}
			v := judge(g, tc.services, tc.processes)
			var pending, failed []string
			for _, f := range v.pending {
				pending = append(pending, f.Resource)
			}
			for _, f := range v.failures {
				failed = append(failed, f.Resource+"="+string(rune('0'+f.Exit)))
				if f.LastLines == nil {
					t.Errorf("last_lines of %s is null", f.Resource)
				}
			}
			if d := cmp.Diff(tc.pending, pending); d != "" {
				t.Errorf("pending: %s", d)
			}
			if d := cmp.Diff(tc.failed, failed); d != "" {
				t.Errorf("failures: %s", d)
			}
			if d := cmp.Diff(tc.blocked, v.blocked); d != "" {
				t.Errorf("blocked: %s", d)
			}
			if tc.contains != "" && !strings.Contains(v.failures[0].Message, tc.contains) {
				t.Errorf("message %q does not say %q", v.failures[0].Message, tc.contains)
			}
		})
	}
}

func TestExitCode(t *testing.T) {
	failures := []api.Failure{
		{Resource: "slow", Exit: api.ExitTimeout},
		{Resource: "web", Exit: api.ExitProcess},
		{Resource: "redis", Exit: api.ExitPortTaken},
		{Resource: "agent", Exit: api.ExitProcess},
	}
	if got := exitCode(failures); got != api.ExitPortTaken {
		t.Errorf("exit code %d", got)
	}
	var order []string
	for _, f := range failures {
		order = append(order, f.Resource)
	}
	if d := cmp.Diff([]string{"redis", "web", "agent", "slow"}, order); d != "" {
		t.Errorf("order: %s", d)
	}
	if got := exitCode(nil); got != api.ExitDone {
		t.Errorf("exit code of nothing: %d", got)
	}
}

// A container that has failed is named with how it ended and what it said last, and what waits for it with its cause.
func TestTheCauseOfAContainerIsNamed(t *testing.T) {
	db := view.ServiceDetails{
		Service: view.Service{Name: "db", State: "exited", Health: view.HealthUnhealthy}, Detail: "ended with exit code 3 before it was ready",
		Exits: []view.ExitRecord{{LastLines: []string{"ERROR: no such table"}}},
	}
	g := goal{
		services: []string{"db", "late"}, apps: []stack.App{{Name: "web"}, {Name: "page"}},
		broken: &infra.Error{Kind: infra.Failed, Service: "db", Message: "is not started again"},
	}
	late := serviceOf(view.Service{Name: "late", State: "absent"})
	processes := []procs.Process{
		processOf(view.Process{Name: "web", Status: view.Waiting, WaitingFor: []string{"db"}}),
		processOf(view.Process{Name: "page", Status: view.Waiting, WaitingFor: []string{"web"}}),
	}
	v := judge(g, []view.ServiceDetails{db, late}, processes)
	if len(v.failures) != 1 || !slices.Equal(v.failures[0].LastLines, db.Exits[0].LastLines) {
		t.Errorf("a refusal: %+v", v.failures)
	}
	g.broken = nil
	v = judge(g, []view.ServiceDetails{db, late}, processes)
	if len(v.failures) != 1 || v.failures[0].Message != db.Detail || !slices.Equal(v.failures[0].LastLines, db.Exits[0].LastLines) {
		t.Errorf("its end: %+v", v.failures)
	}
	want := []string{"web is not started: it waits for db, which ended with exit code 3 before it was ready", "page is not started: it waits for web"}
	if got := v.notStarted(); !slices.Equal(got, want) {
		t.Errorf("not started: %q, want %q", got, want)
	}
}
