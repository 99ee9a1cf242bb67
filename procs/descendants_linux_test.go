package procs

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"devstack/stack"
	"devstack/view"
)

func TestNoDescendantSurvives(t *testing.T) {
	p := newProject(t)
	app := p.app("parent", "/bin/sh", "-c", "setsid sleep 1000 & echo child $!; [ -e crash ] && exit 1; wait")
	app.Healthcheck = &stack.Healthcheck{LogLine: `^child \d+$`, Interval: time.Second, Timeout: time.Second, Retries: 1}
	app.KillTimeout = 30 * time.Second
	p.start(app)
	child := func(got Process) int {
		line := got.Probes[len(got.Probes)-1].Detail
		pid, err := strconv.Atoi(line[strings.LastIndex(line, " ")+1:])
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	first := p.untilReady("parent")
	if !running(child(first)) {
		t.Fatal("the grandchild does not run: nothing is tested")
	}
	p.current().Stop("parent")
	p.untilState("parent", view.Stopped)
	untilGone(t, child(first))

	p.current().Start("parent")
	second := p.untilReady("parent")
	if child(second) == child(first) {
		t.Fatal("the log line of the launch before was taken for this one's")
	}
	if err := os.WriteFile(p.dir+"/crash", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	proc, err := os.FindProcess(*second.Pid)
	if err != nil {
		t.Fatal(err)
	}
	_ = proc.Kill()
	p.until("parent", "another exit", func(got Process) bool { return len(got.Exits) == 2 && got.Status != view.Online })
	untilGone(t, child(second))
}

// untilGone waits for the death of a process that has been killed: the kernel takes a moment.
func untilGone(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 5000)
	if n != 1 {
		t.Errorf("process %d survived (%v)", pid, err)
	}
}

// running says whether a process exists and is more than a zombie.
func running(pid int) bool {
	_, _, ok := newSampler().stat(pid)
	return ok
}
