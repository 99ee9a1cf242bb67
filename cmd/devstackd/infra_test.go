package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// twoServices are a server and one that depends on it.
const twoServices = `
name: %s
services:
  first:
    image: redis:7-alpine
    ports: ["%s:6379"]
    stop_grace_period: 5s
  second:
    image: redis:7-alpine
    ports: ["%s:6379"]
    depends_on: {first: {condition: service_healthy}}
`

func TestInfraBringsUpRepairsAndStops(t *testing.T) {
	f := newInfraFixture(t)
	u := f.start()
	u.until(0, "notify STATUS=2/2 services ready")
	u.until(0, "notify READY=1")
	u.until(0, "notify WATCHDOG=1")
	u.until(0, "notify EXTEND_TIMEOUT_USEC=")
	if began, before := f.inspect("second", "{{.State.StartedAt}}"), f.inspect("first", "{{.State.StartedAt}}"); began < before {
		t.Errorf("second began at %s, before first, on which it depends, at %s", began, before)
	}
	if host := f.inspect("first", `{{(index .NetworkSettings.Ports "6379/tcp" 0).HostIp}}`); host != "127.0.0.1" {
		t.Errorf("in pilot, first is published on %s", host)
	}

	mark := u.now()
	id := f.inspect("first", "{{.Id}}")
	pid := f.inspect("first", "{{.State.Pid}}")
	if err := syscall.Kill(number(t, pid), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	mark = u.until(u.until(mark, `"not ready"`, "service=first"), "to=ready", "service=first")
	if got := f.inspect("first", "{{.Id}} {{.State.Running}}"); got != id+" true" {
		t.Errorf("after kill -9 of its process, first is %s, want the container %s running", got, id)
	}

	f.docker("rm", "-f", id)
	u.until(u.until(mark, "to=absent", "service=first"), "to=ready", "service=first")
	if got := f.inspect("first", "{{.Id}}"); got == id {
		t.Error("the removed container is still there")
	}

	both := f.inspect("first", "{{.Id}}") + f.inspect("second", "{{.Id}}")
	u.stop()
	u.until(mark, "notify STOPPING=1")
	first, second := f.inspect("first", "{{.State.Status}} {{.State.FinishedAt}}"), f.inspect("second", "{{.State.Status}} {{.State.FinishedAt}}")
	if !strings.HasPrefix(first, "exited ") || !strings.HasPrefix(second, "exited ") || second > first {
		t.Errorf("after SIGTERM: first %s, second %s; want both exited, second before first", first, second)
	}

	u = f.start()
	u.until(0, "notify STATUS=2/2 services ready") // its own stopping was nobody's decision
	if again := f.inspect("first", "{{.Id}}") + f.inspect("second", "{{.Id}}"); again != both {
		t.Error("a restart has made new containers")
	}
	u.stop()
}

func TestInfraRemembersWhatSomebodyStopped(t *testing.T) {
	f := newInfraFixture(t)
	u := f.start()
	u.until(0, "notify READY=1")
	f.docker("stop", f.inspect("second", "{{.Id}}"))
	u.until(0, "notify STATUS=1/2 services ready; second is stopped")
	u.stop()

	u = f.start()
	u.until(0, "notify STATUS=1/2 services ready; second is stopped")
	u.until(0, "notify READY=1")
	if got := f.inspect("second", "{{.State.Status}}"); got != "exited" {
		t.Errorf("somebody had stopped second, and after a restart it is %s", got)
	}
	u.kill()
	f.docker("stop", f.inspect("first", "{{.Id}}")) // while nobody watches

	u = f.start()
	u.until(0, "notify STATUS=0/2 services ready; first is stopped; second is stopped")
	u.until(0, "notify READY=1")
	mark := u.now()
	f.docker("start", f.inspect("second", "{{.Id}}"))
	u.until(mark, "notify STATUS=1/2 services ready; first is stopped")
	u.stop()

	u = f.start()
	u.until(0, "notify EXTEND_TIMEOUT_USEC=") // wherever in the boot it then is
	u.stop()
	u = f.start()
	u.until(0, "notify STATUS=1/2 services ready; first is stopped")
	u.stop()
}

func TestInfraMakesAChangedServiceAnew(t *testing.T) {
	f := newInfraFixture(t)
	u := f.start()
	u.until(0, "notify READY=1")
	u.stop()
	before, kept := f.inspect("second", "{{.Id}}"), f.inspect("first", "{{.Id}}")
	f.write("compose.yaml", strings.Replace(f.compose, "    depends_on:", "    labels: {changed: \"yes\"}\n    depends_on:", 1))
	u = f.start()
	u.until(0, "notify STATUS=2/2 services ready")
	if after := f.inspect("second", "{{.Id}}"); after == before || f.inspect("first", "{{.Id}}") != kept {
		t.Errorf("second was %.12s and is %.12s, first was %.12s", before, after, kept)
	}
	u.stop()
}

func TestInfraWaitsForTheEngine(t *testing.T) {
	f := newInfraFixture(t)
	socket := filepath.Join(f.short(), "docker.sock")
	f.env = append(f.env, "DOCKER_HOST=unix://"+socket)
	u := f.start()
	mark := u.until(0, "notify STATUS=waiting for the container engine: no container engine answers; tried unix://"+socket)
	mark = u.until(mark, "notify EXTEND_TIMEOUT_USEC=")
	u.until(u.until(mark, "notify WATCHDOG=1"), "notify WATCHDOG=1")
	u.never("notify READY=1")
	u.stop()
	u.never("notify READY=1")

	u = f.start()
	u.until(0, "notify STATUS=waiting for the container engine")
	if err := os.Symlink(strings.TrimPrefix(f.engine(), "unix://"), socket); err != nil {
		t.Fatal(err)
	}
	u.until(0, "notify READY=1")
	u.stop()
}

func TestOneInfraForAProject(t *testing.T) {
	f := newInfraFixture(t)
	f.env = append(f.env, "DOCKER_HOST=unix:///nonexistent")
	u := f.start()
	u.until(0, "notify STATUS=waiting")
	code, output := f.run()
	want := fmt.Sprintf("error: cannot keep the containers of %s: another devstackd infra (pid %d) does", f.project, u.cmd.Process.Pid)
	if code != 2 || !strings.Contains(output, want) {
		t.Errorf("a second one ends with %d and says %q, want 2 and %q", code, output, want)
	}
	u.kill() // the lock ends with it, however it ends
	u = f.start()
	u.until(0, "notify STATUS=waiting")
	u.stop()
}

func TestInfraRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		args []string
		code int
		says string
	}{
		"files":         {file: "compose: compose.yaml\nsevices: [x]", code: 3, says: `unknown key "sevices"`},
		"no containers": {file: "apps: [{name: a, script: a.js}]", code: 3, says: "cannot keep containers: ecosystem.yaml has none"},
		"prod":          {file: "compose: compose.yaml", args: []string{"--profile", "prod"}, code: 2, says: "never runs it"},
		"unknown name":  {file: "compose: compose.yaml", args: []string{"--profile", "pilto"}, code: 2, says: "pilot"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newInfraFixture(t)
			f.write("ecosystem.yaml", c.file)
			if code, output := f.run(c.args...); code != c.code || !strings.Contains(output, c.says) {
				t.Errorf("exit code %d, %q; want %d and %q", code, output, c.code, c.says)
			}
		})
	}
}
