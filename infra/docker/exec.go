package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"devstack/probe"
)

const (
	endTime   = time.Second      // how long the end of a command that has to go is waited for
	beginTime = 10 * time.Second // how long a command that was to begin may take to do so
)

// ending is a command that is to end.
type ending struct {
	exec  string
	since time.Time
	began bool // it was seen to run
}

// errStillRuns is why no command begins: an engine has no way to end one, and they must not pile up.
var errStillRuns = errors.New("the last command in this container still runs, and cannot be ended")

// Exec runs argv and returns when it has ended. When ctx ends first, it ends the command.
func (d *Driver) Exec(ctx context.Context, id string, argv []string) (probe.Execution, error) {
	if d.outlived(ctx, id) {
		return probe.Execution{}, errStillRuns
	}
	made, err := d.api.ExecCreate(ctx, id, client.ExecCreateOptions{AttachStdout: true, AttachStderr: true, Cmd: argv})
	if err != nil {
		return probe.Execution{}, err
	}
	begin, cancel := context.WithCancel(context.WithoutCancel(ctx)) // a command that is about to begin is seen to begin
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(endTime, cancel) })()
	attached, err := d.api.ExecAttach(begin, made.ID, client.ExecAttachOptions{})
	if err != nil {
		if ctx.Err() != nil {
			d.end(ctx, id, made.ID)
		}
		return probe.Execution{}, noCommand(err)
	}
	defer attached.Close()
	// The hijacked connection does not know ctx.
	defer context.AfterFunc(ctx, func() { _ = attached.Conn.SetDeadline(time.Unix(1, 0)) })()
	var stdout, stderr limited
	_, err = stdcopy.StdCopy(&stdout, &stderr, attached.Reader)
	ended, code := false, 0
	if err == nil {
		ended, code, err = d.ended(ctx, made.ID)
	}
	switch {
	case ended:
		return probe.Execution{Code: code, Stdout: stdout.String(), Stderr: stderr.String()}, nil
	case ctx.Err() != nil:
		d.end(ctx, id, made.ID)
		return probe.Execution{}, ctx.Err()
	}
	return probe.Execution{}, fmt.Errorf("cannot read its output: %w", err)
}

// noCommand tells that there is no such program from all other reasons why a command cannot begin.
func noCommand(err error) error {
	if text := err.Error(); strings.Contains(text, "executable file not found") || strings.Contains(text, "no such file or directory") {
		return fmt.Errorf("%w: %w", probe.ErrNoCommand, err)
	}
	return err
}

// ended waits for the end of a command whose output has ended. It may still count as running then, with an exit code of 0.
func (d *Driver) ended(ctx context.Context, exec string) (ended bool, code int, err error) {
	for {
		seen, err := d.api.ExecInspect(ctx, exec, client.ExecInspectOptions{})
		if err != nil || !seen.Running {
			return err == nil, seen.ExitCode, err
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return false, 0, ctx.Err()
		}
	}
}

// end ends a command and all that is in its process group. What survives that, or may yet begin, keeps others from being begun.
func (d *Driver) end(ctx context.Context, id, exec string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	d.mu.Lock()
	d.ending[id] = ending{exec, time.Now(), false}
	d.mu.Unlock()
	for ctx.Err() == nil && d.outlived(ctx, id) {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// outlived says whether a command that is to end still runs in a container, or may yet begin, and kills it once more.
func (d *Driver) outlived(ctx context.Context, id string) bool {
	d.mu.Lock()
	last, known := d.ending[id]
	d.mu.Unlock()
	if !known {
		return false
	}
	seen, err := d.api.ExecInspect(ctx, last.exec, client.ExecInspectOptions{})
	switch {
	case err == nil && seen.Running:
		d.mu.Lock()
		d.ending[id] = ending{last.exec, last.since, true}
		d.mu.Unlock()
		d.kill(ctx, id, seen.PID)
		return true
	case err == nil && !last.began && seen.PID == 0 && time.Since(last.since) < beginTime:
		return true
	case err != nil && ctx.Err() != nil:
		return true
	}
	d.mu.Lock()
	delete(d.ending, id)
	d.mu.Unlock()
	return false
}

// kill kills a process group of a container. The engine has no call for that, so it is done by the pid on this host, or from
// inside the container where this process may not.
func (d *Driver) kill(ctx context.Context, id string, pid int) {
	inside := pidInside(id, pid)
	if inside <= 1 || syscall.Kill(-pid, syscall.SIGKILL) == nil {
		return
	}
	made, err := d.api.ExecCreate(ctx, id, client.ExecCreateOptions{User: "0", Cmd: []string{"kill", "-9", strconv.Itoa(-inside)}})
	if err == nil {
		_, err = d.api.ExecStart(ctx, made.ID, client.ExecStartOptions{Detach: true})
	}
	if err != nil {
		d.log.Debug("cannot end a command in a container", "container", id, "err", err)
	}
}

// pidInside is what a process of this host is called inside its container; 0 where it is not a process of this host, which has
// engines in virtual machines, or not of this container.
func pidInside(id string, pid int) int {
	of := "/proc/" + strconv.Itoa(pid)
	groups, err := os.ReadFile(of + "/cgroup")
	if pid <= 1 || err != nil || !bytes.Contains(groups, []byte(id)) {
		return 0
	}
	status, err := os.ReadFile(of + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if pids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			words := strings.Fields(pids)
			if len(words) < 2 {
				return 0
			}
			inside, _ := strconv.Atoi(words[len(words)-1])
			return inside
		}
	}
	return 0
}

// limited keeps the first 4 KiB.
type limited struct{ bytes.Buffer }

func (l *limited) Write(b []byte) (int, error) {
	if room := 4096 - l.Len(); room > 0 {
		l.Buffer.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}
