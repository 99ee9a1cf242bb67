package main_test

import (
	"context"
	"os/exec"
	"syscall"
	"testing"
)

// An exit that happens while no daemon runs is neither lost nor invented.
func TestFaultExitWithoutDaemon(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", `
apps:
  - name: leaver
    command: 'read line < gate; exit 42'
    autorestart: false
`)
	if output, err := exec.Command("mkfifo", p.dir+"/gate").CombinedOutput(); err != nil {
		t.Fatalf("mkfifo: %v\n%s", err, output)
	}
	p.must("up")
	daemon := p.ps().Daemon.Pid
	signal(t, daemon, syscall.SIGSTOP) // it cannot see the exit, and the watchdog is far away
	p.write("gate", "go\n")
	waitFor(t, "the app gone", func() (bool, any) {
		left := p.launched("leaver")
		return len(left) == 0, left
	})
	kill(t, daemon)
	waitFor(t, "the exit on record", func() (bool, any) {
		now := p.process("leaver")
		return now.Exit != nil, now
	})
	now := p.process("leaver")
	if now.Exit.Code == nil || *now.Exit.Code != 42 || now.Exit.Signal != "" || now.Status != "stopped" && now.Status != "errored" {
		t.Errorf("leaver: %+v, exit %+v", now, now.Exit)
	}
}

// Killed, both of them, and brought up again: no app runs twice, and what was left behind is gone.
func TestFaultKeeperAndDaemonKilled(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", "apps:\n  - {name: sleeper, command: [sleep, '1000']}\n")
	p.must("up")
	kill(t, p.keepers()[0].pid)
	for _, daemon := range p.daemons() {
		kill(t, daemon.pid)
	}
	p.must("up")
	allReady(t, p.ps(), 0, 1)
	if copies := p.launched("sleeper"); len(copies) != 1 {
		t.Errorf("sleeper runs %d times: %+v", len(copies), copies)
	}
}

// A daemon that dies between kill_signal and kill_timeout: its successor still ends the process, with SIGKILL.
func TestFaultDaemonKilledWhileStopping(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", `
apps:
  - name: deaf
    command: 'trap "" TERM; echo deaf; while :; do sleep 1000; done'
    kill_timeout: 2s
`)
	p.must("up")
	ctx, cancel := context.WithDeadline(t.Context(), deadline(t))
	defer cancel()
	stopped := make(chan result)
	go func() { stopped <- execute(t, p.command(ctx, p.dir, nil, "stop", "deaf")) }()
	waitFor(t, "deaf stopping", func() (bool, any) {
		now := p.process("deaf")
		return now.Status == "stopping", now
	})
	kill(t, p.ps().Daemon.Pid)
	if r := <-stopped; r.code != 0 {
		t.Error(r)
	}
	now := p.process("deaf")
	if now.Status != "stopped" || now.Exit == nil || now.Exit.Signal != "SIGKILL" || now.Exit.Reason != "manual" {
		t.Errorf("deaf: %+v, exit %+v", now, now.Exit)
	}
	if left := p.launched("deaf"); len(left) > 0 {
		t.Errorf("processes are left: %+v", left)
	}
}

// An app that ends because its dependency is down waits for it instead of crashing on; it is back when the dependency is.
func TestFaultDependencyDown(t *testing.T) {
	t.Parallel()
	if err := ready(); err != nil {
		t.Fatal(err)
	}
	p := newProject(t)
	p.write("compose.yaml", "name: ${STACK_NAME}\nservices:\n  redis: {image: \"redis:7-alpine\", ports: [\"${REDIS_PORT}:6379\"]}\n")
	p.write("client.js", `
const socket = require('node:net').connect(Number(process.env.REDIS_PORT), '127.0.0.1');
socket.on('connect', () => process.send('ready'));
socket.on('error', () => process.exit(1));
socket.on('close', () => process.exit(1));
`)
	p.write("ecosystem.yaml", `
compose: compose.yaml
apps:
  - {name: client, script: client.js, wait_ready: true, max_restarts: 0, depends_on: [redis]}
`)
	p.must("up")
	docker(t, "stop", p.name+"-redis-1")
	waitFor(t, "client waiting for redis, its exit not counted", func() (bool, any) {
		now := p.process("client")
		if now.Status == "errored" || now.UnstableRestarts > 0 {
			t.Fatalf("an exit while redis is down counts: %+v", now)
		}
		return now.Status == "waiting" && len(now.WaitingFor) == 1 && now.WaitingFor[0] == "redis", now
	})
	p.must("up")
	before := p.ps()
	allReady(t, before, 1, 1)
	docker(t, "restart", "-t", "0", p.name+"-redis-1")
	waitFor(t, "both back", func() (bool, any) {
		after := p.ps()
		return allOnline(after) && !equalPids(pids(before), pids(after)), after
	})
}

// What an app has put into a session of its own goes with it.
func TestFaultOrphansOfTheirOwnSession(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", `
apps:
  - name: father
    command: 'setsid --fork sh -c "trap : TERM HUP; while :; do sleep 1000; done"; exec sleep 1000'
`)
	p.must("up")
	waitFor(t, "father and orphan", func() (bool, any) {
		now := p.launched("father")
		return len(now) >= 3, now
	})
	p.must("stop", "father")
	if left := p.launched("father"); len(left) > 0 {
		t.Errorf("processes are left: %+v", left)
	}
}
