package daemon

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"devstack/daemon/api"
	"devstack/daemon/preflight"
	"devstack/stack"
	"devstack/view"
)

// buildLines is how much of a failed build's output is shown.
const buildLines = 20

// build runs the build command where it is asked for, or a script is missing and it may run by itself, and
// makes sure that every script is there that no app is to make. Its output is published line by line.
func (u *up) build(ctx context.Context) *api.Result {
	b := u.want.Stack.Build
	missing := preflight.MissingScripts(u.selected)
	if b == nil || !u.req.Build && (len(missing) == 0 || !b.IfMissing) {
		return nil // propose has refused what is missing and not made
	}
	command := strings.Join(stack.MaskArgs(b.Command), " ")
	last, err := runBuild(ctx, *b, u.want.Environment, func(line string) {
		u.d.bus.publish(view.Event{Kind: view.KindBuild, Message: line})
	})
	message := ""
	if missing = preflight.UnmadeScripts(u.want.Stack, u.selected); err != nil {
		message = fmt.Sprintf("the build command failed: %s: %v", command, err)
	} else if len(missing) > 0 {
		for i, path := range missing {
			missing[i] = u.want.Stack.Rel(path)
		}
		message = fmt.Sprintf("the build command ended with 0 but did not make %s: %s", strings.Join(missing, ", "), command)
	}
	if message == "" {
		return nil
	}
	r := refusal(api.Failure{Resource: "build", Exit: api.ExitEnvironment, Message: message, LastLines: last})
	r.Hint = "run it by hand in " + b.Dir
	return r
}

// runBuild runs a build and returns its last lines. An ended ctx ends it with everything it started.
func runBuild(ctx context.Context, b stack.Build, environment []string, each func(string)) ([]string, error) {
	cmd := exec.CommandContext(ctx, b.Command[0], b.Command[1:]...)
	cmd.Dir, cmd.Env = b.Dir, environment
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	read, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	last := make(chan []string)
	go func() {
		lines := []string{}
		for scan := bufio.NewReader(read); ; {
			line, err := scan.ReadString('\n')
			if line = strings.TrimRight(line, "\r\n"); line != "" || err == nil {
				each(line)
				lines = append(lines, line)
				lines = lines[max(0, len(lines)-buildLines):]
			}
			if err != nil {
				last <- lines
				return
			}
		}
	}()
	err := cmd.Run()
	_ = write.Close() // of a pipe in memory
	return <-last, err
}
