//go:build linux

package keeper

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"devstack/procs/files"
	"devstack/procs/keeper/protocol"
	"devstack/procs/proc"
)

// server is a launch whose lock, output and traces lie in the project directory.
func (r *rig) server(app, script string) protocol.Launch {
	l := r.sh(app, script)
	l.Key.Instance, l.IPC, l.Logs = -1, false, protocol.Logs{}
	l.Server = &protocol.Server{Lock: filepath.Join(r.opts.Dir, app+".lock"), Output: filepath.Join(r.opts.Dir, app+".log")}
	l.Grace = protocol.Grace{Signal: int(syscall.SIGINT), Timeout: time.Minute}
	return l
}

// waitUnlocked returns when the last process of a server has ended.
func waitUnlocked(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := files.Lock(f, syscall.LOCK_SH); err != nil {
		t.Fatal(err)
	}
}

// tellAndWait writes to a fifo when it has come so far that it ends gently.
const tellAndWait = `trap 'echo bye; exit 0' INT; echo up; echo up > "$0.up"; while :; do sleep 1000 & wait $!; done`

func (r *rig) launchServer(c *protocol.Conn, app string) (protocol.Launch, protocol.Launched) {
	r.t.Helper()
	l := r.server(app, tellAndWait)
	l.Argv = append(l.Argv, filepath.Join(r.opts.Dir, app))
	if err := syscall.Mkfifo(filepath.Join(r.opts.Dir, app+".up"), 0o600); err != nil {
		r.t.Fatal(err)
	}
	got := mustLaunch(r.t, c, l)
	if up := mustRead(r.t, filepath.Join(r.opts.Dir, app+".up")); up != "up\n" {
		r.t.Fatalf("%q", up)
	}
	r.t.Cleanup(func() { _ = syscall.Kill(-got.Pid, syscall.SIGKILL) })
	return l, got
}

func TestServerOutlivesShutdown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, _, _ := r.dial()
	l, got := r.launchServer(c, "db")
	if !proc.Runs(got.Pid, got.StartTime) || proc.StartTime(got.Pid) != got.StartTime {
		t.Errorf("%+v does not run", got)
	}
	if _, err := c.Launch(t.Context(), protocol.Launch{Key: protocol.Key{App: "db", Instance: -1, Generation: 2}, Argv: l.Argv, Server: l.Server}); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("a second server: %v", err)
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitGone(t, r.opts)
	if already, err := protocol.Spawn(r.opts); already || err != nil { // it kills what an earlier keeper left behind, but no server
		t.Fatal(already, err)
	}
	c, _, _ = r.dial()
	if list, err := c.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("List: %v, %v", list, err)
	}
	if !proc.Runs(got.Pid, got.StartTime) {
		t.Error("the server has ended with its keeper")
	}
	l.Key.Generation = 3
	if _, err := c.Launch(t.Context(), l); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("a second server: %v", err)
	}
	proc.Process{Pid: got.Pid, Start: got.StartTime + 1}.Signal(syscall.SIGKILL) // another process
	if !proc.Runs(got.Pid, got.StartTime) {
		t.Error("a process with another start time was killed")
	}
	p := openProc(t, got.Pid)
	proc.Process{Pid: got.Pid, Start: got.StartTime}.Signal(syscall.SIGINT)
	p.mustDie()
	if text := mustRead(t, l.Server.Output); text != "up\nbye\n" {
		t.Errorf("output: %q", text)
	}
}

func TestSIGTERMEndsServersLast(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, _, w := r.dial()
	id, _, err := c.Hello(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l, server := r.launchServer(c, "db")
	p := openProc(t, server.Pid)
	app := r.sh("app", `trap 'kill -0 `+strconv.Itoa(server.Pid)+` && echo still; exit 0' TERM; echo '"up"' >&3; while :; do sleep 1000 & wait $!; done`)
	app.Grace = protocol.Grace{Timeout: time.Minute}
	mustLaunch(t, c, app)
	next(t, "up", w.ipc)
	if err := syscall.Kill(id.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitGone(t, r.opts)
	p.mustDie()
	waitUnlocked(t, l.Server.Lock)
	if got := mustRead(t, app.Logs.Out); got != "still\n" {
		t.Errorf("the app found no server: %q", got)
	}
	if text := mustRead(t, l.Server.Output); text != "up\nbye\n" {
		t.Errorf("output: %q", text)
	}
}

func TestServerRunsAsAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		return // nothing to give up
	}
	r := newRig(t)
	c, _, w := r.dial()
	l := r.server("db", `id -u; id -G`)
	l.Dir = "/"
	l.Server.UID, l.Server.GID = 65534, 65533
	mustLaunch(t, c, l)
	if e := next(t, "exit", w.exits); e.Code != 0 || e.Key != l.Key {
		t.Fatalf("exit: %+v", e)
	}
	if text := mustRead(t, l.Server.Output); text != "65534\n65533\n" {
		t.Errorf("output: %q", text)
	}
}
