package main_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"devstack/daemon/api"
)

// The main job: one command from files to a stack that works, one to make it go, and the data stays.
func TestSampleUp(t *testing.T) {
	t.Parallel()
	p := newSample(t)
	p.must("up")
	allReady(t, p.ps(), 2, 6)
	id := p.postPipeline("My project")
	p.completes(id)
	if pong := docker(t, "exec", p.name+"-redis", "redis-cli", "ping"); pong != "PONG" {
		t.Errorf("redis-cli ping: %s", pong)
	}

	p.must("down")
	p.nothingRuns()
	if volumes := p.labelled("volume"); len(volumes) != 2 {
		t.Errorf("volumes after down: %v", volumes)
	}

	p.must("up")
	allReady(t, p.ps(), 2, 6)
	if got, err := p.getPipeline(id); err != nil || got.Status != "completed" {
		t.Errorf("the old pipeline: %+v, %v", got, err)
	}
}

// down -v also takes the volumes that have no name.
func TestDownTakesAnonymousVolumes(t *testing.T) {
	t.Parallel()
	if err := ready(); err != nil {
		t.Fatal(err)
	}
	p := newProject(t)
	p.write("compose.yaml", "name: ${STACK_NAME}\nservices:\n  redis: {image: \"redis:7-alpine\"}\n")
	p.write("ecosystem.yaml", withDatabases)
	p.must("up")
	volume := docker(t, "inspect", "-f", "{{range .Mounts}}{{.Name}}{{end}}", p.name+"-redis-1")
	if volume == "" {
		t.Fatal("redis has no anonymous volume")
	}
	p.must("down", "-v")
	p.nothingRuns()
	if left := docker(t, "volume", "ls", "-q", "--filter", "name="+volume); left != "" {
		t.Errorf("the volume %s is left", left)
	}
}

// Everything that describes a running stack does so by its exit code and its words, and nothing else changes.
func TestReadingCommands(t *testing.T) {
	t.Parallel()
	p := newSample(t)
	p.must("up")
	before := pids(p.ps())
	for _, command := range []struct{ args, want string }{
		{"ps", "agent-scaffold"},
		{"jlist", `"pm2_env"`},
		{"describe redis", p.name + "-redis"},
		{"describe orchestrator", "orchestrator-out.log"},
		{"logs orchestrator --no-follow", "orchestrator listening on port"},
		{"config", "agent-validation"},
		{"preflight", "ngine"},
		{"health", "agent-scaffold"},
		{"why redis", "runs and is ready"},
	} {
		if out := p.must(strings.Fields(command.args)...); !strings.Contains(out, command.want) {
			t.Errorf("devstack %s does not say %q:\n%s", command.args, command.want, out)
		}
	}
	if after := pids(p.ps()); !equalPids(before, after) {
		t.Errorf("pids changed from %v to %v", before, after)
	}
}

// A second up restarts nothing, whatever else the caller's environment holds; a changed declared key restarts exactly
// the apps that see it.
func TestUpTwiceRestartsNothing(t *testing.T) {
	t.Parallel()
	p := newSample(t)
	for _, app := range []string{"agent-validation", "agent-e2e"} {
		p.edit("ecosystem.yaml", "- name: "+app+"\n", "- name: "+app+"\n    env: {GREETING: \"${GREETING:-hello}\"}\n")
	}

	plan := p.must("up", "--dry-run")
	for _, name := range []string{"redis", "postgres", "orchestrator", "agent-deployment"} {
		if !strings.Contains(plan, name) {
			t.Errorf("up --dry-run does not name %s:\n%s", name, plan)
		}
	}
	p.nothingRuns()

	p.must("up")
	first := p.ps()
	other := []string{"EDITOR=ed", "SHLVL=7", "LANG=de_DE.UTF-8", "PATH=" + t.TempDir() + ":" + os.Getenv("PATH")}
	if r := p.runWith(p.dir, other, "up"); r.code != 0 {
		t.Fatal(r)
	}
	unchanged(t, first, p.ps())

	if r := p.runWith(p.dir, []string{"GREETING=good evening"}, "up"); r.code != 0 {
		t.Fatal(r)
	}
	second := p.ps()
	allReady(t, second, 2, 6)
	var restarted []string
	for _, row := range second.Processes {
		if *row.Pid != pids(first)[row.Name] {
			restarted = append(restarted, row.Name)
		}
	}
	slices.Sort(restarted)
	if want := []string{"agent-e2e", "agent-validation"}; !slices.Equal(restarted, want) {
		t.Errorf("restarted %v, not %v", restarted, want)
	}
}

// unchanged fails the test if a pid, a counter or a container differs.
func unchanged(t *testing.T, before, after api.State) {
	t.Helper()
	if !equalPids(pids(before), pids(after)) {
		t.Errorf("pids changed from %v to %v", pids(before), pids(after))
	}
	for i, row := range after.Processes {
		if row.Restarts != before.Processes[i].Restarts {
			t.Errorf("%s was restarted", row.Name)
		}
	}
	for i, s := range after.Services {
		if s.ID != before.Services[i].ID || s.Restarts != before.Services[i].Restarts {
			t.Errorf("%s is another container, or was restarted", s.Name)
		}
	}
}

func equalPids(a, b map[string]int) bool {
	for name, pid := range a {
		if b[name] != pid {
			return false
		}
	}
	return len(a) == len(b)
}

// Two terminals, one of them in a directory behind a symlink, run up at the same time: one stack.
func TestTwoUpsAtOnce(t *testing.T) {
	t.Parallel()
	p := newSample(t)
	p.upAtOnce(2, "redis", "agent-scaffold")
	if copies := p.launched("agent-scaffold"); len(copies) != 1 {
		t.Errorf("agent-scaffold runs %d times: %+v", len(copies), copies)
	}
}

// Nor is a crowd too many.
func TestTwentyUpsAtOnce(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", sleeper)
	p.upAtOnce(20)
	if copies := p.launched("web"); len(copies) != 1 {
		t.Errorf("web runs %d times: %+v", len(copies), copies)
	}
}

// upAtOnce runs count ups at the same time, every other one behind a symlink. All must succeed, with one keeper and one
// daemon.
func (p *project) upAtOnce(count int, names ...string) {
	p.t.Helper()
	link := filepath.Join(p.t.TempDir(), "link")
	if err := os.Symlink(p.dir, link); err != nil {
		p.t.Fatal(err)
	}
	results := make(chan result)
	for i := range count {
		dir := []string{p.dir, link}[i%2]
		go func() { results <- p.runWith(dir, []string{"PWD=" + dir}, append([]string{"up"}, names...)...) }()
	}
	for range count {
		if r := <-results; r.code != 0 {
			p.t.Error(r)
		}
	}
	if keepers, daemons := p.keepers(), p.daemons(); len(keepers) != 1 || len(daemons) != 1 {
		p.t.Errorf("keepers %+v, daemons %+v", keepers, daemons)
	}
}

// docker compose sees devstack's containers as its own, and devstack compose's: neither recreates the other's.
func TestDockerComposeSharesTheContainers(t *testing.T) {
	t.Parallel()
	p := newSample(t)
	ids := func() []string { return slices.Sorted(slices.Values(p.labelled("container"))) }

	p.must("up", "redis", "postgres")
	made := ids()
	listed := p.compose("ps", "--format", "{{.Name}}")
	for _, name := range []string{p.name + "-redis", p.name + "-postgres"} {
		if !strings.Contains(listed, name) {
			t.Errorf("docker compose ps does not list %s:\n%s", name, listed)
		}
	}
	if said := p.compose("up", "-d"); strings.Count(said, "Running") != 2 {
		t.Errorf("docker compose up -d does not say Running for both:\n%s", said)
	}
	if now := ids(); !slices.Equal(now, made) {
		t.Errorf("docker compose replaced %v by %v", made, now)
	}

	p.must("down")
	p.compose("up", "-d")
	made = ids()
	p.must("up", "redis", "postgres")
	allReady(t, onlyServices(p.ps()), 2, 0)
	if now := ids(); !slices.Equal(now, made) {
		t.Errorf("devstack replaced %v by %v", made, now)
	}
	p.compose("down")
	p.must("down")
	p.nothingRuns()
}

// onlyServices leaves the processes out.
func onlyServices(state api.State) api.State {
	state.Processes = nil
	return state
}
