package main_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The stack goes on, and the pipeline that is under way completes, whatever is killed.
func TestFaultsUnderARunningPipeline(t *testing.T) {
	t.Parallel()
	p := newSample(t)
	p.write("numbers.js", numbersScript)
	p.edit("ecosystem.yaml", "\napps:\n", "\napps:\n  - {name: numbers, script: numbers.js, cwd: .}\n")
	p.edit(".env", "STACK_NAME="+p.name, "TASK_PACE_MS=700\nSTACK_NAME="+p.name)
	p.must("up")
	allReady(t, p.ps(), 2, 7)

	for _, fault := range []struct {
		name string
		kill func(*project)
	}{
		{"agent", killAgent},
		{"daemon", killDaemon},
		{"redis process", killRedisProcess},
		{"redis container", removeRedisContainer},
	} {
		t.Run(fault.name, func(t *testing.T) {
			p := p.as(t)
			id := p.postPipeline("Survives " + fault.name)
			waitFor(t, "the first agent at work", func() (bool, any) {
				got, err := p.getPipeline(id)
				return err == nil && len(got.Tasks) > 0 && got.Tasks[0].Attempts > 0, got
			})
			fault.kill(p)
			p.completes(id)
			waitFor(t, "everything ready again", func() (bool, any) {
				state := p.ps()
				return allOnline(state), state
			})
		})
	}
	p.numbersAreComplete()
}

// killAgent: the process is started again and counted, and how it ended is on record.
func killAgent(p *project) {
	p.t.Helper()
	before := p.process("agent-scaffold")
	kill(p.t, *before.Pid)
	waitFor(p.t, "agent-scaffold back", func() (bool, any) {
		now := p.process("agent-scaffold")
		return now.Ready && now.Pid != nil && *now.Pid != *before.Pid, now
	})
	now := p.process("agent-scaffold")
	if now.Restarts != before.Restarts+1 {
		p.t.Errorf("restarts went from %d to %d", before.Restarts, now.Restarts)
	}
	if now.Exit == nil || now.Exit.Signal != "SIGKILL" || now.Exit.Code != nil || now.Exit.Reason != "crash" {
		p.t.Errorf("the recorded exit is %+v", now.Exit)
	}
}

// killDaemon, three times: every process keeps its pid, the next command is answered, by another daemon.
func killDaemon(p *project) {
	p.t.Helper()
	before := p.ps()
	for range 3 {
		last := p.ps().Daemon.Pid
		kill(p.t, last)
		killed := time.Now()
		now := p.ps()
		p.t.Logf("answered %s after the daemon was killed", time.Since(killed).Round(time.Millisecond))
		if now.Daemon.Pid == last {
			p.t.Errorf("the killed daemon %d answers", last)
		}
		unchanged(p.t, before, now)
	}
	p.must("describe", "redis")
	p.must("logs", "numbers", "--no-follow")
	if daemons := p.daemons(); len(daemons) != 1 {
		p.t.Errorf("daemons: %+v", daemons)
	}
}

// killRedisProcess: the container comes back by itself, with its data; no agent is restarted for it.
func killRedisProcess(p *project) {
	p.t.Helper()
	p.redisComesBack(func(container string) {
		pid, err := strconv.Atoi(docker(p.t, "inspect", "-f", "{{.State.Pid}}", container))
		if err != nil {
			p.t.Fatal(err)
		}
		kill(p.t, pid)
	})
}

// removeRedisContainer: another container takes its place, on the same data.
func removeRedisContainer(p *project) {
	p.t.Helper()
	p.redisComesBack(func(container string) { docker(p.t, "rm", "-f", container) })
}

func (p *project) redisComesBack(end func(container string)) {
	p.t.Helper()
	container := p.name + "-redis"
	docker(p.t, "exec", container, "redis-cli", "set", "kept", p.t.Name())
	agents, started := pids(p.ps()), p.service("redis").StartedAt
	end(container)
	waitFor(p.t, "redis back", func() (bool, any) {
		now := p.service("redis")
		return now.Ready && now.StartedAt != nil && now.StartedAt.After(*started), now
	})
	if got := docker(p.t, "exec", container, "redis-cli", "get", "kept"); got != p.t.Name() {
		p.t.Errorf("redis holds %q, not %q", got, p.t.Name())
	}
	if now := pids(p.ps()); !equalPids(agents, now) {
		p.t.Errorf("pids changed from %v to %v", agents, now)
	}
}

// What somebody stopped stays stopped, by name, until up asks for it again.
func TestFaultDockerStop(t *testing.T) {
	t.Parallel()
	p := newSample(t)
	p.must("up", "redis", "postgres")
	made := p.service("redis").ID
	docker(t, "stop", p.name+"-redis")
	waitFor(t, "redis stopped by other", func() (bool, any) {
		now := p.service("redis")
		return now.State == "exited" && now.StoppedBy == "other", now
	})
	if now := p.service("redis"); now.Health != "stopped" || now.Ready {
		t.Errorf("redis: %+v", now)
	}
	if out := p.must("ps"); !strings.Contains(out, "other") {
		t.Errorf("ps does not say by whom redis was stopped:\n%s", out)
	}
	if out := p.must("describe", "redis"); !strings.Contains(out, "other") {
		t.Errorf("describe does not say by whom redis was stopped:\n%s", out)
	}
	// A daemon that starts now must not take the stopped container for a dead one.
	kill(t, p.ps().Daemon.Pid)
	if now := p.service("redis"); now.State != "exited" || now.StoppedBy != "other" {
		t.Errorf("redis after a restart of the daemon: %+v", now)
	}

	p.must("up", "redis", "postgres")
	if now := p.service("redis"); !now.Ready || now.Health != "healthy" || now.StoppedBy != "" || now.ID != made {
		t.Errorf("redis after up: %+v", now)
	}
}

// numbersScript prints 1, 2, 3 ... for ever.
const numbersScript = `let n = 0; setInterval(() => console.log(++n), 5);`

// numbersAreComplete looks into the log file: every number is there once, in order.
func (p *project) numbersAreComplete() {
	p.t.Helper()
	lines := strings.Split(p.read("scripts/logs/numbers-out.log"), "\n")
	for i, line := range lines[:len(lines)-1] {
		if line != fmt.Sprint(i+1) {
			p.t.Fatalf("line %d of the log is %q", i+1, line)
		}
	}
	if len(lines) < 500 {
		p.t.Errorf("only %d lines in the log", len(lines))
	}
}
