package main_test

import (
	"context"
	"errors"
	"fmt"
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

	"devstack/bench/freeport"
	"devstack/bench/load"
	"devstack/daemon/api"
)

// clients is how many ask at the same time in the tests under load.
const clients = 8

// express installs Express with the project's own script, once for all tests, and returns the node_modules folder.
var express = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("scripts/express")
	cmd.Dir = repository
	path, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("scripts/express: %w", err)
	}
	return strings.TrimSpace(string(path)), nil
})

// site is a project with one app, web: an Express app that knows nothing of devstack.
type site struct {
	*project
	port    int
	address string
}

// newSite writes and starts it; keys are added to the app's definition.
func newSite(t *testing.T, script, keys string) *site {
	t.Helper()
	modules, err := express()
	if err != nil {
		t.Fatal(err)
	}
	p := newProject(t)
	if err := os.Symlink(modules, filepath.Join(p.dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	s := &site{project: p, port: freeport.Get(t)}
	s.address = fmt.Sprintf("127.0.0.1:%d", s.port)
	p.write("app.js", script)
	p.write("ecosystem.yaml", fmt.Sprintf("apps:\n  - {name: web, script: app.js, port: %d, env: {PORT: \"%[1]d\"}, %s}\n", s.port, keys))
	p.must("up")
	return s
}

// forEver restarts the app at once, however often it ends.
const forEver = "restart_delay: 0, max_restarts: -1"

// load lets clients ask until the test ends or somebody stops them. It returns when they get answers.
func (s *site) load() *load.Load {
	s.t.Helper()
	return underLoad(s.t, load.Options{Address: s.address})
}

func underLoad(t *testing.T, o load.Options) *load.Load {
	t.Helper()
	o.Clients, o.Pause = clients, 10*time.Millisecond
	o.Requests, o.Span = 10_000_000, 2*time.Hour // the test ends it
	l, err := load.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Stop() })
	goesOn(t, l)
	return l
}

// goesOn waits until many more requests have been answered.
func goesOn(t *testing.T, l *load.Load) {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), deadline(t))
	defer cancel()
	if err := l.Answered(ctx, 100); err != nil {
		t.Fatalf("%v: %q", err, l.Report().Failures)
	}
}

// answeredBy waits until a process that is none of old has answered, and returns its pid.
func answeredBy(t *testing.T, l *load.Load, old ...int) int {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), deadline(t))
	defer cancel()
	var pid int
	err := l.Until(ctx, func(r *load.Report) bool {
		for server := range r.Servers {
			if pid, _ = strconv.Atoi(server); !slices.Contains(old, pid) {
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// nothingFailed ends the load and fails the test if a single request was not answered as it should be.
func nothingFailed(t *testing.T, l *load.Load) {
	t.Helper()
	goesOn(t, l)
	r := l.Stop()
	t.Log(r)
	if r.Failed() > 0 {
		t.Errorf("%d requests failed: %q", r.Failed(), r.Failures)
	}
}

// onlyReset is nothingFailed for processes that die: what they had under way is lost, at most one request of each client
// and death, and nothing else.
func onlyReset(t *testing.T, l *load.Load, deaths int) {
	t.Helper()
	goesOn(t, l)
	r := l.Stop()
	t.Log(r)
	if r.Failed() != r.Reset || r.Reset > clients*deaths {
		t.Errorf("more failed than the requests that were under way in %d processes that died: %q", deaths, r.Failures)
	}
}

// instances are the pids of the app, which must all be ready.
func (s *site) instances(want int) []int {
	s.t.Helper()
	state := s.ps()
	allReady(s.t, state, 0, want)
	return webPids(state)
}

func webPids(state api.State) []int {
	var all []int
	for _, row := range state.Processes {
		if row.Name == "web" && row.Pid != nil {
			all = append(all, *row.Pid)
		}
	}
	return all
}

// background runs `devstack ARGS`; the result comes when it has ended.
func (p *project) background(args ...string) <-chan result {
	ended := make(chan result, 1)
	ctx, cancel := context.WithDeadline(context.Background(), deadline(p.t))
	p.t.Cleanup(cancel)
	cmd := p.command(ctx, p.dir, nil, args...)
	go func() { ended <- execute(p.t, cmd) }()
	return ended
}

// isRefused fails the test unless nobody listens.
func (s *site) isRefused() {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err == nil {
		conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		s.t.Errorf("a connection to %s is not refused: %v", s.address, err)
	}
}

// rounds is how often to do something: a few times, or more, as DEVSTACK_ROUNDS says; with 50 of them, of times.
func rounds(t *testing.T, few, of int) int {
	t.Helper()
	text := os.Getenv("DEVSTACK_ROUNDS")
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("DEVSTACK_ROUNDS=%s is not a number of rounds", text)
	}
	return max(1, n*of/50)
}

// Reloads under load: every instance is another process afterwards, and no request has failed. 100 times, if asked for.
func TestSoakReloadUnderLoad(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 4} {
		t.Run(fmt.Sprintf("instances=%d", count), func(t *testing.T) {
			s := newSite(t, load.Express, fmt.Sprintf("instances: %d, %s", count, forEver))
			l := s.load()
			for range rounds(t, 3, 100) {
				old := s.instances(count)
				s.must("reload")
				for _, pid := range s.instances(count) {
					if slices.Contains(old, pid) {
						t.Errorf("%d runs after a reload", pid)
					}
				}
			}
			if left := s.launched("web"); len(left) != count {
				t.Errorf("%d processes of %d instances: %+v", len(left), count, left)
			}
			nothingFailed(t, l)
		})
	}
}

// Processes that are killed under load, 20 if asked for: nobody is refused, only what they had under way is lost.
func TestSoakKillUnderLoad(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 4} {
		t.Run(fmt.Sprintf("instances=%d", count), func(t *testing.T) {
			s := newSite(t, load.Express, fmt.Sprintf("instances: %d, %s", count, forEver))
			l, kills := s.load(), rounds(t, 3, 20)
			for n := range kills {
				pid := s.instances(count)[n%count]
				kill(t, pid)
				waitFor(t, "another process in its place", func() (bool, any) {
					state, restarts := s.ps(), 0
					for _, row := range state.Processes {
						restarts += row.Restarts
					}
					return allOnline(state) && restarts == n+1, state
				})
				goesOn(t, l)
			}
			onlyReset(t, l, kills)
		})
	}
}

// More and fewer instances under load.
func TestSoakScaleUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSite(t, load.Express, forEver)
	l := s.load()
	for range rounds(t, 2, 20) {
		s.must("scale", "web", "4")
		s.instances(4)
		goesOn(t, l)
		s.must("scale", "web", "1")
		s.instances(1)
		goesOn(t, l)
	}
	nothingFailed(t, l)
}

// The sample's orchestrator: reloads and kills under load cost as little as those of a small app. The agents, which
// depend on it, are not restarted.
func TestSoakOrchestratorUnderLoad(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 4} {
		t.Run(fmt.Sprintf("instances=%d", count), func(t *testing.T) { orchestratorUnderLoad(t, count) })
	}
}

func orchestratorUnderLoad(t *testing.T, count int) {
	p := newSample(t)
	text, err := os.ReadFile(filepath.Join(p.dir, "ecosystem.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p.write("ecosystem.yaml", strings.Replace(string(text), "  - name: orchestrator\n", fmt.Sprintf(
		"  - name: orchestrator\n    instances: %d\n    restart_delay: 0\n    max_restarts: -1\n", count), 1))
	p.must("up")
	agents := pids(p.ps())
	delete(agents, "orchestrator")
	l := underLoad(t, load.Options{Address: fmt.Sprintf("127.0.0.1:%d", p.orchestratorPort), Path: "/healthz", Server: healthz})
	for range rounds(t, 2, 100) {
		p.must("reload", "orchestrator")
	}
	if r := l.Report(); r.Failed() > 0 {
		t.Errorf("reloads: %s: %q", r, r.Failures)
	}
	kills := rounds(t, 1, 20)
	for range kills {
		old := *p.process("orchestrator").Pid
		kill(t, old)
		waitFor(t, "another orchestrator", func() (bool, any) {
			row := p.process("orchestrator")
			return row.Ready && row.Pid != nil && *row.Pid != old, row
		})
		goesOn(t, l)
	}
	onlyReset(t, l, kills)
	now := pids(p.ps())
	delete(now, "orchestrator")
	if !equalPids(agents, now) {
		t.Errorf("the agents' pids changed from %v to %v", agents, now)
	}
}

// healthz is the orchestrator's answer; it does not say who gave it.
func healthz(status int, body []byte) (string, error) {
	if status != 200 || string(body) != "{\"status\":\"ok\"}\n" {
		return "", fmt.Errorf("status %d, body %q", status, body)
	}
	return "orchestrator", nil
}
