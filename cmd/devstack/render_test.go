package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"devstack/daemon/api"
	"devstack/view"
)

func sampleState() *api.State {
	started := now().Add(-3 * time.Minute)
	process := func(id int, name string, status view.Status) view.Process {
		p := view.Process{Name: name, Namespace: "default", ID: id, Status: status, ExecMode: "fork"}
		if status == "online" {
			p.Pid, p.StartedAt, p.Ready = ptr(4711+id), &started, true
			p.MemoryBytes, p.CPUPercent, p.ReadyBy = ptr(int64(54<<20)), ptr(0.4), "ipc"
		}
		return p
	}
	orchestrator := process(0, "orchestrator", "online")
	orchestrator.Ports = []view.Address{{Host: "0.0.0.0", Port: 3000}, {Host: "::", Port: 3000}}
	waiting := process(2, "agent-integration", "waiting")
	waiting.WaitingFor = []string{"postgres"}
	errored := process(3, "agent-e2e", "errored")
	errored.Restarts, errored.Exit = 10, &view.Exit{Code: ptr(1), Reason: "crash", At: now()}
	return &api.State{
		Project: "agentic-sdlc", Profile: "dev", Infra: "docker", Daemon: &api.Daemon{Pid: 1, Version: api.BuildVersion()},
		Services: []view.Service{
			{
				Name: "redis", Driver: "docker", Image: "redis:7", State: "running", Health: "healthy", Ready: true, StartedAt: &started,
				MemoryBytes: ptr(int64(7 << 20)), CPUPercent: ptr(0.2),
				Ports: []view.PublishedPort{port("0.0.0.0", 6380, 6379, "tcp"), port("::", 6380, 6379, "tcp")},
			},
			{
				Name: "postgres", Driver: "docker", Image: "postgres:16", State: "exited", StoppedBy: "other", Health: "stopped",
				Ports: []view.PublishedPort{port("127.0.0.1", 5433, 5432, "tcp")},
			},
		},
		Processes: []view.Process{orchestrator, process(1, "agent-scaffold", "online"), waiting, errored},
	}
}

func TestTable(t *testing.T) {
	for _, width := range []int{0, 80, 60} {
		got := renderState(sampleState(), now(), width, false)
		for _, line := range strings.Split(got, "\n")[:7] {
			if n := utf8.RuneCountInString(line); width > 0 && n > width {
				t.Errorf("width %d: a line of %d: %q", width, n, line)
			}
		}
		golden(t, fmt.Sprintf("table-%d.txt", width), got)
	}
}

var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestColoursDoNotMoveColumns(t *testing.T) {
	plain, colored := renderState(sampleState(), now(), 80, false), renderState(sampleState(), now(), 80, true)
	if colored == plain {
		t.Error("no colours")
	}
	if got := escape.ReplaceAllString(colored, ""); got != plain {
		t.Errorf("without colours it is\n%s\nnot\n%s", got, plain)
	}
}

func TestEndpoints(t *testing.T) {
	s := sampleState()
	s.Services = append(s.Services, view.Service{Name: "web", State: "running", Ports: []view.PublishedPort{port("10.0.0.7", 53, 53, "udp"), port("", 0, 80, "tcp")}})
	links := []api.Link{
		{Name: "orchestrator", Port: 3000, Kind: api.LinkHTTP, URL: "http://localhost:3000"},
		{Name: "orchestrator", Instance: 1, Port: 3000, Kind: api.LinkHTTP, URL: "http://localhost:3000"},
		{Name: "orchestrator", Port: 9229, Kind: api.LinkInspector},
	}
	got := strings.Join(endpoints(s, links), "\n") + "\n"
	golden(t, "endpoints.txt", got)
}

func TestFailures(t *testing.T) {
	golden(t, "failures.txt", renderFailures([]api.Failure{
		{
			Resource: "orchestrator", Exit: api.ExitProcess, Message: "exited with code 1 after 0.2 s",
			LastLines: []string{"Error: no\x1b[2J database", "    at main"}, LogFiles: []string{"/shop/logs/orchestrator-error.log", "/shop/logs/orchestrator-out.log"},
		},
		{Resource: "redis", Exit: api.ExitEngine, Message: "not healthy in time"},
	}, false))
}

func TestChecks(t *testing.T) {
	golden(t, "checks.txt", renderChecks([]api.Check{
		{Name: "files", Status: "ok", Detail: "ecosystem.yaml, compose.yaml"},
		{Name: "environment", Status: "failed", Detail: "DATABASE_URL and REDIS_URL are not set", Fix: "cp .env.example .env"},
		{Name: "disk", Status: "warning", Detail: "900 MiB left", Fix: "docker image prune"},
	}, false))
}

// frames plays events and takes a frame after each group.
func TestFrames(t *testing.T) {
	at := func(seconds float64) time.Time { return now().Add(time.Duration(seconds * float64(time.Second))) }
	b := board{title: "up", start: now()}
	var out strings.Builder
	frame := func(title string, seconds float64, width, height int) {
		lines := b.frame(at(seconds), width, height, false)
		if len(lines) > height {
			t.Errorf("%s: %d lines in %d", title, len(lines), height)
		}
		fmt.Fprintf(&out, "--- %s\n", title)
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); n > width {
				t.Errorf("%s: a line of %d in %d: %q", title, n, width, line)
			}
			fmt.Fprintf(&out, "%s\n", line)
		}
	}
	frame("nothing yet", 0.1, 79, 23)
	b.apply(view.Event{Time: at(0.2), Resource: "redis", Kind: view.KindOp, To: "started", Step: &view.Step{Verb: "create", Object: "container", Name: "redis"}})
	b.apply(view.Event{Time: at(0.2), Resource: "postgres", Kind: view.KindPull, Progress: &view.Progress{Current: 30 << 20, Total: 100 << 20, Detail: "3 of 9 layers"}})
	b.apply(view.Event{Time: at(0.2), Resource: "orchestrator", Kind: view.KindWaiting, To: "redis, postgres"})
	b.apply(view.Event{Time: at(0.3), Kind: view.KindWarning, Message: "the shell overrides REDIS_URL"})
	b.apply(view.Event{Time: at(0.1), Kind: view.KindBuild, Message: "> tsc -b\none\ntwo\nthree\nfour\nfive\n"})
	frame("building and pulling", 1, 79, 23)
	frame("narrow", 1, 30, 23)
	frame("low", 1, 79, 8)
	b.apply(view.Event{Time: at(2), Resource: "redis", Kind: view.KindService, To: "healthy"})
	b.apply(view.Event{Time: at(2), Resource: "redis", Kind: view.KindReady, To: "ready"})
	b.apply(view.Event{Time: at(2.5), Resource: "postgres", Kind: view.KindService, To: "starting"})
	frame("one ready", 3.2, 79, 23)
	frame("low: what is not ready comes first", 3.2, 79, 3)
	b.apply(view.Event{Time: at(4), Resource: "postgres", Kind: view.KindReady, To: "ready"})
	b.apply(view.Event{Time: at(4), Resource: "orchestrator", Kind: view.KindWaiting})
	b.apply(view.Event{Time: at(4), Resource: "orchestrator", Kind: view.KindProcess, From: "waiting", To: "launching"})
	b.apply(view.Event{Time: at(4.2), Resource: "orchestrator", Kind: view.KindProcess, To: "errored"})
	b.apply(view.Event{Time: at(4.2), Resource: "agent", Instance: 1, Kind: view.KindProcess, To: "online"})
	b.apply(view.Event{Time: at(4.5), Resource: "agent", Instance: 1, Kind: view.KindReady, To: "ready"})
	frame("the end", 70, 79, 23)
	b = board{title: "down", start: now(), ending: true}
	b.apply(view.Event{Time: at(0.1), Resource: "web", Kind: view.KindProcess, To: "stopping"})
	b.apply(view.Event{Time: at(0.1), Resource: "web", Kind: view.KindReady, To: "not ready"})
	b.apply(view.Event{Time: at(0.1), Resource: "agent", Kind: view.KindWaiting, To: "web"})
	b.apply(view.Event{Time: at(0.1), Resource: "redis", Kind: view.KindOp, To: "started", Step: &view.Step{Verb: "stop", Object: "container", Name: "redis"}})
	frame("going down", 0.3, 79, 23)
	b.apply(view.Event{Time: at(0.4), Resource: "web", Kind: view.KindProcess, To: "stopped"})
	b.apply(view.Event{Time: at(0.5), Resource: "redis", Kind: view.KindService, To: "absent"})
	frame("down", 0.5, 79, 23)
	golden(t, "frames.txt", out.String())
}

func TestPlainLines(t *testing.T) {
	var out strings.Builder
	p := newPlain(&out, false, now(), false)
	at := now().Add(1500 * time.Millisecond)
	for _, e := range []view.Event{
		{Kind: view.KindBuild, Message: "> tsc -b\n"},
		{Resource: "redis", Kind: view.KindOp, To: "started", Step: &view.Step{Verb: "create", Object: "container", Name: "redis"}},
		{Resource: "redis", Kind: view.KindOp, To: "done", Step: &view.Step{Verb: "create", Object: "container", Name: "redis"}},
		{Kind: view.KindOp, To: "failed", Step: &view.Step{Verb: "remove", Object: "network", Name: "shop_default"}, Cause: "it has endpoints"},
		{Resource: "pg", Kind: view.KindPull, Progress: &view.Progress{Current: 1 << 20, Total: 100 << 20}},
		{Resource: "pg", Kind: view.KindPull, Progress: &view.Progress{Current: 2 << 20, Total: 100 << 20}},
		{Resource: "pg", Kind: view.KindPull, Progress: &view.Progress{Current: 60 << 20, Total: 100 << 20}},
		{Resource: "pg", Kind: view.KindPull, Progress: &view.Progress{Current: 100 << 20, Total: 100 << 20}},
		{Resource: "web", Kind: view.KindWaiting, To: "redis"},
		{Resource: "web", Kind: view.KindWaiting, To: ""},
		{Resource: "web", Instance: 1, Kind: view.KindProcess, From: "online", To: "waiting restart", Cause: "exited with code 1"},
		{Resource: "redis", Kind: view.KindReady, To: "ready"},
		{Kind: view.KindWarning, Message: "the shell overrides REDIS_URL"},
		{Kind: view.KindResult},
	} {
		e.Time = at
		p.event(e)
	}
	golden(t, "plain.txt", out.String())
}

func TestLogLines(t *testing.T) {
	streams, out, _ := testStreams()
	records := []api.LogRecord{
		{Timestamp: now(), Type: "out", AppName: "web", ProcessID: ptr(0), Message: "listening"},
		{Timestamp: now(), Type: "err", AppName: "web", ProcessID: ptr(1), Instance: 1, Message: "no database"},
		{Timestamp: now(), Type: "out", AppName: "postgres", Message: "database system is ready"},
	}
	for _, o := range []LogsOptions{
		{}, {Raw: true}, {JSON: true}, {Grep: regexp.MustCompile("data.*ready")},
	} {
		o.Factory = &Factory{IO: streams}
		printer := &logPrinter{LogsOptions: &o, width: 8}
		fmt.Fprintf(out, "--- raw %v, json %v, grep %v\n", o.Raw, o.JSON, o.Grep)
		for _, r := range records {
			if err := printer.print(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	golden(t, "logs.txt", out.String())
}

func TestLogLinesOnATerminal(t *testing.T) {
	streams, _, _ := testStreams()
	streams.Color, streams.OutTTY = true, true
	printer := &logPrinter{LogsOptions: &LogsOptions{Factory: &Factory{IO: streams}, Highlight: "data"}}
	out := printer.line(api.LogRecord{Type: "out", AppName: "web", Message: "no database"})
	err := printer.line(api.LogRecord{Type: "err", AppName: "web", Message: "no database"})
	if out == err || !strings.Contains(out, "\x1b[7mdata\x1b[0mbase") {
		t.Errorf("out %q, err %q", out, err)
	}
	if other := printer.line(api.LogRecord{Type: "out", AppName: "api", Message: "no database"}); other[:6] == out[:6] {
		t.Errorf("two apps of one colour: %q and %q", out, other)
	}
}

func TestDescription(t *testing.T) {
	s := sampleState()
	d := &api.Description{Project: s.Project, Process: []api.ProcessDetails{{
		ProcessDetails: view.ProcessDetails{
			Process:  s.Processes[0],
			Children: []int{4712, 4713},
			Exits: []view.ExitRecord{{
				Exit: view.Exit{Signal: "SIGKILL", Reason: view.Crash, At: now().Add(-time.Hour)}, UptimeMS: 61_000, LastLines: []string{"bye"},
			}, {
				Exit: view.Exit{Code: ptr(0), Reason: view.Watch, At: now().Add(-time.Minute)}, UptimeMS: 1000, Cause: "dist/server.js changed",
			}},
			RestartsBy: view.Restarts{Crash: 1, Watch: 1},
			Held:       []view.Address{{Host: "*", Port: 3000}, {Host: "127.0.0.1", Port: 3001}, {Host: "::1", Port: 3001}},
			Successor:  &view.Successor{Pid: ptr(4720)}, RetiringPid: ptr(4700),
			Probes: []view.Probe{{At: now().Add(-2 * time.Second), Ready: true, Detail: "200 OK"}},
		},
		Command: []string{"/usr/bin/node", "server.js"}, Cwd: "/shop", OutFile: "/shop/logs/o.log",
		Environment: []api.EnvironmentItem{{Key: "DATABASE_URL", Value: "postgresql://agentic:***@localhost:5433", Origin: ".env"}},
		DependsOn:   []view.DependsOn{{Name: "redis", Condition: "service_healthy", Open: true}, {Name: "postgres", Condition: "ready"}},
		MaxRestarts: -1, MaxMemoryBytes: ptr(int64(1 << 30)),
	}}}
	service := &api.Description{Service: &view.ServiceDetails{
		Service: s.Services[1], ContainerName: "agentic-sdlc-postgres", Volumes: []string{"data"}, Networks: []string{"default"},
		Detail: "somebody stopped it 2 minutes ago",
	}}
	running := &api.Description{Service: &view.ServiceDetails{Service: s.Services[0], ContainerName: "agentic-sdlc-redis"}}
	golden(t, "describe.txt", renderDescription(d, now(), false)+"---\n"+renderDescription(service, now(), false)+"---\n"+renderDescription(running, now(), false))
}

func TestAnInterruptedStreamOfControlCharactersIsHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"a\x1b[2Jb\tc\x07\u009b31md":                                "ab cd",
		"\x1b[32m[Nest] 29466  - \x1b[39m12/01/2026":                "[Nest] 29466  - 12/01/2026",
		"\x1b]8;;http://a.b\x1b\\link\x1b]8;;\x07 \x1bP1;2q\x1b\\.": "link .",
		"ünïcode ✔ \x1b[1;31":                                       "ünïcode ✔ ",
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: got %q, not %q", text, got, want)
		}
	}
}

// A terminal shows the colours of the program and obeys nothing else; elsewhere there is nothing but text.
func TestExcerptKeepsColoursOnATerminal(t *testing.T) {
	line := "\x1b[32m[Nest]\x1b[39m ünï\x1b[2J\x1b[>4;1m\x1b]0;title\x07 ok"
	if got, want := excerpt(line, false), "│ [Nest] ünï ok"; got != want {
		t.Errorf("plain: %q, not %q", got, want)
	}
	if got, want := excerpt(line, true), "\x1b[2m│ \x1b[0m\x1b[32m[Nest]\x1b[39m ünï ok\x1b[0m"; got != want {
		t.Errorf("colours: %q, not %q", got, want)
	}
	if got, want := excerpt("plain", true), "\x1b[2m│ plain\x1b[0m"; got != want {
		t.Errorf("without colours of its own: %q, not %q", got, want)
	}
}

// A failure is told above the rows, in red, once; the rows go on.
func TestFailuresAreToldAtOnce(t *testing.T) {
	var b board
	failed := view.Event{Resource: "api", Kind: view.KindFailure, Message: "exited with \x1b[2Jcode 1"}
	b.apply(view.Event{Resource: "web", Kind: view.KindProcess, To: "launching"})
	b.apply(failed)
	b.apply(failed)
	if len(b.said) != 1 || len(b.rows) != 1 || b.said[0].line(true) != "\x1b[31m✗ api: exited with code 1\x1b[0m" {
		t.Errorf("said %+v, %d rows", b.said, len(b.rows))
	}
	var out strings.Builder
	p := newPlain(&out, false, now(), false)
	failed.Time = now()
	p.event(failed)
	failed.Message = "exited again"
	p.event(failed)
	if got := out.String(); got != "  0.0s  ✗ api: exited with code 1\n" {
		t.Errorf("plain: %q", got)
	}
}

// Rows stand in start order, whichever event comes first.
func TestBoardRowsStandInStartOrder(t *testing.T) {
	b := board{}
	b.apply(view.Event{Kind: view.KindOrder, To: "redis, api, agent"})
	for _, name := range []string{"agent", "stranger", "redis", "api"} {
		b.apply(view.Event{Resource: name, Kind: view.KindProcess, To: "launching"})
	}
	var got []string
	for _, r := range b.rows {
		got = append(got, r.name)
	}
	if want := []string{"redis", "api", "agent", "stranger"}; !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
}

func TestSuccessor(t *testing.T) {
	for want, n := range map[string]view.Successor{
		"successor           launching\n": {}, "pid 4720, launching\n": {Pid: ptr(4720)}, "pid 4720, ready\n": {Pid: ptr(4720), Ready: true},
	} {
		d := &api.Description{Process: []api.ProcessDetails{{ProcessDetails: view.ProcessDetails{Successor: &n}}}}
		if got := renderDescription(d, now(), false); !strings.Contains(got, want) {
			t.Errorf("%+v:\n%s", n, got)
		}
	}
}
