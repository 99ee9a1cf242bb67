package procs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"devstack/probe"
)

// execProbe runs a command of the user's and is ready when it exits with 0. It does not go through the keeper: it is a
// question, not a part of the stack, and it must never outlive its timeout.
type execProbe struct {
	argv []string
	dir  string
	env  []string
}

// Check runs the command once; at the timeout its whole process group is killed.
func (p execProbe) Check(ctx context.Context) probe.Result {
	path, err := findExecutable(p.argv[0], p.dir, p.env)
	if err != nil {
		return probe.Result{Broken: true, Detail: err.Error()}
	}
	cmd := exec.CommandContext(ctx, path, p.argv[1:]...)
	cmd.Dir, cmd.Env = p.dir, p.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a descendant that left the group may hold the pipe
	out := &tailBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	name := strings.Join(p.argv, " ")
	if err == nil {
		return probe.Result{Ready: true, Detail: name + ": exit code 0"}
	}
	if ctx.Err() != nil {
		return probe.Result{Detail: name + ": no answer in time"}
	}
	detail := fmt.Sprintf("%s: %v", name, err)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		detail = fmt.Sprintf("%s: %s", name, exit.ProcessState)
	}
	if last := out.lastLine(); last != "" {
		detail += ": " + last
	}
	return probe.Result{Detail: detail}
}

// tailBuffer keeps the end of what is written to it.
type tailBuffer struct{ data []byte }

func (b *tailBuffer) Write(p []byte) (int, error) {
	b.data = append(b.data, p...)
	b.data = b.data[max(0, len(b.data)-512):]
	return len(p), nil
}

func (b *tailBuffer) lastLine() string {
	lines := bytes.Split(bytes.TrimSpace(b.data), []byte("\n"))
	return string(bytes.TrimSpace(lines[len(lines)-1]))
}
