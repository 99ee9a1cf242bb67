//go:build linux

package keeper

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"devstack/procs/keeper/protocol"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestManySpawnsOneKeeper(t *testing.T) {
	t.Parallel()
	o := newProject(t)
	t.Cleanup(func() { endProject(t, o) })
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(o.Dir, link); err != nil {
		t.Fatal(err)
	}
	var started atomic.Int32
	var all sync.WaitGroup
	for i := range 10 {
		o := o
		if i%2 == 1 {
			o.Dir = link
		}
		all.Go(func() {
			already, err := protocol.Spawn(o)
			if err != nil {
				t.Error(err)
			}
			if !already {
				started.Add(1)
			}
		})
	}
	all.Wait()
	if started.Load() != 1 {
		t.Errorf("%d keepers", started.Load())
	}

	other := newProject(t) // the same project, another state directory
	other.Dir = link
	if err := protocol.StartKeeper(other); !errors.Is(err, protocol.ErrLocked) {
		t.Errorf("second keeper: %v", err)
	}
	if !protocol.Elsewhere(t.Context(), link, other.StateDir, other.Socket) || protocol.Elsewhere(t.Context(), o.Dir, o.StateDir, o.Socket) ||
		protocol.Elsewhere(t.Context(), t.TempDir(), other.StateDir, other.Socket) {
		t.Error("the socket that answers is not told from the one that does not")
	}
	if _, err := protocol.Spawn(other); err == nil || !strings.Contains(err.Error(), "DEVSTACK_HOME") {
		t.Errorf("Spawn: %v", err)
	}
}

func TestSpawnSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	o := newProject(t)
	o.Daemon = []string{"/nonexistent/devstackd"}
	if _, err := protocol.Spawn(o); err == nil || !strings.Contains(err.Error(), "/nonexistent/devstackd") {
		t.Errorf("no daemon: %v", err)
	}
	waitGone(t, o)
	o = newProject(t)
	if err := os.Mkdir(o.StateDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.Socket, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := protocol.Spawn(o); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("a file at the socket's path: %v", err)
	}
	waitGone(t, o)
	if mustRead(t, o.Socket) != "mine" {
		t.Error("the file was touched")
	}
	if fi, err := os.Stat(o.StateDir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("state directory: %v, %v", fi.Mode(), err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	for range 2 { // the second time over the first one's remains
		l, err := bindSocket(path)
		if err != nil {
			t.Fatal(err)
		}
		fi, err := os.Lstat(path)
		if err != nil || fi.Mode() != os.ModeSocket|0o600 {
			t.Errorf("socket: %v, %v", fi.Mode(), err)
		}
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		l.Close()
	}
}

// Keeper and daemon killed together: what survives is ended before anything is started.
func TestSurvivorsAreEnded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, daemon, _ := r.dial()
	id, _, err := c.Hello(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	survivor := openProc(t, mustLaunch(t, c, r.sh("app", "exec sleep 1000")).Pid)
	hung := openProc(t, daemon)
	if err := syscall.Kill(daemon, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	kill9(t, id.Pid)
	waitGone(t, r.opts)
	if survivor.dead(0) || hung.dead(0) {
		t.Fatal("nothing survived: nothing is tested")
	}
	if already, err := protocol.Spawn(r.opts); err != nil || already {
		t.Fatalf("Spawn: %v, %v", already, err)
	}
	survivor.mustDie()
	hung.mustDie()
	c, _, _ = r.dial()
	if list, err := c.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("List: %+v, %v", list, err)
	}
}

func TestWaitGoneHonoursContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock, err := protocol.LockDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := protocol.WaitGone(ctx, dir, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("locked: %v", err)
	}
	lock.Close()
	if err := protocol.WaitGone(t.Context(), dir, ""); err != nil {
		t.Errorf("free: %v", err)
	}
}
