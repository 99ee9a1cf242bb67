package procs

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"devstack/probe"
)

// runIn runs commands of the user's in a directory and an environment. They do not go through the keeper: a healthcheck is
// a question, not a part of the stack, and it must never outlive its timeout. At the timeout the whole process group is killed.
func runIn(dir string, env []string) probe.Run {
	return func(ctx context.Context, argv []string) (probe.Execution, error) {
		path, err := findExecutable(argv[0], dir, env)
		if err != nil {
			return probe.Execution{}, fmt.Errorf("%w: %w", probe.ErrNoCommand, err)
		}
		cmd := exec.CommandContext(ctx, path, argv[1:]...)
		cmd.Dir, cmd.Env = dir, env
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = time.Second // a descendant that left the group may hold the pipe
		var out, errs ending
		cmd.Stdout, cmd.Stderr = &out, &errs
		err = cmd.Run()
		x := probe.Execution{Stdout: string(out), Stderr: string(errs)}
		exit := (*exec.ExitError)(nil)
		switch {
		case err == nil:
			return x, nil
		case ctx.Err() != nil || !errors.As(err, &exit):
			return x, err
		}
		x.Code = exit.ExitCode()
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			x.Code = 128 + int(status.Signal())
		}
		return x, nil
	}
}

// ending keeps the last 512 bytes of what is written to it.
type ending []byte

func (e *ending) Write(p []byte) (int, error) {
	*e = append(*e, p...)
	*e = (*e)[max(0, len(*e)-512):]
	return len(p), nil
}
