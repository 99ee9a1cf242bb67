//go:build linux

package keeper

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"devstack/procs/keeper/protocol"
)

const deaf = `trap "" TERM INT; echo '"up"' >&3; while :; do sleep 1000; done`

func TestShutdownKillsTheDeafAndItsOrphans(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, daemon, w := r.dial()
	l := r.sh("deaf", deaf)
	l.Grace = protocol.Grace{Signal: int(syscall.SIGTERM), Timeout: 50 * time.Millisecond}
	deafProc := openProc(t, mustLaunch(t, c, l).Pid)
	next(t, "up", w.ipc)
	mustLaunch(t, c, r.sh("gone", `setsid sh -c 'echo $$ >&3; exec sleep 1000 3>&-' & exit 0`))
	orphan := openProc(t, ipcPid(t, w))
	if e := next(t, "exit", w.exits); e.Key.App != "gone" {
		t.Fatalf("exit: %+v", e)
	}
	daemonProc := openProc(t, daemon)
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !deafProc.dead(0) {
		t.Error("Shutdown has returned and the deaf process lives")
	}
	orphan.mustDie()
	if e := next(t, "exit", w.exits); e.Signal != 9 {
		t.Errorf("exit: %+v", e)
	}
	waitGone(t, r.opts)
	daemonProc.mustDie()
	if _, err := os.Lstat(r.opts.Socket); !os.IsNotExist(err) {
		t.Errorf("socket: %v", err)
	}
}

func TestSIGTERMEndsGently(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, _, w := r.dial()
	id, _, err := c.Hello(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gentle := r.sh("gentle", `trap "echo bye; exit 0" INT; echo '"up"' >&3; while :; do sleep 1000 & wait $!; done`)
	gentle.Grace = protocol.Grace{Signal: int(syscall.SIGINT), Timeout: time.Hour}
	mustLaunch(t, c, gentle)
	next(t, "up", w.ipc)
	if err := syscall.Kill(id.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitGone(t, r.opts)
	if e := journalExit(t, r); e.Code != 0 || e.Signal != 0 {
		t.Errorf("exit: %+v", e)
	}
	if got := mustRead(t, gentle.Logs.Out); got != "bye\n" {
		t.Errorf("log: %q", got)
	}
}

// Hurrying 40 times makes next to nothing of an hour.
func TestSecondSIGTERMHalvesTheGrace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, _, w := r.dial()
	id, _, err := c.Hello(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := r.sh("deaf", deaf)
	l.Grace = protocol.Grace{Timeout: time.Hour}
	mustLaunch(t, c, l)
	next(t, "up", w.ipc)
	keeper := openProc(t, id.Pid)
	for !keeper.dead(5 * time.Millisecond) {
		if err := syscall.Kill(id.Pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
	if e := journalExit(t, r); e.Signal != 9 {
		t.Errorf("exit: %+v", e)
	}
}

// journalExit returns the last exit of a keeper that has ended.
func journalExit(t *testing.T, r *rig) protocol.Exit {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(mustRead(t, filepath.Join(r.opts.StateDir, "journal"))), "\n")
	var last journalLine
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Exit == nil {
		t.Fatalf("journal: %q, %v", lines, err)
	}
	return *last.Exit
}

func TestNoLaunchWhileEnding(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, _, w := r.dial()
	id, _, err := c.Hello(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := r.sh("deaf", `trap "echo '\"asked\"' >&3" TERM; echo '"up"' >&3; while :; do sleep 1000 & wait $!; done`)
	l.Grace = protocol.Grace{Timeout: time.Hour}
	mustLaunch(t, c, l)
	next(t, "up", w.ipc)
	if err := syscall.Kill(id.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	next(t, "asked", w.ipc)
	if _, err := c.Launch(t.Context(), r.sh("late", "exit 0")); !errors.Is(err, syscall.ESHUTDOWN) {
		t.Errorf("Launch: %v", err)
	}
	asked := make(chan error, 1)
	go func() { asked <- c.Shutdown(t.Context()) }() // joins the shutdown that is under way
	kill := protocol.SignalReq{Key: l.Key, Signal: int(syscall.SIGKILL)}
	if err := c.Signal(t.Context(), kill); err != nil && !errors.Is(err, protocol.ErrGone) { // the end may overtake the answer
		t.Error(err)
	}
	if err := next(t, "end", asked); err != nil && !errors.Is(err, protocol.ErrGone) {
		t.Errorf("Shutdown: %v", err)
	}
	waitGone(t, r.opts)
	<-c.Done()
	if _, err := c.List(t.Context()); !errors.Is(err, protocol.ErrGone) && !errors.Is(err, net.ErrClosed) {
		t.Errorf("List: %v", err)
	}
}
