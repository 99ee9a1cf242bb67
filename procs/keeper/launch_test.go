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

func TestExitStatus(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, _, w := r.dial()
	id, version, err := c.Hello(t.Context())
	if err != nil || version != protocol.ProtocolVersion || id.Project != r.opts.ID || id.Dir != r.opts.Dir {
		t.Fatalf("Hello: %+v, %d, %v", id, version, err)
	}
	mustLaunch(t, c, r.sh("seven", "exit 7"))
	if e := next(t, "exit", w.exits); e.Code != 7 || e.Signal != 0 || e.Key.App != "seven" || e.At.IsZero() {
		t.Errorf("exit 7: %+v", e)
	}
	mustLaunch(t, c, r.sh("shot", "kill -9 $$"))
	if e := next(t, "exit", w.exits); e.Code != -1 || e.Signal != 9 || e.Unknown {
		t.Errorf("death by SIGKILL: %+v", e)
	}
	mustLaunch(t, c, r.sh("asked", "exec sleep 1000"))
	mustSignal(t, c, protocol.SignalReq{Key: protocol.Key{App: "asked", Generation: 1}, Signal: int(syscall.SIGTERM)})
	if e := next(t, "exit", w.exits); e.Signal != int(syscall.SIGTERM) {
		t.Errorf("death by SIGTERM: %+v", e)
	}
	err = c.Signal(t.Context(), protocol.SignalReq{Key: protocol.Key{App: "asked", Generation: 1}, Signal: int(syscall.SIGTERM)})
	if !errors.Is(err, syscall.ESRCH) {
		t.Errorf("signal after the exit: %v", err)
	}
}

func TestLaunchFailures(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, _, _ := r.dial()
	plain := filepath.Join(r.opts.Dir, "plain.txt")
	if err := os.WriteFile(plain, []byte("not a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*protocol.Launch)
		errno  syscall.Errno
		text   string
	}{
		"no such program":   {func(l *protocol.Launch) { l.Argv[0] = "/nonexistent/node" }, syscall.ENOENT, "/nonexistent/node"},
		"not executable":    {func(l *protocol.Launch) { l.Argv[0] = plain }, syscall.EACCES, plain},
		"no such directory": {func(l *protocol.Launch) { l.Dir = "/nonexistent/dir" }, syscall.ENOENT, "/nonexistent/dir"},
		"dir is a file":     {func(l *protocol.Launch) { l.Dir = plain }, syscall.ENOTDIR, plain},
		"no command":        {func(l *protocol.Launch) { l.Argv = nil }, syscall.EINVAL, "no command"},
	} {
		l := r.sh("app", "exit 0")
		tc.change(&l)
		_, err := c.Launch(t.Context(), l)
		if !errors.Is(err, tc.errno) || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := c.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("a failed launch is listed: %v, %v", list, err)
	}
	mustLaunch(t, c, r.sh("app", "exec sleep 1000"))
	if _, err := c.Launch(t.Context(), r.sh("app", "exec sleep 1000")); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("the same generation twice: %v", err)
	}
	if err := c.Ack(t.Context(), protocol.Key{App: "app", Generation: 1}); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("ack of a running launch: %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, _, w := r.dial()
	l := r.sh("app", `echo "$DEVSTACK_LAUNCH $NODE_CHANNEL_FD $MINE"; cat; ps -o sid= -p $$ | tr -d ' '; echo $$`)
	l.Env = append(os.Environ(), "DEVSTACK_LAUNCH=other", "NODE_CHANNEL_FD=99", "MINE=yes")
	l.IPC = false
	pid := mustLaunch(t, c, l).Pid
	next(t, "exit", w.exits)
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(mustRead(t, l.Logs.Out))
	want := []string{l.Key.Marker(r.opts.ID), "yes", itoa(pid), itoa(pid)}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNodeIPC(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, _, w := r.dial()
	node := r.sh("node", "")
	node.Argv = []string{
		"/usr/bin/env", "node", "-e",
		`process.send('ready'); process.on('message', m => { process.send({got: m}); process.exit(m === 'shutdown' ? 3 : 4) })`,
	}
	node.Dir = r.opts.Dir
	mustLaunch(t, c, node)
	if l := next(t, "ready", w.ipc); string(l.Line) != `"ready"` || l.Key != node.Key {
		t.Errorf("first message: %s of %+v", l.Line, l.Key)
	}
	list, err := c.List(t.Context())
	if err != nil || len(list) != 1 || !list[0].Ready {
		t.Errorf("ready is not remembered: %+v, %v", list, err)
	}
	mustSignal(t, c, protocol.SignalReq{Key: node.Key, Message: `"shutdown"`})
	if l := next(t, "answer", w.ipc); string(l.Line) != `{"got":"shutdown"}` {
		t.Errorf("answer: %s", l.Line)
	}
	if e := next(t, "exit", w.exits); e.Code != 3 {
		t.Errorf("exit: %+v", e)
	}
}

func TestTreeReachesWhatLeftTheGroup(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, _, w := r.dial()
	for name, script := range map[string]string{
		"setsid, its own group and session": `setsid sh -c 'echo $$ >&3; exec sleep 1000 3>&-' & read x < wait; exit 1`,
		"same session, erased environment":  `env -i setsid -w true; set -m; env -i sh -c 'echo $$ >&3; exec sleep 1000 3>&-' & read x < wait; exit 1`,
	} {
		t.Run(name, func(t *testing.T) {
			os.Remove(filepath.Join(r.opts.Dir, "wait"))
			if err := syscall.Mkfifo(filepath.Join(r.opts.Dir, "wait"), 0o600); err != nil {
				t.Fatal(err)
			}
			l := r.sh(name, script)
			mustLaunch(t, c, l)
			grandchild := openProc(t, ipcPid(t, w))
			if err := os.WriteFile(filepath.Join(r.opts.Dir, "wait"), []byte("\n"), 0); err != nil {
				t.Fatal(err)
			}
			if e := next(t, "exit", w.exits); e.Code != 1 {
				t.Fatalf("exit: %+v", e)
			}
			if grandchild.dead(0) {
				t.Fatal("the grandchild died with its parent: nothing is tested")
			}
			mustSignal(t, c, protocol.SignalReq{Key: l.Key, Signal: int(syscall.SIGKILL), Tree: true})
			grandchild.mustDie()
		})
	}
}

// A launch that was reaped is signalled no more: its pid, and the group of that number, may be anybody's by now.
func TestNoSignalAfterTheExit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, _, w := r.dial()
	l := r.sh("app", `sleep 1000 > /dev/null 2>&1 3>&- & echo $! >&3`)
	mustLaunch(t, c, l)
	member := openProc(t, ipcPid(t, w))
	next(t, "exit", w.exits)
	if err := c.Signal(t.Context(), protocol.SignalReq{Key: l.Key, Signal: int(syscall.SIGKILL)}); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("Signal: %v", err)
	}
	if member.dead(0) {
		t.Error("what is left of the group was signalled")
	}
	mustSignal(t, c, protocol.SignalReq{Key: l.Key, Signal: int(syscall.SIGKILL), Tree: true})
	member.mustDie()
}

func TestPipeHeldByGrandchild(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, _, w := r.dial()
	fifo := filepath.Join(r.opts.Dir, "go")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	l := r.sh("app", `(read x < go; echo late; echo '"written"' >&3) & echo early`)
	mustLaunch(t, c, l)
	if e := next(t, "exit", w.exits); e.Code != 0 {
		t.Fatalf("exit: %+v", e)
	}
	if err := os.WriteFile(fifo, []byte("\n"), 0); err != nil {
		t.Fatal(err)
	}
	next(t, "late line", w.ipc)
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := mustRead(t, l.Logs.Out); got != "early\nlate\n" {
		t.Errorf("log: %q", got)
	}
}
