package main_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A crash becomes visible, its log is read, and the process is restarted: all of it from the keyboard. The terminal is
// as before when monit has ended.
func TestMonitShowsACrash(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", `
apps:
  - name: worker
    command: 'echo working; sleep 1000'
  - name: crasher
    command: 'echo "come $$((6*7)) times"; read line < gate; printf "\033[31mboom:\033[2J it broke\n" >&2; exit 42'
    autorestart: false
`)
	if output, err := exec.Command("mkfifo", filepath.Join(p.dir, "gate")).CombinedOutput(); err != nil {
		t.Fatalf("mkfifo: %v\n%s", err, output)
	}
	p.must("up")
	term := p.terminal(80, 24)
	term.keys("devstack monit", "Enter")
	term.shows("2 of 2 ready", "> worker", "| working")

	p.write("gate", "go\n")
	term.shows("1 of 2 ready", "crasher is stopped · exited with code 42")
	term.keys("Down")
	term.shows("> crasher", "it exited with code 42", "| come 42 times", "! boom: it broke")

	term.keys("r")
	term.shows("crasher: restarted", "2 of 2 ready")
	if now := p.process("crasher"); now.Status != "online" || now.Pid == nil {
		t.Errorf("crasher is %+v", now)
	}

	term.keys("/", "BOOM", "Enter")
	term.shows(`only "BOOM"`, "! boom: it broke")
	term.hides("come 42 times")
	term.keys("Escape")
	term.shows("come 42 times")
	term.keys("x")
	term.shows("crasher: stopped", "1 of 2 ready")
	term.keys("s")
	term.shows("crasher: started", "2 of 2 ready")
	before := *p.process("crasher").Pid
	term.keys("R")
	term.shows("crasher: reloaded", "2 of 2 ready")
	if after := *p.process("crasher").Pid; after == before {
		t.Errorf("crasher is still %d", after)
	}
	term.keys("F")
	term.shows("crasher: the logs are empty")
	term.hides("boom")
	if out := p.must("logs", "crasher", "--no-follow"); strings.Contains(out, "boom") {
		t.Errorf("flush left\n%s", out)
	}

	term.keys("q")
	term.shows("$ devstack monit\n$") // the alternate screen is gone, and the shell reads again
	term.keys("echo a''fter", "Enter")
	term.shows("\nafter\n")
}

// A row is one instance: what is done to it is done to no other.
func TestMonitActsOnOneInstance(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", "apps:\n  - {name: pair, instances: 2, command: 'echo I am $$NODE_APP_INSTANCE; sleep 1000'}\n")
	p.must("up")
	term := p.terminal(80, 24)
	term.keys("devstack monit", "Enter")
	term.shows("2 of 2 ready", "> pair ", "  pair#1 ", "| I am 0")
	term.hides("I am 1")
	term.keys("Down")
	term.shows("> pair#1 ", "| I am 1")
	term.hides("I am 0")
	term.keys("x")
	term.shows("pair#1: stopped", "1 of 2 ready")
	for _, now := range p.ps().Processes {
		if stopped := now.Status == "stopped"; stopped != (now.Instance == 1) {
			t.Errorf("pair#%d is %s", now.Instance, now.Status)
		}
	}
}

// The daemon hangs, then dies: monit says so, keeps the last state, and goes on with the next daemon. So it does with
// the next stack.
func TestFaultMonitOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", "apps:\n  - {name: sleeper, command: 'echo hello; sleep 1000'}\n")
	p.must("up")
	term := p.terminal(80, 24)
	term.keys("devstack monit", "Enter")
	term.shows("1 of 1 ready", "| hello")
	daemon := p.ps().Daemon.Pid
	signal(t, daemon, syscall.SIGSTOP)
	term.shows("The daemon does not answer since", "not connected", "> sleeper", "| hello")
	kill(t, daemon)
	term.shows(fmt.Sprintf("The daemon was restarted: pid %d, now ", daemon), "1 of 1 ready")
	term.keys("r")
	term.shows("sleeper: restarted", "| hello\n| hello")

	p.must("down")
	term.shows("No stack is running here since", "not connected", "> sleeper")
	p.must("up")
	term.shows("1 of 1 ready", "── following ─")
	term.hides("not connected")
}

// The sample as monit shows it; with -update the captures in docs/ are written.
func TestMonitShowsTheSample(t *testing.T) {
	t.Parallel()
	p := newSample(t)
	p.must("up")
	for _, size := range [][2]int{{80, 24}, {160, 48}} {
		term := p.terminal(size[0], size[1])
		term.keys("devstack monit", "Enter")
		term.shows("> postgres ")
		term.keys("Down", "Down", "Down")
		screen := term.shows(
			"8 of 8 ready", "  postgres ", "  redis ", "  orchestrator ", "> agent-scaffold ", "  agent-deployment ",
			"healthy", "online", "pid ", "── logs of agent-scaffold", "agent ready", "0%", "q quit",
		)
		waitFor(t, "what redis consumes", func() (bool, any) {
			s := p.service("redis")
			return s.MemoryBytes != nil && *s.MemoryBytes > 0 && s.CPUPercent != nil, s
		})
		if update := flag.Lookup("update"); update != nil && update.Value.String() == "true" {
			about := p.name + " · dev · docker"
			screen = strings.Replace(screen, about, fmt.Sprintf("%-*s", len([]rune(about)), "agentic-sdlc · dev · docker"), 1)
			path := filepath.Join(repository, "docs", fmt.Sprintf("monit-%dx%d.txt", size[0], size[1]))
			if err := os.WriteFile(path, []byte(screen), 0o644); err != nil {
				t.Error(err)
			}
		}
		term.keys("q")
		term.shows("$ devstack monit\n$")
	}
}

func TestMonitNeedsAStackATerminalAndRoom(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", "apps:\n  - {name: sleeper, command: [sleep, '1000']}\n")
	if r := p.run("monit"); r.code != 2 || !strings.Contains(r.stderr, "needs a terminal") {
		t.Error(r)
	}
	term := p.terminal(79, 24)
	term.keys("devstack dash; echo code $?", "Enter")
	term.shows("no stack is running in", "devstack up", "code 8")
	p.must("up")
	term.keys("clear; devstack dashboard; echo code $?", "Enter")
	term.shows("devstack monit needs 80×24 characters, here are 79×24. q quits.")
	term.run("resize-window", "-t", "0", "-x", "100", "-y", "30")
	term.shows("1 of 1 ready", "> sleeper")
	term.keys("q")
	term.shows("code 0")
}

// terminal is a tmux with one shell in the project's directory, where devstack is the one under test.
type terminal struct {
	t      *testing.T
	socket string
}

func (p *project) terminal(width, height int) *terminal {
	p.t.Helper()
	if _, err := tmuxBinary(); err != nil {
		p.t.Fatal(err)
	}
	term := &terminal{t: p.t, socket: filepath.Join(p.home, "tmux-"+randomHex())}
	term.run("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height), "-c", p.dir,
		"env", "DEVSTACK_HOME="+p.home, "PATH="+binariesDir()+string(filepath.ListSeparator)+os.Getenv("PATH"), "PS1=$ ", "sh")
	p.t.Cleanup(func() { term.run("kill-server") })
	term.shows("$")
	return term
}

// tmuxBinary installs tmux with the project's own script, where there is none.
var tmuxBinary = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("scripts/tmux")
	cmd.Dir = repository
	path, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("scripts/tmux: %w", err)
	}
	return strings.TrimSpace(string(path)), nil
})

// run runs a command of tmux.
func (term *terminal) run(args ...string) string {
	term.t.Helper()
	path, err := tmuxBinary()
	if err != nil {
		term.t.Fatal(err)
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline(term.t))
	defer cancel()
	r := execute(term.t, exec.CommandContext(ctx, path, append([]string{"-S", term.socket}, args...)...))
	if r.code != 0 {
		term.t.Fatal(r)
	}
	return r.stdout
}

// keys types words and keys, as tmux names them.
func (term *terminal) keys(keys ...string) {
	term.t.Helper()
	term.run(append([]string{"send-keys", "-t", "0"}, keys...)...)
}

// shows waits until the screen holds all texts, and returns it.
func (term *terminal) shows(texts ...string) string {
	term.t.Helper()
	var screen string
	waitFor(term.t, strings.Join(texts, " and "), func() (bool, any) {
		screen = term.run("capture-pane", "-p", "-t", "0")
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false, fmt.Sprintf("no %q on\n%s", text, screen)
			}
		}
		return true, screen
	})
	return screen
}

// hides waits until the screen does not hold text.
func (term *terminal) hides(text string) {
	term.t.Helper()
	waitFor(term.t, "no "+text, func() (bool, any) {
		screen := term.run("capture-pane", "-p", "-t", "0")
		return !strings.Contains(screen, text), "\n" + screen
	})
}
