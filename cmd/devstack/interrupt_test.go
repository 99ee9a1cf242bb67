package main_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devstack/daemon/api"
)

// Ctrl-C ends a command and never the stack: 130 for up, which says so, and 0 for following logs, where it is the way out.
func TestInterrupts(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", "apps:\n  - {name: slow, script: slow.js, wait_ready: true}\n")
	p.write("slow.js", "console.log('alive'); setInterval(() => console.log('again'), 100)\n")

	r := p.interrupt("slow: launching", "up", "--progress", "plain")
	if r.code != int(api.ExitInterrupted) || !strings.Contains(r.stderr, "left as it is") {
		t.Errorf("interrupted: %v", r)
	}
	before := p.process("slow")
	if before.Pid == nil || before.Status != "launching" {
		t.Fatalf("after the interrupt: %+v", before)
	}

	if r := p.interrupt("slow | again", "logs"); r.code != 0 || strings.Contains(r.stderr, "error") {
		t.Errorf("logs, interrupted: %v", r)
	}

	p.write("ecosystem.yaml", "apps:\n  - {name: slow, script: slow.js}\n")
	p.must("up")
	r = p.interrupt("slow | again", "up", "--attach")
	if r.code != int(api.ExitInterrupted) || !strings.Contains(r.stderr, "is left running") {
		t.Errorf("up --attach, interrupted: %v", r)
	}
	if after := p.process("slow"); after.Pid == nil || !after.Ready {
		t.Errorf("after up --attach: %+v", after)
	}
}

// Ctrl-C cancels what a devstackd of its own does for a command, which waits until that has ended. The signal goes to the
// command alone: the connection hands it on.
func TestInterruptOfARequest(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("endless.config.mjs", "console.log('begun ' + process.pid); setInterval(() => {}, 1000); await new Promise(() => {})\n")
	r := p.interrupt("begun ", "import", "--trust", "--out", "ecosystem.yaml", "endless.config.mjs")
	if r.code != int(api.ExitInterrupted) || r.stderr != "interrupted\n" {
		t.Errorf("interrupted: %v", r)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "ecosystem.yaml")); err == nil {
		t.Error("a cancelled import has written its file")
	}
	if left := p.daemons(); len(left) > 0 {
		t.Errorf("it has left %+v", left)
	}
}

// interrupt runs devstack and interrupts it when it has written until; what it wrote afterwards is in stderr.
func (p *project) interrupt(until string, args ...string) result {
	p.t.Helper()
	ctx, cancel := context.WithDeadline(context.Background(), deadline(p.t))
	defer cancel()
	read, write, err := os.Pipe()
	if err != nil {
		p.t.Fatal(err)
	}
	defer read.Close()
	var after bytes.Buffer
	cmd := p.command(ctx, p.dir, nil, args...)
	cmd.Stdout, cmd.Stderr = write, write
	err = cmd.Start()
	write.Close()
	if err != nil {
		p.t.Fatal(err)
	}
	found := false
	for lines := bufio.NewScanner(read); lines.Scan(); {
		if !found && strings.Contains(lines.Text(), until) {
			found = true
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				p.t.Error(err)
			}
			continue
		}
		if found {
			after.WriteString(lines.Text() + "\n")
		}
	}
	_ = cmd.Wait() // the exit code says it
	if !found {
		p.t.Errorf("devstack %s never wrote %q", strings.Join(args, " "), until)
	}
	return result{"devstack " + strings.Join(args, " "), "", after.String(), cmd.ProcessState.ExitCode()}
}
