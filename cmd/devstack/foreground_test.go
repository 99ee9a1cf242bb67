package main_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// manager stands for systemd: the socket that it gives a unit, and what the unit said there.
type manager struct {
	address string

	mu   sync.Mutex
	told []notification
}

type notification struct {
	at   time.Time
	text string
}

func newManager(p *project) *manager {
	p.t.Helper()
	m := &manager{address: filepath.Join(p.home, "notify-"+randomHex())}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.address, Net: "unixgram"})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 8192)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.told = append(m.told, notification{time.Now(), string(buffer[:n])})
			m.mu.Unlock()
		}
	}()
	return m
}

// with are the notifications that have a line which begins so.
func (m *manager) with(start string) (found []notification) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.told {
		if strings.HasPrefix(n.text, start) || strings.Contains(n.text, "\n"+start) {
			found = append(found, n)
		}
	}
	return found
}

// hears waits for such a notification.
func (m *manager) hears(t *testing.T, start string) {
	t.Helper()
	waitFor(t, "notification "+start, func() (bool, any) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, n := range m.told {
			if strings.HasPrefix(n.text, start) || strings.Contains(n.text, "\n"+start) {
				return true, nil
			}
		}
		return false, m.told[max(0, len(m.told)-5):]
	})
}

// unit is `devstack resurrect --foreground` as a unit's main process.
type unit struct {
	*manager
	cmd    *exec.Cmd
	stderr *sharedBuffer
	ended  chan struct{}
}

// watchdog is how often the tests' manager wants a sign of life.
const watchdog = 400 * time.Millisecond

// foreground starts the stack as a service manager does, and ends it with the test.
func (p *project) foreground(args ...string) *unit {
	p.t.Helper()
	u := &unit{manager: newManager(p), stderr: &sharedBuffer{}, ended: make(chan struct{})}
	u.cmd = exec.Command(filepath.Join(binariesDir(), "devstack"), append([]string{"resurrect", "--foreground"}, args...)...)
	u.cmd.Dir = p.dir
	u.cmd.Env = append(p.environment(), "NOTIFY_SOCKET="+u.address, "WATCHDOG_USEC="+strconv.FormatInt(watchdog.Microseconds(), 10))
	u.cmd.Stdout, u.cmd.Stderr = u.stderr, u.stderr
	u.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := u.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		_ = u.cmd.Wait() // its state is looked at
		close(u.ended)
	}()
	p.t.Cleanup(func() {
		_ = u.cmd.Process.Signal(syscall.SIGTERM)
		<-u.ended
	})
	return u
}

// ends waits for the end of the main process, which has to have this exit code.
func (u *unit) ends(t *testing.T, code int) {
	t.Helper()
	select {
	case <-u.ended:
	case <-time.After(time.Until(deadline(t))):
		t.Fatalf("it stays; it said:\n%s", u.stderr)
	}
	if got := u.cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, not %d; it said:\n%s", got, code, u.stderr)
	}
}

func (u *unit) term(t *testing.T) {
	t.Helper()
	signal(t, u.cmd.Process.Pid, syscall.SIGTERM)
}

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
	for _, want := range []string{filepath.Join(p.StateDir, "resurrect.json"), "stopped: agent, last", "started: extra", "scaled:  web to 2"} {
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

	if err := os.WriteFile(filepath.Join(p.StateDir, "resurrect.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := p.run("resurrect")
	if r.code != 0 || !strings.Contains(r.stderr, "resurrect.json: it is damaged") {
		t.Error(r)
	}
	statuses("web=online", "agent=online", "extra=stopped", "last=online")(p)
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
	kill(t, p.ps().Daemon.Pid)
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
		"no file":     {"", 3, []string{"there is no ecosystem.yaml"}},
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
	if said := second.stderr.String(); !strings.Contains(said, "another keeper runs the stack in "+p.Dir) {
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

// silence waits until five signs of life are overdue.
func silence(t *testing.T, u *unit) {
	t.Helper()
	waitFor(t, "silence", func() (bool, any) {
		signs := u.with("WATCHDOG=1")
		last := signs[len(signs)-1].at
		return time.Since(last) > 5*watchdog/2, last
	})
}

// Services that others start may be late: gates wait for them, and so does the unit.
func TestForegroundWithoutInfra(t *testing.T) {
	t.Parallel()
	if err := ready(); err != nil {
		t.Fatal(err)
	}
	p := newProject(t)
	p.write("compose.yaml", "name: ${STACK_NAME}\nservices:\n  redis: {image: \"redis:7-alpine\", ports: [\"${REDIS_PORT}:6379\"]}\n")
	p.write("ecosystem.yaml", "compose: compose.yaml\napps:\n  - {name: client, command: [sleep, '1000'], depends_on: [redis]}\n")
	u := p.foreground("--no-infra", "--timeout", "1s")
	u.hears(t, "STATUS=0/1 processes ready, 0/1 services ready: waiting for redis, client")
	statuses("client=waiting")(p)
	docker(t, "run", "-d", "--label", "com.docker.compose.project="+p.name, "-p", "127.0.0.1:"+strconv.Itoa(p.redisPort)+":6379", "redis:7-alpine")
	u.hears(t, "READY=1")
	u.hears(t, "STATUS=1/1 processes ready, 1/1 services ready")
	p.must("down")
	u.ends(t, 0)
	if n := len(p.labelled("container")); n != 1 {
		t.Errorf("%d containers are left, not the one of others", n)
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
	if _, err := os.Stat(filepath.Join(p.StateDir, "resurrect.json")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
