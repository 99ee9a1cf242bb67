package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"devstack/daemon/api"
	parent "devstack/procs/keeper"
	keeper "devstack/procs/keeper/protocol"
	"devstack/view"
)

// TestMain lets the test binary be the keeper and the daemon of the tests below: both are as real as in the product.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "keeper" {
		if err := parent.Command(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == "daemon" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		err := Run(ctx, slog.New(slog.NewTextHandler(os.Stderr, nil)))
		stop()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// running is a project in a directory of its own.
type running struct {
	*testing.T
	at     api.Location
	file   string
	client *api.Client

	noInfra bool // others run the services
}

func newProject(t *testing.T, ecosystem string) *running {
	t.Helper()
	dir := t.TempDir()
	at, err := api.Locate(dir, filepath.Join(dir, ".home"))
	if err != nil {
		t.Fatal(err)
	}
	r := &running{T: t, at: at, file: filepath.Join(at.Dir, "ecosystem.yaml"), client: api.NewClient(at.Socket)}
	r.write(ecosystem)
	t.Cleanup(func() {
		if _, err := r.client.Down(context.Background(), api.DownRequest{}, func(api.Event) {}); err != nil && !errors.Is(err, api.ErrNotRunning) {
			t.Errorf("down: %v", err)
		}
		r.waitGone()
	})
	return r
}

func (r *running) write(ecosystem string) {
	r.Helper()
	if err := os.WriteFile(r.file, []byte(ecosystem), 0o600); err != nil {
		r.Fatal(err)
	}
}

// up is `devstack up`, with variables beside this process's.
func (r *running) up(variables ...string) *api.Result {
	r.Helper()
	self, err := os.Executable()
	if err != nil {
		r.Fatal(err)
	}
	_, err = keeper.Spawn(keeper.SpawnOptions{
		Dir: r.at.Dir, ID: r.at.ID, StateDir: r.at.StateDir, Socket: r.at.Socket, Daemon: []string{self, "daemon"},
	})
	if err != nil {
		r.Fatal(err)
	}
	result, err := r.client.Up(r.Context(), api.UpRequest{
		Files: api.Files{File: r.file}, Environment: append(os.Environ(), variables...), Timeout: time.Minute, NoInfra: r.noInfra,
	}, func(api.Event) {})
	if err != nil {
		r.Fatal(err)
	}
	return result
}

func (r *running) mustUp(variables ...string) *api.Result {
	r.Helper()
	result := r.up(variables...)
	if result.Exit != api.ExitDone {
		r.Fatalf("up: %+v", result)
	}
	return result
}

func (r *running) state() *api.State {
	r.Helper()
	s, err := r.client.State(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return s
}

func (r *running) process(name string) api.ProcessDetails {
	r.Helper()
	d, err := r.client.Describe(r.Context(), name)
	if err != nil {
		r.Fatal(err)
	}
	return d.Process[0]
}

// killDaemon ends the daemon the hard way and returns at once.
func (r *running) killDaemon() {
	r.Helper()
	if err := syscall.Kill(r.state().Daemon.Pid, syscall.SIGKILL); err != nil {
		r.Fatal(err)
	}
}

func (r *running) waitGone() {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := keeper.WaitGone(ctx, r.at.Dir, r.at.StateDir); err != nil {
		r.Errorf("the keeper stays: %v", err)
	}
}

func (r *running) pids() map[string]int {
	r.Helper()
	pids := map[string]int{}
	for _, p := range r.state().Processes {
		if p.Pid != nil {
			pids[p.Name] = *p.Pid
		}
	}
	return pids
}

const twoApps = `
apps:
  - {name: web, command: [sleep, "1000"], env: {KEY: "${KEY:-none}"}}
  - {name: agent, command: [sleep, "1000"], depends_on: [web]}
`

func TestUpIsIdempotent(t *testing.T) {
	r := newProject(t, twoApps)
	r.mustUp()
	before := r.pids()
	if len(before) != 2 {
		t.Fatalf("pids %v", before)
	}
	r.mustUp("SOMETHING_INHERITED=new")
	if after := r.pids(); after["web"] != before["web"] || after["agent"] != before["agent"] {
		t.Errorf("an inherited variable restarted something: %v, then %v", before, after)
	}
	r.mustUp("KEY=changed")
	after := r.pids()
	if after["agent"] != before["agent"] {
		t.Error("agent was restarted for a variable that it does not see")
	}
	if after["web"] == before["web"] {
		t.Error("web was not restarted for a declared variable that changed")
	}
	r.write("apps:\n  - {name: web, command: [sleep, \"1000\"], env: {KEY: \"${KEY:-none}\"}}\n")
	r.mustUp("KEY=changed")
	if got := r.pids(); len(got) != 1 || got["web"] != after["web"] {
		t.Errorf("after the agent was removed: %v", got)
	}
}

func TestDaemonMayBeKilled(t *testing.T) {
	r := newProject(t, twoApps)
	r.mustUp()
	before := r.pids()
	r.killDaemon()
	if after := r.pids(); after["web"] != before["web"] || after["agent"] != before["agent"] {
		t.Errorf("pids %v, then %v", before, after)
	}
	// The second successor comes a second later: what ends meanwhile is seen by no daemon.
	r.killDaemon()
	if err := syscall.Kill(before["agent"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.mustUp()
	agent := r.process("agent")
	if len(agent.Exits) != 1 || agent.Restarts != 1 || agent.Exits[0].Signal != "SIGKILL" {
		t.Errorf("exits %+v, %d restarts", agent.Exits, agent.Restarts)
	}
	if got := r.pids()["web"]; got != before["web"] {
		t.Errorf("web was restarted: %d, then %d", before["web"], got)
	}
	r.killDaemon()
	if agent := r.process("agent"); len(agent.Exits) != 1 || agent.Restarts != 1 {
		t.Errorf("counted again: %+v, %d restarts", agent.Exits, agent.Restarts)
	}
}

// process-compose starts the dependent of a process that failed fast, or leaves it waiting for ever.
func TestADependencyThatDiesWhileItIsWaitedFor(t *testing.T) {
	const ecosystem = `
apps:
  - name: db
    command: if [ ! -e tried ]; then touch tried; exit 1; fi; touch up; exec sleep 1000
    healthcheck: {exec: [test, -e, up]}
  - name: api
    command: test -e up && exec sleep 1000
    depends_on: [db]
`
	r := newProject(t, ecosystem)
	if result := r.up(); result.Exit != api.ExitProcess || len(result.Failures) != 1 || !strings.Contains(result.Failures[0].Message, "it is ready again") {
		t.Errorf("up: %+v", result)
	}
	db, api := r.process("db"), r.process("api")
	if db.RestartsBy.Crash != 1 || api.Generation != 1 || api.StartedAt.Before(*db.StartedAt) {
		t.Errorf("db restarted %+v and started at %s, api at %s by launch %d", db.RestartsBy, db.StartedAt, api.StartedAt, api.Generation)
	}
	// What the healthcheck looks for is not there from before: it would pass until the process has ended.
	broken := strings.NewReplacer("touch up; exec sleep 1000", "exit 2", "-e, up]", "-e, never]").Replace(ecosystem)
	r.write(broken + "    env: {CHANGED: yes}\n")
	if got := r.up(); got.Exit != 7 || len(got.Failures) != 1 || got.Failures[0].Resource != "db" {
		t.Errorf("exit %d, failures %+v", got.Exit, got.Failures)
	}
}

func TestRefusalLeavesNothing(t *testing.T) {
	for _, tc := range []struct {
		name, ecosystem string
		exit            api.Code
		says            string
	}{
		{"unknown key", "apss: []\n", api.ExitFiles, "ecosystem.yaml:1:1"},
		{"missing script", "apps: [{name: web, script: dist/server.js}]\n", api.ExitEnvironment, "dist/server.js"},
		{"build that does not make it", "build: {command: echo nothing, if_missing: true}\napps: [{name: web, script: dist/server.js}]\n", api.ExitEnvironment, "dist/server.js"},
		{"required environment", "required_env: [NOWHERE_SET]\n" + twoApps, api.ExitEnvironment, "NOWHERE_SET"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newProject(t, tc.ecosystem)
			result := r.up()
			if result.Exit != tc.exit || !strings.Contains(result.Failures[0].Message, tc.says) || result.Error == "" {
				t.Errorf("%+v", result)
			}
			r.waitGone()
		})
	}
}

func TestCrashAtBoot(t *testing.T) {
	r := newProject(t, `
apps:
  - {name: fine, command: [sleep, "1000"]}
  - {name: doomed, command: "echo I cannot do that >&2; exit 3", restart_delay: 1h}
  - {name: later, command: [sleep, "1000"], depends_on: [doomed]}
`)
	result := r.up()
	if result.Exit != api.ExitProcess || len(result.Failures) != 1 {
		t.Fatalf("%+v", result)
	}
	f := result.Failures[0]
	if f.Resource != "doomed" || !slices.Contains(f.LastLines, "I cannot do that") || !strings.HasSuffix(f.LogFile, "doomed-error.log") {
		t.Errorf("%+v", f)
	}
	if !slices.ContainsFunc(result.Notes, func(n string) bool { return strings.Contains(n, "later") }) {
		t.Errorf("nobody says that later was not started: %q", result.Notes)
	}
	if fine := r.process("fine"); !fine.Ready {
		t.Errorf("the rest does not run: %+v", fine)
	}
	stopped, err := r.client.Act(t.Context(), api.Stop, api.ActionRequest{Names: []string{"doomd"}}, func(api.Event) {})
	if err != nil || stopped.Exit != api.ExitUsage || !strings.Contains(stopped.Error, "doomed") {
		t.Errorf("a wrong name: %+v, %v", stopped, err)
	}
}

func TestTwoUpsAtOnce(t *testing.T) {
	r := newProject(t, twoApps)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { r.mustUp() })
	}
	both.Wait()
	if got := r.process("web"); got.Generation != 1 {
		t.Errorf("web was launched %d times", got.Generation)
	}
}

func TestRestartAndEvents(t *testing.T) {
	r := newProject(t, twoApps)
	r.mustUp()
	before := r.pids()
	var seqs []uint64
	result, err := r.client.Act(t.Context(), api.Restart, api.ActionRequest{Names: []string{"web"}, Environment: os.Environ()}, func(e api.Event) {
		seqs = append(seqs, e.Seq)
	})
	if err != nil || result.Exit != api.ExitDone {
		t.Fatalf("%+v, %v", result, err)
	}
	if after := r.pids(); after["web"] == before["web"] || after["agent"] != before["agent"] {
		t.Errorf("pids %v, then %v", before, after)
	}
	if len(seqs) < 3 {
		t.Fatalf("events %v", seqs)
	}
	// A client that comes back gets what it missed.
	for e, err := range r.client.Events(t.Context(), seqs[0]) {
		if err != nil || e.Seq != seqs[1] {
			t.Errorf("event %d after %d, want %d; %v", e.Seq, seqs[0], seqs[1], err)
		}
		break
	}
	// A number of a former daemon leads to a gap.
	for e, err := range r.client.Events(t.Context(), 1) {
		if err != nil || e.Kind != view.KindGap {
			t.Errorf("%+v, %v", e, err)
		}
		break
	}
}

func TestLogs(t *testing.T) {
	r := newProject(t, `
apps:
  - {name: first, command: "echo one; echo two; exec sleep 1000"}
  - {name: second, command: "echo three >&2; exec sleep 1000", depends_on: [first]}
`)
	r.mustUp()
	read := func(req api.LogsRequest, n int, meanwhile func(read int)) (lines []string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for record, err := range r.client.Logs(ctx, req) {
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, record.AppName+":"+record.Type+":"+record.Message)
			if len(lines) == n {
				break
			}
			if meanwhile != nil {
				meanwhile(len(lines))
			}
		}
		return lines
	}
	all := []string{"first:out:one", "first:out:two", "second:err:three"}
	if got := read(api.LogsRequest{Lines: 10}, 0, nil); !slices.Equal(got, all) {
		t.Errorf("history %q", got)
	}
	if got := read(api.LogsRequest{Lines: 1, Stream: "out"}, 0, nil); !slices.Equal(got, all[1:2]) {
		t.Errorf("the last line of standard output: %q", got)
	}
	// What was written before the request is history, what comes after it is followed: nothing twice.
	r.write("apps:\n  - {name: third, command: \"echo four; exec sleep 1000\"}\n")
	var joined sync.WaitGroup
	up := func(read int) { // not before: what is gone from the stack has no history
		if read == len(all) {
			joined.Go(func() { r.mustUp() })
		}
	}
	if got := read(api.LogsRequest{Lines: 10, Follow: true}, 4, up); !slices.Equal(got[max(0, len(got)-1):], []string{"third:out:four"}) {
		t.Errorf("followed %q", got)
	}
	joined.Wait()
	if _, err := r.client.State(t.Context()); err != nil {
		t.Error(err)
	}
}
