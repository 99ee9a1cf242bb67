package main_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The unit is started when everything is ready and not before; nobody below the keeper can say so. SIGTERM ends everything,
// dependents first, and is no failure.
func TestForegroundTellsWhenItIsReady(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", `
apps:
  - name: web
    command: 'trap "echo web >> order; exit 0" TERM; while :; do sleep 0.05; done'
    healthcheck: {exec: [test, -e, good], interval: 100ms}
    listen_timeout: 100ms
  - name: agent
    command: 'trap "echo agent >> order; exit 0" TERM; while :; do sleep 0.05; done'
    depends_on: [web]
`)
	u := p.foreground("--timeout", "1s")
	u.hears(t, "STATUS=0/2 processes ready: waiting for web, agent")
	u.hears(t, "EXTEND_TIMEOUT_USEC=")
	waitFor(t, "the up given up", func() (bool, any) {
		log, _ := os.ReadFile(filepath.Join(p.StateDir, "daemon.log"))
		return strings.Contains(string(log), "the stack is not ready"), string(log)
	})
	if early := u.with("READY=1"); len(early) > 0 {
		t.Errorf("ready already: %+v", early)
	}
	p.write("good", "")
	u.hears(t, "READY=1")
	u.hears(t, "STATUS=2/2 processes ready")
	allReady(t, p.ps(), 0, 2)
	for _, r := range append(p.daemons(), append(p.launched("web"), p.launched("agent")...)...) {
		environ, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(r.pid), "environ"))
		if err != nil {
			continue // a sleep that is over
		}
		for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
			if slices.ContainsFunc(strings.Split(string(environ), "\x00"), func(kv string) bool { return strings.HasPrefix(kv, name+"=") }) {
				t.Errorf("%+v has %s", r, name)
			}
		}
	}
	u.term(t)
	u.ends(t, 0)
	u.hears(t, "STOPPING=1")
	if left := p.processes(); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
	if order := p.read("order"); order != "agent\nweb\n" {
		t.Errorf("ended in this order: %q", order)
	}
}

// What was stopped, started and scaled is so after a restart of the unit; an app runs without one that is stopped. `up`
// begins anew.
func TestForegroundComesBackAsItWas(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", `
apps:
  - {name: web, command: [sleep, "1000"]}
  - {name: agent, command: [sleep, "1000"], depends_on: [web]}
  - {name: extra, command: [sleep, "1000"], autostart: false}
  - {name: last, command: [sleep, "1000"]}
`)
	u := p.foreground()
	u.hears(t, "READY=1")
	statuses("web=online", "agent=online", "extra=stopped", "last=online")(p)
	p.must("stop", "agent")
	p.must("delete", "last")
	p.must("scale", "web", "2")
	p.must("start", "extra")
	said := p.must("save")
	for _, want := range []string{filepath.Join(p.StateDir, "intent.json"), "stopped: agent, last", "started: extra", "scaled:  web to 2"} {
		if !strings.Contains(said, want) {
			t.Errorf("save does not say %q:\n%s", want, said)
		}
	}
	u.term(t)
	u.ends(t, 0)

	u = p.foreground()
	u.hears(t, "READY=1")
	u.hears(t, "STATUS=3/3 processes ready")
	statuses("web=online", "web=online", "agent=stopped", "extra=online", "last=stopped")(p)
	p.must("start", "agent")
	p.must("stop", "web", "extra")
	p.must("restart", "last")
	p.must("down")
	u.ends(t, 0)
	if left := p.processes(); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}

	p.must("resurrect")
	statuses("web=stopped", "web=stopped", "agent=online", "extra=stopped", "last=online")(p)
	p.must("up")
	statuses("web=online", "agent=online", "extra=stopped", "last=online")(p)
	if said := p.must("save"); !strings.Contains(said, "stopped: nothing") || !strings.Contains(said, "scaled:  nothing") {
		t.Errorf("save after up:\n%s", said)
	}
	p.must("stop", "agent")
	p.must("down")

	if err := os.WriteFile(filepath.Join(p.StateDir, "intent.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := p.run("resurrect")
	if r.code != 0 || !strings.Contains(r.stderr, "intent.json: it is damaged") {
		t.Error(r)
	}
	statuses("web=online", "agent=online", "extra=stopped", "last=online")(p)
}

// One of several instances that was stopped stays so, and nobody waits for it.
func TestResurrectLeavesOneInstanceStopped(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", `
apps:
  - {name: web, command: [sleep, "1000"], instances: 2}
  - {name: agent, command: [sleep, "1000"], depends_on: [web]}
`)
	p.must("up")
	p.must("stop", "1")
	if said := p.must("save"); !strings.Contains(said, "stopped: web (instance 1)") {
		t.Errorf("save:\n%s", said)
	}
	p.must("down")
	p.must("resurrect")
	statuses("web=online", "web=stopped", "agent=online")(p)
	p.must("up")
	statuses("web=online", "web=online", "agent=online")(p)
}

// What a devstack of before intents has written is read, and then replaced.
func TestResurrectAfterAnUpgrade(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", "apps:\n  - {name: web, command: [sleep, '1000']}\n  - {name: agent, command: [sleep, '1000']}\n")
	if err := os.MkdirAll(p.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	earlier := filepath.Join(p.StateDir, "resurrect.json")
	if err := os.WriteFile(earlier, []byte(`{"version": 1, "saved_at": "2026-01-01T00:00:00Z", "stopped": ["agent"], "started": [], "instances": {"web": 2}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p.must("resurrect")
	statuses("web=online", "web=online", "agent=stopped")(p)
	if _, err := os.Stat(earlier); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old file is still there: %v", err)
	}
	p.must("down")
	p.must("resurrect")
	statuses("web=online", "web=online", "agent=stopped")(p)
}

// A daemon that dies before it has begun anything, and one that dies in the middle, have a successor that goes on.
func TestForegroundDaemonKilledDuringBoot(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", `
build: {if_missing: true, command: [sh, -c, "echo begun >> builds; while [ ! -e go ]; do sleep 0.05; done; echo 'while :; do sleep 0.05; done' > web.sh"]}
apps:
  - name: web
    script: web.sh
    interpreter: sh
    healthcheck: {exec: [test, -e, good], interval: 100ms}
`)
	u := p.foreground()
	for _, n := range []int{1, 2} {
		waitFor(t, "a build", func() (bool, any) {
			builds, _ := os.ReadFile(filepath.Join(p.dir, "builds"))
			return strings.Count(string(builds), "begun") >= n, string(builds)
		})
		if n == 1 {
			kill(t, p.daemons()[0].pid)
		}
	}
	p.write("go", "")
	waitFor(t, "web", func() (bool, any) {
		now := p.launched("web")
		return len(now) > 0, now
	})
	before := pids(p.ps())
	p.write("ecosystem.yaml", p.read("ecosystem.yaml")+"nonsense: true\n") // what runs stays, though it could not be brought up now
	kill(t, p.ps().Daemon.Pid)
	waitFor(t, "the successor's attempt", func() (bool, any) {
		log, _ := os.ReadFile(filepath.Join(p.StateDir, "daemon.log"))
		return strings.Contains(string(log), "nonsense"), string(log)
	})
	p.write("good", "")
	u.hears(t, "READY=1")
	if after := pids(p.ps()); !equalPids(before, after) {
		t.Errorf("restarted: %v, then %v", before, after)
	}
	p.must("down")
	u.ends(t, 0)
}

// What waiting cannot cure fails the unit, and its journal has the reason.
func TestForegroundRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		file string
		code int
		says []string
	}{
		"syntax":      {"apps:\n  - {name: web, comand: sleep}\n", 3, []string{"ecosystem.yaml:2:17", "comand"}},
		"environment": {"required_env: [DEVSTACK_NOT_SET]\napps:\n  - {name: web, command: [sleep, '9']}\n", 4, []string{"DEVSTACK_NOT_SET"}},
		"script":      {"apps:\n  - {name: web, script: gone.js}\n  - {name: other, command: [not-a-program]}\n", 4, []string{"2 problems", "gone.js", "not-a-program"}},
		"no file":     {"", 3, []string{"cannot find ecosystem.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			if tc.file != "" {
				p.write("ecosystem.yaml", tc.file)
			}
			u := p.foreground()
			u.ends(t, tc.code)
			for _, want := range append(tc.says, "error:") {
				if !strings.Contains(u.stderr.String(), want) {
					t.Errorf("does not say %q:\n%s", want, u.stderr)
				}
			}
			if ready := u.with("READY=1"); len(ready) > 0 {
				t.Errorf("told %+v", ready)
			}
			if left := p.processes(); len(left) > 0 {
				t.Errorf("left: %+v", left)
			}
		})
	}
}

// A process that has given up leaves the stack up and the unit starting, until somebody has helped it.
func TestForegroundDegraded(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", `
apps:
  - {name: good, command: [sleep, "1000"]}
  - {name: bad, command: '[ -e fixed ] || exit 1; exec sleep 1000', max_restarts: 0}
`)
	u := p.foreground()
	u.hears(t, "STATUS=1/2 processes ready: waiting for bad (errored)")
	statuses("good=online", "bad=errored")(p)
	second := p.foreground()
	second.ends(t, 1)
	if said := second.stderr.String(); !strings.Contains(said, "cannot run the stack in "+p.Dir+": another keeper") {
		t.Errorf("the second one said:\n%s", said)
	}
	p.write("fixed", "")
	p.must("restart", "bad")
	u.hears(t, "READY=1")
	p.must("down")
	u.ends(t, 0)
}

// Signs of life stop with the keeper, and with the daemon until the keeper has replaced it.
func TestForegroundWatchdog(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", "apps:\n  - {name: web, command: [sleep, '1000']}\n")
	u := p.foreground()
	u.hears(t, "READY=1")
	goesOn := func() {
		t.Helper()
		before := len(u.with("WATCHDOG=1"))
		waitFor(t, "signs of life", func() (bool, any) {
			now := len(u.with("WATCHDOG=1"))
			return now >= before+3, now
		})
	}
	goesOn()
	keeper := p.keepers()[0].pid
	signal(t, keeper, syscall.SIGSTOP)
	silence(t, u)
	signal(t, keeper, syscall.SIGCONT)
	goesOn()
	before, daemon := pids(p.ps()), p.ps().Daemon.Pid
	signal(t, daemon, syscall.SIGSTOP)
	silence(t, u)
	goesOn()
	if now := p.ps(); now.Daemon.Pid == daemon || !equalPids(before, pids(now)) {
		t.Errorf("daemon %d, then %d; processes %v, then %v", daemon, now.Daemon.Pid, before, pids(now))
	}
	p.must("down")
	u.ends(t, 0)
}

// SIGTERM ends native servers, too: they are in the unit's control group, and nothing of it may be left.
func TestForegroundEndsNativeServers(t *testing.T) {
	t.Parallel()
	p := newNative(t)
	p.write("compose.yaml", "name: ${STACK_NAME}\nservices:\n  redis: {image: \"redis:7-alpine\", ports: [\"${REDIS_PORT}:6379\"]}\n")
	p.write("ecosystem.yaml", "compose: compose.yaml\napps:\n  - {name: client, command: [sleep, '1000'], depends_on: [redis]}\n")
	u := p.foregroundWith(noEngine)
	u.hears(t, "READY=1")
	u.hears(t, "STATUS=1/1 processes ready, 1/1 services ready")
	u.term(t)
	u.ends(t, 0)
	p.redisEnded()

	// One that has outlived its keeper is no child of the next, and ends with it all the same.
	u = p.foregroundWith(noEngine)
	u.hears(t, "READY=1")
	launched := p.server("redis")
	signal(t, u.cmd.Process.Pid, syscall.SIGKILL)
	u.ends(t, -1)
	u = p.foregroundWith(noEngine)
	u.hears(t, "READY=1")
	if adopted := p.server("redis"); adopted != launched {
		t.Errorf("redis was %d and is %d", launched, adopted)
	}
	u.term(t)
	u.ends(t, 0)
	p.redisEnded()
}

// redisEnded says that nothing of a stack with a native redis is left.
func (p *project) redisEnded() {
	t := p.t
	t.Helper()
	if conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(p.redisPort)); err == nil {
		_ = conn.Close()
		t.Error("redis still listens")
	}
	if left := p.processes(); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
}

// Another devstack takes over from the one in the foreground: the same main process, which goes on notifying.
func TestForegroundUpgraded(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", "apps:\n  - {name: web, command: [sleep, '1000']}\n")
	u := p.foreground()
	u.hears(t, "READY=1")
	before := pids(p.ps())
	p.must("daemon", "restart")
	waitFor(t, "the next daemon's READY=1", func() (bool, any) {
		told := u.with("READY=1")
		return len(told) > 1, told
	})
	signs := len(u.with("WATCHDOG=1"))
	waitFor(t, "signs of life", func() (bool, any) {
		now := len(u.with("WATCHDOG=1"))
		return now > signs+3, now
	})
	if after := pids(p.ps()); !equalPids(before, after) || p.keepers()[0].pid != u.cmd.Process.Pid {
		t.Errorf("pids %v, then %v; keeper %+v, not %d", before, after, p.keepers(), u.cmd.Process.Pid)
	}
	u.term(t)
	u.ends(t, 0)
	if left := p.processes(); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
}

// SIGTERM to a unit that is still starting.
func TestForegroundEndedDuringBoot(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", "apps:\n  - {name: web, command: [sleep, '1000'], healthcheck: {exec: [test, -e, never]}}\n")
	u := p.foreground()
	waitFor(t, "web", func() (bool, any) {
		now := p.launched("web")
		return len(now) > 0, now
	})
	u.term(t)
	u.ends(t, 0)
	if left := p.processes(); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
}

// Save needs a stack.
func TestSaveWithoutAStack(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", "apps:\n  - {name: web, command: [sleep, '1000']}\n")
	if r := p.run("save"); r.code != 8 {
		t.Error(r)
	}
	if _, err := os.Stat(filepath.Join(p.StateDir, "intent.json")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
