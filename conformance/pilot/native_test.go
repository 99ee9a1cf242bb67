package pilot_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// From an empty machine to a stack that boots, is watched, survives and is upgraded, on the machine's own redis-server and
// postgres.
func TestNative(t *testing.T) {
	t.Parallel()
	s := &stack{vm: newVM(t), project: "agentic-sdlc", infra: "native", table: &strings.Builder{}, port: 3000, redis: 6380, postgres: 5433}
	defer func() { t.Logf("times, native services:\n| | | lost |\n|---|---|---|\n%s", s.table) }()
	s.withExecutables(first, "/root/v1")
	s.withSample()
	s.step(t, "bootstrap", (*stack).bootstraps)
	s.step(t, "boot", (*stack).boots)
	s.step(t, "faults", (*stack).survives)
	s.step(t, "upgrade", (*stack).upgrades)
	s.step(t, "backup", (*stack).restores)
	s.step(t, "stop", (*stack).stops)
}

const bootstrap = "/root/v1/devstack -C " + at + " bootstrap"

// bootstraps makes the machine a pilot, which takes one value that only a person knows.
func (s *stack) bootstraps() {
	if out, err := s.try("env DEBUG= " + bootstrap + " --check --infra " + s.infra); err == nil {
		s.t.Fatalf("--check finds nothing to do on an empty machine:\n%s", out)
	}
	began := time.Now()
	if out, err := s.try(bootstrap + " --infra " + s.infra); err == nil || !strings.Contains(err.Error(), "DATABASE_URL") {
		s.t.Fatalf("bootstrap does not miss DATABASE_URL: %v\n%s", err, out)
	}
	s.took("bootstrap of an empty machine, with packages, up to the values of the environment", time.Since(began), "")
	s.withLogDisk()
	file := "/etc/devstack/" + s.project + ".env"
	if mode := s.run("stat -c '%%a %%U' %s", file); mode != "600 root" {
		s.t.Errorf("%s is %s", file, mode)
	}
	s.run("cat >>%s <<'END'\n%sEND", file, s.settings())
	began = time.Now()
	s.run("%s --infra %s", bootstrap, s.infra)
	s.took("the first start, with a new database", time.Since(began), "")
	s.mustBeReady()
	s.completes(s.submit())

	before := pids(s.mustBeReady())
	if out := s.run("%s --infra %s 2>&1", bootstrap, s.infra); !strings.Contains(out, "nothing to do") {
		s.t.Errorf("the second bootstrap does something:\n%s", out)
	}
	s.run("%s --check --infra %s", bootstrap, s.infra)
	if after := pids(s.mustBeReady()); after != before {
		s.t.Errorf("the second bootstrap restarted something:\n%s\n%s", before, after)
	}
	s.run("%s --cloud-init --source https://git.example.com/acme.git >/root/user-data && cloud-init schema -c /root/user-data", bootstrap)
}

const logs = at + "/scripts/logs"

// withLogDisk puts the logs on a disk of their own that is easily filled, and is empty after a boot.
func (s *stack) withLogDisk() {
	s.t.Helper()
	s.run(`echo "tmpfs %[1]s tmpfs size=40m,mode=0750,uid=$(id -u devstack),gid=$(id -g devstack)" >>/etc/fstab && systemctl daemon-reload && mount %[1]s`, logs)
}

// settings are what the sample requires of its environment; bootstrap writes their names alone.
func (s *stack) settings() string {
	return fmt.Sprintf("DATABASE_URL=postgresql://agentic:agentic_dev@localhost:%d/agentic_sdlc\nREDIS_URL=redis://localhost:%d\nANTHROPIC_API_KEY=placeholder\n",
		s.postgres, s.redis)
}

// boots stops and starts the whole machine: what was stopped stays so, the instances are as many, the data is there. The
// second time its power fails.
func (s *stack) boots() {
	done := s.submit()
	s.completes(done)
	s.devstack("stop agent-e2e")
	s.devstack("scale agent-scaffold 2")
	for _, end := range []struct {
		how  string
		stop func()
	}{{"shut down", s.shutDown}, {"loss of power", s.powerOff}} {
		end.stop()
		began := time.Now()
		s.start()
		s.took(end.how+", from power on until everything is ready", time.Since(began), "nothing: the stopped app stays stopped, the instances are as many")
		if n := strings.Count(pids(s.mustBeReady("agent-e2e")), "agent-scaffold/"); n != 2 {
			s.t.Errorf("%s: %d instances of agent-scaffold after the boot, not 2", end.how, n)
		}
		s.completes(done)
	}
	// A person's commands act as the unit would, whatever that person's shell knows of its environment.
	s.devstack("start agent-e2e")
	s.devstack("scale agent-scaffold 1")
	before := pids(s.becomesReady())
	s.devstack("up")
	if after := pids(s.mustBeReady()); after != before {
		s.t.Errorf("up restarted something:\n%s\n%s", before, after)
	}
}

// stops ends the unit.
func (s *stack) stops() {
	began := time.Now()
	s.run("systemctl stop %s", s.project)
	s.took("systemctl stop", time.Since(began), "")
	if left := s.leftOvers(); left != "" {
		s.t.Errorf("systemctl stop leaves:\n%s", left)
	}
	if result := s.unit("Result"); result != "success" {
		s.t.Errorf("the unit ended as %s\n%s", result, s.journal())
	}
	if s.infra == "docker" && len(strings.Fields(s.containers())) != 2 {
		s.t.Errorf("the containers do not stay: %s", s.containers())
	}
	done := time.Now()
	s.run("systemctl start %s", s.project)
	s.took("systemctl start, until everything is ready", time.Since(done), "")
	s.mustBeReady()
}
