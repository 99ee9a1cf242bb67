package procs

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"devstack/bench/freeport"
	"devstack/probe"
	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
	"devstack/view"
)

func TestNodeSaysReadyAndIsAskedToShutDown(t *testing.T) {
	p := newProject(t)
	app := p.script("agent", `
		process.on('message', m => { if (m === 'shutdown') { console.log('leaving'); process.exit(5) } })
		console.log('instance ' + process.env.NODE_APP_INSTANCE)
		process.send('ready')`)
	app.WaitReady, app.ShutdownWithMessage, app.InstanceVar = true, true, "NODE_APP_INSTANCE"
	p.start(app)
	if got := p.untilReady("agent"); got.ReadyBy != "ipc" || got.Status != view.Online {
		t.Errorf("ready by %s, %s", got.ReadyBy, got.Status)
	}
	p.current().Stop("agent")
	got := p.untilState("agent", view.Stopped)
	if len(got.Exits) != 1 || *got.Exits[0].Code != 5 || got.Exits[0].Reason != view.Manual {
		t.Errorf("exits %+v", got.Exits)
	}
	if want := []string{"instance 0", "leaving"}; !slices.Equal(got.Exits[0].LastLines, want) {
		t.Errorf("last lines %q, want %q", got.Exits[0].LastLines, want)
	}
}

func TestNodeThatIgnoresItsChannelEndsByItself(t *testing.T) {
	p := newProject(t)
	app := p.script("job", `console.log('done')`)
	app.OneShot = true
	p.start(app)
	if got := p.untilReady("job"); got.Status != view.Completed || got.ReadyBy != "completed" {
		t.Errorf("%s, ready by %s", got.Status, got.ReadyBy)
	}
}

func TestCrashKeepsItsLastLines(t *testing.T) {
	p := newProject(t)
	app := p.app("api", "/bin/sh", "-c", "echo fine; echo boom >&2; printf 'no end' >&2; exit 3")
	app.MaxRestarts = 1
	delay := time.Duration(0)
	app.RestartDelay = &delay
	p.start(app)
	got := p.untilState("api", view.Errored)
	if len(got.Exits) != 2 || got.Restarts != 1 {
		t.Fatalf("restarts %d, exits %+v", got.Restarts, got.Exits)
	}
	last := got.Exits[1]
	if *last.Code != 3 || last.Reason != view.Crash || !slices.Equal(slices.Sorted(slices.Values(last.LastLines)), []string{"boom", "fine", "no end"}) {
		t.Errorf("last exit %+v, last lines %q", last, last.LastLines)
	}
	if len(last.LogFiles) != 2 || !slices.Contains(last.LogFiles, app.OutFile) || !slices.Contains(last.LogFiles, app.ErrorFile) {
		t.Errorf("the lines are in %q", last.LogFiles)
	}
}

// The last lines of a program that writes no errors are in the file of its output.
func TestLastLinesKnowTheirFile(t *testing.T) {
	p := newProject(t)
	talks := p.app("talks", "/bin/sh", "-c", "echo booting; exit 1")
	silent := p.app("silent", "/bin/sh", "-c", "exit 1")
	talks.MaxRestarts, silent.MaxRestarts = 0, 0
	p.start(talks, silent)
	if got := p.untilState("talks", view.Errored).Exits[0]; !slices.Equal(got.LogFiles, []string{talks.OutFile}) || !slices.Equal(got.LastLines, []string{"booting"}) {
		t.Errorf("%q in %q", got.LastLines, got.LogFiles)
	}
	if got := p.untilState("silent", view.Errored).Exits[0]; len(got.LogFiles) > 0 || len(got.LastLines) > 0 {
		t.Errorf("%q in %q", got.LastLines, got.LogFiles)
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	p := newProject(t)
	p.start(p.app("path", "/no/such/program"), p.app("name", "no-such-program"))
	for _, name := range []string{"path", "name"} {
		got := p.untilState(name, view.Errored)
		if !strings.Contains(string(got.LastError), "no such file or directory") || !strings.Contains(string(got.LastError), "no") {
			t.Errorf("%s: %q", name, got.LastError)
		}
	}
}

func TestMemoryOfTheWholeTree(t *testing.T) {
	p := newProject(t)
	// The first launch grows in a child of the shell; the shell alone would never exceed the limit.
	app := p.app("fat", "/bin/sh", "-c", `[ -e grown ] && exec sleep 1000
		node -e "require('fs').writeFileSync('grown', ''); const b = Buffer.alloc(200 << 20, 1); setInterval(() => b.length, 1000)"; true`)
	app.MaxMemory = 100 << 20
	p.start(app)
	got := p.until("fat", "restarted", func(got Process) bool { return got.Status == view.Online && got.Restarts == 1 })
	if len(got.Exits) != 1 || got.Exits[0].Reason != view.Memory || got.UnstableRestarts != 1 || !strings.Contains(string(got.Exits[0].Cause), "exceed max_memory_restart of 100 MiB: node (pid ") {
		t.Errorf("unstable %d, exits %+v", got.UnstableRestarts, got.Exits)
	}
}

func TestHTTPHealthcheckAndPorts(t *testing.T) {
	p := newProject(t)
	port := freeport.Get(t)
	app := p.script("web", fmt.Sprintf(`
		const http = require('http')
		let looks = 0
		http.createServer((q, r) => { r.statusCode = ++looks > 3 && looks < 10 ? 200 : 503; r.end() }).listen(%d)`, port))
	app.Port = port
	app.Healthcheck = &stack.Healthcheck{HTTP: "/healthz", Interval: 50 * time.Millisecond, Timeout: 5 * time.Second, Retries: 2}
	p.start(app)
	got := p.untilReady("web")
	if got.ReadyBy != "http 200" || len(got.Probes) == 0 || !strings.Contains(got.Probes[len(got.Probes)-1].Detail, "200") {
		t.Errorf("ready by %s, probes %+v", got.ReadyBy, got.Probes)
	}
	if ports := p.current().SnapshotWithPorts()[0].Ports; !slices.Equal(ports, []view.Address{{Host: "::", Port: port}}) {
		t.Errorf("ports %+v, want %d", ports, port)
	}
	got = p.until("web", "restarted", func(got Process) bool { return len(got.Exits) > 0 })
	if got.Exits[0].Reason != view.Liveness {
		t.Errorf("exits %+v", got.Exits)
	}
}

// The ports of a wrapped program are there at the first look at it, not only after the second look.
func TestPortsOfAWrappedProgramAtOnce(t *testing.T) {
	p := newProject(t)
	port := freeport.Get(t)
	app := p.app("web", "/bin/sh", "-c", fmt.Sprintf(`node -e 'require("http").createServer().listen(%d)'; true`, port))
	app.Port = port
	p.start(app)
	got := p.untilReady("web")
	if ports := p.current().SnapshotWithPorts()[0].Ports; got.MemoryBytes == nil && len(ports) != 1 {
		t.Errorf("ports %+v, want %d", ports, port)
	}
	if now := p.current().SnapshotWithPortsNow()[0]; len(now.Ports) != 1 || len(now.Children) != 1 || now.MemoryBytes == nil {
		t.Errorf("now: ports %+v, children %v", now.Ports, now.Children)
	}
}

// A Node process whose event loop hangs answers nothing, and cannot even handle SIGTERM.
func TestHungNodeIsRestarted(t *testing.T) {
	p := newProject(t)
	port := freeport.Get(t)
	app := p.script("web", fmt.Sprintf(`
		const fs = require('fs'), http = require('http')
		process.on('SIGTERM', () => process.exit(0))
		let looks = 0
		http.createServer((q, r) => {
			r.end()
			if (++looks === 3 && !fs.existsSync('hung')) { fs.writeFileSync('hung', ''); for (;;) {} }
		}).listen(%d)`, port))
	app.Port, app.KillTimeout = port, 500*time.Millisecond
	app.Healthcheck = &stack.Healthcheck{HTTP: "/", Interval: 50 * time.Millisecond, Timeout: 2 * time.Second, Retries: 2}
	p.start(app)
	got := p.until("web", "restarted and ready", func(got Process) bool { return got.Ready && got.Restarts == 1 })
	if got.RestartsBy != (view.Restarts{Liveness: 1}) || got.UnstableRestarts != 1 || len(got.Exits) != 1 {
		t.Fatalf("restarts %+v, unstable %d, exits %+v", got.RestartsBy, got.UnstableRestarts, got.Exits)
	}
	if e := got.Exits[0]; e.Reason != view.Liveness || e.Signal != "SIGKILL" || !strings.HasPrefix(string(e.Cause), "healthcheck failed 2 times: ") {
		t.Errorf("exit %+v", e)
	}
}

func TestExecHealthcheck(t *testing.T) {
	p := newProject(t)
	app := p.app("db", "/bin/sh", "-c", "touch up; exec sleep 1000")
	app.Environment = append(app.Environment, stack.Variable{Key: "FILE", Value: "up"})
	app.Healthcheck = &stack.Healthcheck{
		Exec: []string{"sh", "-c", `test -e "$FILE"`}, Interval: time.Minute, Timeout: 5 * time.Second, Retries: 1,
	}
	p.start(app)
	p.untilReady("db")
}

func TestRunIn(t *testing.T) {
	run := runIn(t.TempDir(), os.Environ())
	sh := func(script string) []string { return []string{"sh", "-c", script} }
	for _, test := range []struct {
		argv   []string
		detail string
	}{
		{sh("echo asked; echo no such table >&2; exit 4"), "it exited with 4: no such table"},
		{sh("kill -KILL $$"), "it exited with 137"},
		{[]string{"no-such-program"}, "cannot run it: there is no such program: cannot find no-such-program in PATH"},
	} {
		r := probe.Exec(probe.Command{Name: "it", Argv: test.argv}, run).Check(t.Context())
		if r.Ready || !strings.HasPrefix(r.Detail, test.detail) || r.Broken != strings.HasPrefix(r.Detail, "cannot") {
			t.Errorf("%q: %+v", test.argv, r)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r := probe.Exec(probe.Command{Name: "it", Argv: sh("sleep 1000 & wait")}, run).Check(ctx)
	if r.Detail != "it did not end in time" {
		t.Errorf("%+v", r)
	}
}

func TestAnotherDaemonTakesOver(t *testing.T) {
	p := newProject(t)
	api := p.app("api", "/bin/sh", "-c", "exec sleep 1000")
	job := p.app("job", "/bin/sh", "-c", "exec sleep 1000")
	job.MaxRestarts = 0
	apps := []stack.App{api, job}
	p.start(apps...)
	before := p.untilReady("api")
	ended := p.untilReady("job")
	saved, err := p.current().Saved()
	if err != nil {
		t.Fatal(err)
	}
	p.current().Close() // its successor finds an exit that nobody has counted
	proc, err := os.FindProcess(*ended.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := proc.Kill(); err != nil {
		t.Fatal(err)
	}
	exited := func(r keeper.Running) bool { return r.Exit != nil }
	rows := []keeper.Running{}
	for !slices.ContainsFunc(rows, exited) {
		if rows, err = p.conn.List(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	next := p.newManager() // only now: like a daemon, it takes notifications after it has been told what it restores
	if err := next.Restore(Taken{Apps: apps, Saved: saved, Running: rows}); err != nil {
		t.Fatal(err)
	}
	got := p.untilState("job", view.Errored)
	if len(got.Exits) != 1 || got.Exits[0].Signal != "SIGKILL" {
		t.Errorf("exits %+v", got.Exits)
	}
	if got, _ := next.Process("api", 0); *got.Pid != *before.Pid || !got.Ready || got.ID != before.ID {
		t.Errorf("api is %+v, was %+v", got, before)
	}
	next.Stop("api")
	p.untilState("api", view.Stopped)
}
