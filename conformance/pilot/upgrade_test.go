package pilot_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// upgrades gives the running stack other executables, while it is asked all the time.
func (s *stack) upgrades() {
	s.withExecutables(second, "/root/v2")
	before := s.becomesReady()
	keeper, restarts := s.unit("MainPID"), s.unit("NRestarts")
	pipeline := s.submit()
	ended := s.asks()
	began := time.Now()
	s.run("/root/v2/devstack -C %s bootstrap --infra %s", at, s.infra)
	took := time.Since(began)
	after := s.becomesReady()
	said := ended()
	s.took("upgrade of keeper and daemon in place", took, "nothing: "+said)
	if after.Daemon.Version != "v2" || before.Daemon.Version != "v1" {
		s.t.Errorf("the daemon was %s and is %s", before.Daemon.Version, after.Daemon.Version)
	}
	if pids(after) != pids(before) {
		s.t.Errorf("processes were restarted:\n%s\n%s", pids(before), pids(after))
	}
	for i, p := range after.Processes {
		if p.Restarts != before.Processes[i].Restarts {
			s.t.Errorf("%s has %d restarts, not %d", p.Name, p.Restarts, before.Processes[i].Restarts)
		}
	}
	if now := s.unit("MainPID"); now != keeper || s.unit("NRestarts") != restarts {
		s.t.Errorf("systemd restarted the unit: its process was %s and is %s", keeper, now)
	}
	s.run("cmp /proc/%s/exe /root/v2/devstack", keeper)
	s.completes(pipeline)
}

// asks asks the orchestrator all the time, until what it returns is called: that says how every request ended.
func (s *stack) asks() (ended func() string) {
	s.t.Helper()
	ctx, cancel := context.WithDeadline(s.t.Context(), deadline(s.t))
	cmd := exec.CommandContext(ctx, "docker", "exec", "-i", s.name, "/root/v1/asker", fmt.Sprintf("127.0.0.1:%d", s.port), "/healthz")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	stdin, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return func() string {
		s.t.Helper()
		defer cancel()
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("requests failed: %v\n%s", err, out.String())
		}
		return strings.TrimSpace(out.String())
	}
}
