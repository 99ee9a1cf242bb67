//go:build linux

package keeper

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"devstack/procs/keeper/protocol"
)

// besideIt is another path of the same home, with the directory dir.
func besideIt(t *testing.T, o protocol.SpawnOptions, dir string) protocol.SpawnOptions {
	t.Helper()
	other := newProject(t)
	other.Dir = dir
	other.StateDir = filepath.Join(filepath.Dir(o.StateDir), "other")
	other.Socket = filepath.Join(other.StateDir, "ctl.sock")
	t.Cleanup(func() { endProject(t, other) })
	return other
}

func TestFindByDirectoryAndByPath(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := besideIt(t, r.opts, t.TempDir())
	expect := func(what, dir, stateDir string, path, directory bool) {
		t.Helper()
		ofPath, ofDirectory := protocol.Find(dir, stateDir)
		if ofPath != nil != path || ofDirectory != nil != directory {
			t.Errorf("%s: of the path %+v, of the directory %+v", what, ofPath, ofDirectory)
		}
		for _, h := range []*protocol.Holder{ofPath, ofDirectory} {
			if h != nil && (h.Dir != r.opts.Dir || h.StateDir != r.opts.StateDir || h.Socket != r.opts.Socket || h.ID != r.opts.ID) {
				t.Errorf("%s: %+v", what, h)
			}
		}
	}
	expect("as it was", r.opts.Dir, r.opts.StateDir, true, true)
	expect("elsewhere", other.Dir, other.StateDir, false, false)
	expect("its path, another directory", other.Dir, r.opts.StateDir, true, false)
	expect("another path, its directory", r.opts.Dir, other.StateDir, false, true)
	expect("no directory", filepath.Join(other.Dir, "none"), other.StateDir, false, false)
	if h, _ := protocol.Find(r.opts.Dir, r.opts.StateDir); !h.IsAt(r.opts.Dir) || h.IsAt(other.Dir) || h.IsAt("/nonexistent") {
		t.Error("the directory of the keeper is not told from others")
	}
	c, daemon, _ := r.dial()
	ending := openProc(t, daemon)
	id, _, err := c.Hello(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kill9(t, id.Pid)
	ending.mustDie()
	waitGone(t, r.opts)
	expect("after kill -9", r.opts.Dir, r.opts.StateDir, false, false)
}

func TestAKeeperNeedsBothLocks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := besideIt(t, r.opts, t.TempDir())
	samePath, sameDirectory := r.opts, other
	samePath.Dir, sameDirectory.Dir = other.Dir, r.opts.Dir
	for name, o := range map[string]protocol.SpawnOptions{"the path is taken": samePath, "the directory is taken": sameDirectory} {
		if err := protocol.StartKeeper(o); !errors.Is(err, protocol.ErrLocked) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := protocol.Spawn(o); err == nil || !strings.Contains(err.Error(), "in the way") {
			t.Errorf("Spawn, %s: %v", name, err)
		}
		o.Replace = func(h *protocol.Holder) error {
			if h.Dir != r.opts.Dir {
				t.Errorf("%s: %+v is to be replaced", name, h)
			}
			return syscall.EPERM
		}
		if _, err := protocol.Spawn(o); !errors.Is(err, syscall.EPERM) {
			t.Errorf("Spawn that cannot replace, %s: %v", name, err)
		}
	}
}

// What a killed keeper left running is ended by the next one of its directory, too, wherever that is now.
func TestSurvivorsOfAMovedDirectoryAreEnded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, daemon, _ := r.dial()
	survivor := openProc(t, mustLaunch(t, c, r.sh("app", "exec sleep 1000")).Pid)
	id, _, err := c.Hello(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kill9(t, id.Pid)
	kill9(t, daemon)
	waitGone(t, r.opts)
	other := besideIt(t, r.opts, r.opts.Dir)
	if _, err := protocol.Spawn(other); err != nil {
		t.Fatal(err)
	}
	survivor.mustDie()
	if h := protocol.ReadHolder(r.opts.StateDir); h != nil {
		t.Errorf("%+v is looked for again", h)
	}
}

// The same path under another home: its keeper is found by its daemon.
func TestAnotherHomesKeeperStays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, _, _ := r.dial()
	launched := openProc(t, mustLaunch(t, c, r.sh("app", "exec sleep 1000")).Pid)
	other := newProject(t)
	other.ID = r.opts.ID
	if _, err := protocol.Spawn(other); err == nil || !strings.Contains(err.Error(), "DEVSTACK_HOME") {
		t.Errorf("Spawn: %v", err)
	}
	waitGone(t, other)
	if launched.dead(0) {
		t.Error("a process of the other home was ended")
	}
}

// A keeper of a version that knew one lock takes the other one when it is upgraded.
func TestUpgradeFromAKeeperWithOneLock(t *testing.T) {
	t.Parallel()
	k := &keeper{opts: Options{Dir: t.TempDir(), ID: "id", StateDir: t.TempDir(), Socket: "socket"}}
	var err error
	if k.lock, err = protocol.LockDirectory(k.opts.Dir); err != nil {
		t.Fatal(err)
	}
	defer k.lock.Close()
	if err := k.restorePlace(0); err != nil {
		t.Fatal(err)
	}
	defer k.place.Close()
	h, same := protocol.Find(k.opts.Dir, k.opts.StateDir)
	if h == nil || h != same || h.Pid != os.Getpid() {
		t.Errorf("%+v, %+v", h, same)
	}
}
