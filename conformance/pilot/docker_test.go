package pilot_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The same with services in containers, of which only the infra unit knows. The machine has its host's engine and its host's
// network, because containers' ports are published there.
func TestDocker(t *testing.T) {
	t.Parallel()
	cli, err := exec.LookPath("docker")
	if err != nil {
		t.Fatal(err)
	}
	name, ports := make([]byte, 4), freePorts(t, 3)
	_, _ = rand.Read(name) // never fails
	s := &stack{
		project: "pilot-" + hex.EncodeToString(name), infra: "docker", table: &strings.Builder{},
		port: ports[0], redis: ports[1], postgres: ports[2],
	}
	t.Cleanup(func() { removeProject(t, s.project) }) // when the machine, which repairs it, is gone
	s.vm = newVM(t, "--network", "host", "-v", "/var/run/docker.sock:/run/docker.sock", "-v", cli+":/usr/local/bin/docker:ro")
	defer func() { t.Logf("times, services in containers:\n| | | lost |\n|---|---|---|\n%s", s.table) }()
	s.withExecutables(first, "/root/v1")
	s.withSample("STACK_NAME="+s.project, fmt.Sprint("ORCHESTRATOR_PORT=", s.port), fmt.Sprint("REDIS_PORT=", s.redis), fmt.Sprint("POSTGRES_PORT=", s.postgres))
	// The engine is the host's; to systemd it is a service of this machine.
	s.write("/etc/systemd/system/docker.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n")
	s.step(t, "bootstrap", (*stack).bootstraps)
	s.step(t, "boot", (*stack).boots)
	s.step(t, "faults", (*stack).survives)
	s.step(t, "containers", (*stack).repairs)
	s.step(t, "upgrade", (*stack).upgrades)
	s.step(t, "backup", (*stack).restores)
	s.step(t, "stop", (*stack).stops)
}

// repairs: containers come back, and neither of the two units needs the other one for what is its own.
func (s *stack) repairs() {
	before := pids(s.becomesReady())
	for _, name := range []string{"redis", "postgres"} {
		began := time.Now()
		if _, err := docker(s.t.Context(), nil, "kill", "-s", "KILL", s.project+"-"+name); err != nil {
			s.t.Fatal(err)
		}
		var id string
		waitFor(s.t, "a pipeline is accepted after the end of "+name, func() (err error) {
			id, err = s.trySubmit()
			return err
		})
		s.completes(id)
		s.took("kill -9 of "+name+", until a pipeline has passed", time.Since(began), "nothing but requests that were answered with an error")
	}
	if after := pids(s.becomesReady()); after != before {
		s.t.Errorf("processes were restarted for a service's sake:\n%s\n%s", before, after)
	}

	ids := s.containers()
	began := time.Now()
	s.run("systemctl kill -s KILL --kill-whom=main %s-infra", s.project)
	waitFor(s.t, "the infra unit is back", func() error {
		_, err := s.try("systemctl is-active " + s.project + "-infra && [ $(systemctl show -P NRestarts " + s.project + "-infra) -ge 1 ]")
		return err
	})
	s.took("kill -9 of devstackd infra", time.Since(began), "nothing: the containers stay")
	if now := s.containers(); now != ids {
		s.t.Errorf("other containers run:\n%s\n%s", ids, now)
	}
}

// containers are the ids of those that run.
func (s *stack) containers() string {
	s.t.Helper()
	out, err := docker(s.t.Context(), nil, "ps", "-q", "--no-trunc", "--filter", "label=com.docker.compose.project="+s.project)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// removeProject removes what the stack has left on the host's engine, as it should.
func removeProject(t *testing.T, project string) {
	t.Helper()
	for _, kind := range []struct{ list, remove []string }{
		{[]string{"ps", "-aq"}, []string{"rm", "-f", "-v"}},
		{[]string{"volume", "ls", "-q"}, []string{"volume", "rm", "-f"}},
		{[]string{"network", "ls", "-q"}, []string{"network", "rm"}},
	} {
		ids, err := docker(context.Background(), nil, append(kind.list, "--filter", "label=com.docker.compose.project="+project)...)
		if err != nil {
			t.Error(err)
			continue
		}
		if all := strings.Fields(ids); len(all) > 0 {
			if _, err := docker(context.Background(), nil, append(kind.remove, all...)...); err != nil {
				t.Error(err)
			}
		}
	}
}

// freePorts are below the range from which the kernel takes ports for outgoing connections: they stay free.
func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range 100 {
		b := make([]byte, 2)
		_, _ = rand.Read(b)
		port := 10000 + (int(b[0])<<8|int(b[1]))%20000
		if listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			_ = listener.Close()
			if ports = append(ports, port); len(ports) == n {
				return ports
			}
		}
	}
	t.Fatal("found no free ports")
	return nil
}
