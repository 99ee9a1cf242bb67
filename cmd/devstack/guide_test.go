package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// guideStep is one command of docs/guide.md, what it has to say and what it has to do.
type guideStep struct {
	command string // as written, without the comment
	says    []string
	ending  int            // the exit code
	follows bool           // goes on until Ctrl-C, which comes when all of says is there
	screen  bool           // needs a terminal; q leaves it
	before  func(*project) // makes what the guide speaks of there
	after   func(*project) // looks at what the command did
}

// TestGuide types every command of docs/guide.md in its order, as written: of the containers' names alone the stack's
// is replaced. The guide is a list of these steps and the reverse: a command without a step fails, and so does a step
// that is not in the guide.
func TestGuide(t *testing.T) {
	t.Parallel()
	p := newGuideSample(t)
	written := guideCommands(t)
	steps := guideSteps()
	for i := range max(len(written), len(steps)) {
		if i >= len(written) || i >= len(steps) || written[i] != steps[i].command {
			t.Fatalf("command %d of the guide and its step differ:\nguide: %q\nsteps: %q",
				i+1, written[min(i, len(written)):min(i+3, len(written))], commandsOf(steps[min(i, len(steps)):min(i+3, len(steps))]))
		}
	}
	for i, step := range steps {
		ok := t.Run(fmt.Sprintf("%02d %s", i+1, step.command), func(t *testing.T) { p.as(t).follow(step) })
		if !ok {
			t.FailNow() // the rest stands on it
		}
	}
	p.nothingRuns()
}

func commandsOf(steps []guideStep) (commands []string) {
	for _, s := range steps {
		commands = append(commands, s.command)
	}
	return commands
}

// guideCommands are the lines that begin with $ in the guide's console blocks, without comments.
func guideCommands(t *testing.T) (commands []string) {
	t.Helper()
	content, err := os.ReadFile(repository + "/docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	console := false
	for line := range strings.Lines(string(content)) {
		line = strings.TrimRight(line, "\n")
		if block, found := strings.CutPrefix(line, "```"); found {
			console = block == "console"
			continue
		}
		command, found := strings.CutPrefix(line, "$ ")
		if found != console && line != "" {
			t.Fatalf("in a console block there are commands alone, and nowhere else: %q", line)
		}
		if found {
			command, _, _ = strings.Cut(command, " #")
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	return commands
}

// newGuideSample is the sample with files of its own, because the guide builds them, and a name that the guide greps.
func newGuideSample(t *testing.T) *project {
	t.Helper()
	p := newSample(t)
	p.name = "agentic-sdlc-" + randomHex()
	example, err := os.ReadFile(filepath.Join(repository, ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	p.write(".env.example", p.settings()+string(example))
	if err := errors.Join(os.Remove(filepath.Join(p.dir, ".env")), os.Remove(filepath.Join(p.dir, "examples/agentic-sdlc"))); err != nil {
		t.Fatal(err)
	}
	source, err := filepath.Abs(sample)
	if err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command("cp", "-a", source, filepath.Join(p.dir, "examples/agentic-sdlc")).CombinedOutput(); err != nil {
		t.Fatalf("cannot copy the sample: %v\n%s", err, output)
	}
	return p
}

// follow runs one step and checks it.
func (p *project) follow(step guideStep) {
	p.t.Helper()
	if step.before != nil {
		step.before(p)
	}
	command := strings.ReplaceAll(step.command, "agentic-sdlc-", p.name+"-")
	switch {
	case step.screen:
		term := p.terminal(120, 40)
		term.keys(command, "Enter")
		term.shows(step.says...)
		term.keys("q")
		term.shows("$ " + command + "\n$")
	default:
		r := p.shell(command, step)
		for _, want := range step.says {
			if !strings.Contains(r.stdout+r.stderr, want) {
				p.t.Errorf("it does not say %q", want)
			}
		}
		if r.code != step.ending || p.t.Failed() {
			p.t.Fatalf("want exit code %d: %v", step.ending, r)
		}
	}
	if step.after != nil {
		step.after(p)
	}
}

// shell types a command into sh.
func (p *project) shell(command string, step guideStep) result {
	p.t.Helper()
	ctx, cancel := context.WithDeadline(context.Background(), deadline(p.t))
	defer cancel()
	if step.follows {
		command = "exec " + command // Ctrl-C's answer is then the command's, not the shell's
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = p.dir
	cmd.Env = append(p.environment(), "PATH="+binariesDir()+string(filepath.ListSeparator)+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if !step.follows {
		return execute(p.t, cmd)
	}
	out := &sharedBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	waitFor(p.t, "what is followed", func() (bool, any) {
		said := out.String()
		return !slices.ContainsFunc(step.says, func(want string) bool { return !strings.Contains(said, want) }), said
	})
	signal(p.t, -cmd.Process.Pid, syscall.SIGINT) // as a terminal does
	_ = cmd.Wait()                                // its exit code is looked at
	return result{command, out.String(), "", cmd.ProcessState.ExitCode()}
}

// sharedBuffer is read while a command writes it.
type sharedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *sharedBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *sharedBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// statuses fails the test unless the processes are, by name, exactly these: "orchestrator=online".
func statuses(want ...string) func(*project) {
	return func(p *project) {
		p.t.Helper()
		var got []string
		for _, row := range p.ps().Processes {
			got = append(got, strings.TrimPrefix(row.Name, "agent-")+"="+string(row.Status))
		}
		slices.Sort(got)
		if slices.Sort(want); !slices.Equal(got, want) {
			p.t.Errorf("processes are %v, not %v", got, want)
		}
	}
}

// everything is the whole sample, ready.
func everything(p *project) {
	p.t.Helper()
	allReady(p.t, p.ps(), 2, 6)
}

// containersAlone: the processes are gone or stopped, the databases serve.
func containersAlone(p *project) {
	p.t.Helper()
	if state := p.ps(); len(pids(state)) > 0 {
		p.t.Errorf("processes: %+v", state.Processes)
	}
	if running := docker(p.t, "ps", "-q", "--filter", "label=com.docker.compose.project="+p.name); len(strings.Fields(running)) != 2 {
		p.t.Errorf("containers: %s", running)
	}
}

// replaces checks that a command has replaced the processes of these apps and of no other.
func replaces(step guideStep, apps ...string) guideStep {
	var old map[string]int
	before, after := step.before, step.after
	step.before = func(p *project) {
		if before != nil {
			before(p)
		}
		old = pids(p.ps())
	}
	step.after = func(p *project) {
		p.t.Helper()
		for name, pid := range pids(p.ps()) {
			if was := old[name]; (was != pid) != slices.Contains(apps, name) {
				p.t.Errorf("%s went from pid %d to %d", name, was, pid)
			}
		}
		if after != nil {
			after(p)
		}
	}
	return step
}

func allApps() []string {
	apps := []string{"orchestrator"}
	for _, a := range agents {
		apps = append(apps, "agent-"+a)
	}
	return apps
}

func agentsOnly() []string { return allApps()[1:] }
