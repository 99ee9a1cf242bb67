package main_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"devstack/bench/freeport"
	"devstack/daemon/api"
	"devstack/view"
)

// project is a stack in a directory, with a name, ports and a DEVSTACK_HOME of its own.
type project struct {
	t    *testing.T
	dir  string // of ecosystem.yaml
	home string
	data string // XDG_DATA_HOME, for stacks with native services; empty: the caller's
	name string // STACK_NAME and the Compose project's name
	api.Location

	redisPort, postgresPort, orchestratorPort int
}

// newProject makes an empty project; whatever is started in it is gone when the test ends.
func newProject(t *testing.T) *project {
	t.Helper()
	if _, err := binaries(); err != nil {
		t.Fatal(err)
	}
	p := &project{t: t, dir: t.TempDir(), name: "devstack-test-" + randomHex()}
	var err error
	if p.home, err = os.MkdirTemp("", "ds-"); err != nil { // short, for the socket in it
		t.Fatal(err)
	}
	if p.Location, err = api.Locate(p.dir, p.home); err != nil {
		t.Fatal(err)
	}
	p.redisPort, p.postgresPort, p.orchestratorPort = freeport.Get(t), freeport.Get(t), freeport.Get(t)
	p.write(".env", p.settings())
	t.Cleanup(p.cleanUp)
	return p
}

// as is the project for a subtest: its failures are the subtest's.
func (p *project) as(t *testing.T) *project {
	q := *p
	q.t = t
	return &q
}

// settings are the lines of .env that make a copy of the sample run beside others.
func (p *project) settings() string {
	return fmt.Sprintf("STACK_NAME=%s\nREDIS_PORT=%d\nPOSTGRES_PORT=%d\nORCHESTRATOR_PORT=%d\n",
		p.name, p.redisPort, p.postgresPort, p.orchestratorPort)
}

// write writes a file of the project.
func (p *project) write(name, content string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// edit replaces the one occurrence of from in a file of the project.
func (p *project) edit(name, from, to string) {
	p.t.Helper()
	content := p.read(name)
	if strings.Count(content, from) != 1 {
		p.t.Fatalf("%s does not hold %q exactly once:\n%s", name, from, content)
	}
	p.write(name, strings.Replace(content, from, to, 1))
}

func (p *project) read(name string) string {
	p.t.Helper()
	content, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(content)
}

// result is what a command said and how it ended.
type result struct {
	args           string
	stdout, stderr string
	code           int
}

func (r result) String() string {
	return fmt.Sprintf("%s: exit code %d\nstdout:\n%s\nstderr:\n%s", r.args, r.code, r.stdout, r.stderr)
}

// run runs `devstack ARGS` in the project's directory.
func (p *project) run(args ...string) result {
	p.t.Helper()
	return p.runWith(p.dir, nil, args...)
}

// must is run for commands that have to succeed; it returns their standard output.
func (p *project) must(args ...string) string {
	p.t.Helper()
	r := p.run(args...)
	if r.code != 0 {
		p.t.Fatal(r)
	}
	return r.stdout
}

// runWith runs `devstack ARGS` in dir, with the variables extra above the usual environment.
func (p *project) runWith(dir string, extra []string, args ...string) result {
	p.t.Helper()
	ctx, cancel := context.WithDeadline(context.Background(), deadline(p.t))
	defer cancel()
	return execute(p.t, p.command(ctx, dir, extra, args...))
}

func (p *project) command(ctx context.Context, dir string, extra []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(binariesDir(), "devstack"), args...)
	cmd.Dir = dir
	cmd.Env = append(p.environment(), extra...)
	return cmd
}

// environment is the caller's without what would change the stack.
func (p *project) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		switch key {
		case "STACK_NAME", "REDIS_PORT", "POSTGRES_PORT", "ORCHESTRATOR_PORT", "PORT",
			"DATABASE_URL", "REDIS_URL", "ANTHROPIC_API_KEY", "TASK_PACE_MS", "NODE_ENV":
			return true
		}
		return strings.HasPrefix(key, "DEVSTACK_") || strings.HasPrefix(key, "COMPOSE_")
	})
	if p.data != "" {
		env = append(env, "XDG_DATA_HOME="+p.data, "XDG_CACHE_HOME="+nativeCache())
	}
	return append(env, "DEVSTACK_HOME="+p.home)
}

// compose runs docker compose in the project; it must succeed. It returns all that it said.
func (p *project) compose(args ...string) string {
	p.t.Helper()
	path, err := composeBinary()
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline(p.t))
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env = p.dir, p.environment()
	r := execute(p.t, cmd)
	if r.code != 0 {
		p.t.Fatal(r)
	}
	return r.stdout + r.stderr
}

// composeBinary builds docker compose with the project's own script, once for all runs.
var composeBinary = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("scripts/compose")
	cmd.Dir = repository
	path, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("scripts/compose: %w", err)
	}
	return strings.TrimSpace(string(path)), nil
})

func execute(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, 5*time.Second
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("cannot run %v: %v", cmd.Args, err)
	}
	args := append([]string{filepath.Base(cmd.Path)}, cmd.Args[1:]...)
	return result{strings.Join(args, " "), stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// ps is `devstack ps --json`.
func (p *project) ps() api.State {
	p.t.Helper()
	var state api.State
	if out := p.must("ps", "--json"); json.Unmarshal([]byte(out), &state) != nil {
		p.t.Fatalf("ps --json is not the documented JSON:\n%s", out)
	}
	return state
}

// process is the row of an app with one instance.
func (p *project) process(name string) view.Process {
	p.t.Helper()
	return processIn(p.t, p.ps(), name)
}

func processIn(t *testing.T, state api.State, name string) view.Process {
	t.Helper()
	i := slices.IndexFunc(state.Processes, func(row view.Process) bool { return row.Name == name })
	if i < 0 {
		t.Fatalf("ps --json has no process %s: %+v", name, state.Processes)
	}
	return state.Processes[i]
}

// service is the row of a container.
func (p *project) service(name string) view.Service {
	p.t.Helper()
	state := p.ps()
	i := slices.IndexFunc(state.Services, func(row view.Service) bool { return row.Name == name })
	if i < 0 {
		p.t.Fatalf("ps --json has no service %s: %+v", name, state.Services)
	}
	return state.Services[i]
}

// pids are the pids of all processes by app; nil where there is none.
func pids(state api.State) map[string]int {
	all := map[string]int{}
	for _, row := range state.Processes {
		if row.Pid != nil {
			all[row.Name] = *row.Pid
		}
	}
	return all
}

// allReady fails the test unless all of the given number of services and processes are healthy, online and ready.
func allReady(t *testing.T, state api.State, services, processes int) {
	t.Helper()
	if len(state.Services) != services || len(state.Processes) != processes {
		t.Errorf("%d services and %d processes, not %d and %d", len(state.Services), len(state.Processes), services, processes)
	}
	for _, s := range state.Services {
		if s.Health != "healthy" || s.State != "running" || !s.Ready || s.StoppedBy != "" {
			t.Errorf("service is not healthy, running and ready: %+v", s)
		}
	}
	for _, row := range state.Processes {
		if row.Status != "online" || !row.Ready || row.Pid == nil {
			t.Errorf("process is not online and ready: %+v", row)
		}
	}
}

// allOnline says whether everything is ready.
func allOnline(state api.State) bool {
	return !slices.ContainsFunc(state.Services, func(s view.Service) bool { return !s.Ready }) &&
		!slices.ContainsFunc(state.Processes, func(row view.Process) bool { return !row.Ready })
}

// waitFor looks until done, and fails the test with the last thing seen when its time is over.
func waitFor(t *testing.T, what string, look func() (done bool, seen any)) {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), deadline(t))
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		done, seen := look()
		if done {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("never came: %s\nlast seen: %+v", what, seen)
		}
	}
}

// deadline is when to give up waiting: after a minute, or early enough to clean up before the whole run is cut off.
func deadline(t *testing.T) time.Time {
	limit := time.Now().Add(time.Minute)
	if end, ok := t.Deadline(); ok && end.Add(-30*time.Second).Before(limit) {
		return end.Add(-30 * time.Second)
	}
	return limit
}

func randomHex() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
