//go:build linux

package keeper

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"devstack/bench/freeport"
	"devstack/procs/keeper/protocol"
	"devstack/procs/proc"
)

// upgrade replaces keeper and daemon and becomes the new daemon.
func (r *rig) upgrade(c *protocol.Conn, daemon int) (*protocol.Conn, int, watcher) {
	r.t.Helper()
	if err := c.Exec(r.t.Context(), protocol.ExecReq{Self: r.opts.Self, Daemon: r.opts.Daemon}); err != nil {
		r.t.Fatal(err)
	}
	return r.nextDaemon(daemon)
}

// nextDaemon becomes the daemon after the given one.
func (r *rig) nextDaemon(daemon int) (*protocol.Conn, int, watcher) {
	r.t.Helper()
	for {
		c, pid, w := r.dial()
		if pid != daemon {
			return c, pid, w
		}
		c.Close()
	}
}

func mustHello(t *testing.T, c *protocol.Conn) protocol.Identity {
	t.Helper()
	id, _, err := c.Hello(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// executes is the argv of a process.
func executes(t *testing.T, pid int) []string {
	t.Helper()
	return strings.Split(strings.TrimSuffix(mustRead(t, "/proc/"+itoa(pid)+"/cmdline"), "\x00"), "\x00")
}

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}

func mustFifo(t *testing.T, path string) string {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustList(t *testing.T, c *protocol.Conn) []protocol.Running {
	t.Helper()
	list, err := c.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Three upgrades: the keeper's process, its word since when it runs, the stash, the lock, what runs and what has exited
// stay; a line of the log and a message that were cut through arrive whole, and once.
func TestUpgradeKeepsEverything(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, daemon, w := r.dial()
	before := mustHello(t, c)
	if err := c.Stash(t.Context(), []byte("secret")); err != nil {
		t.Fatal(err)
	}
	step := mustFifo(t, filepath.Join(r.opts.Dir, "step"))
	l := r.sh("app", `exec 4<>step
		echo '"ready"' >&3
		for i in 1 2 3; do
			printf "half$i "; printf "err$i " >&2; printf '"whole' >&3; echo > told
			read x <&4
			echo "line$i"; echo "line$i" >&2; echo " message$i\"" >&3
			read -r m <&3; echo "heard $m"
		done
		read x <&4; exit 5`)
	told := mustFifo(t, filepath.Join(r.opts.Dir, "told"))
	mustFifoOpen(t, step)
	gone := r.sh("gone", "exit 3")
	launched := mustLaunch(t, c, l)
	mustLaunch(t, c, gone)
	next(t, "exit", w.exits)
	next(t, "ready", w.ipc)
	for _, i := range []string{"1", "2", "3"} {
		mustRead(t, told)
		c, daemon, w = r.upgrade(c, daemon)
		if got := mustHello(t, c); got.Pid != before.Pid || !got.Since.Equal(before.Since) || got.Dir != before.Dir || got.StateDir != before.StateDir {
			t.Errorf("%+v, before %+v", got, before)
		}
		if argv := executes(t, before.Pid); len(argv) != 5 || argv[2] != resumeArg || argv[4] != r.opts.Dir {
			t.Errorf("the keeper is %q", argv)
		}
		if blob, err := c.Fetch(t.Context()); err != nil || string(blob) != "secret" {
			t.Errorf("Fetch: %q, %v", blob, err)
		}
		if locked, err := protocol.Locked(r.opts.Dir); err != nil || !locked {
			t.Errorf("locked: %v, %v", locked, err)
		}
		list := mustList(t, c)
		if len(list) != 2 || list[0].Key != l.Key || !list[0].Ready || list[0].Launched.Pid != launched.Pid ||
			list[0].Launched.StartTime != launched.StartTime || list[0].Exit != nil || list[1].Exit == nil || list[1].Exit.Code != 3 {
			t.Fatalf("List: %+v", list)
		}
		mustWrite(t, step, "\n")
		if got := next(t, "message", w.ipc); string(got.Line) != `"whole message`+i+`"` {
			t.Errorf("over IPC: %s", got.Line)
		}
		mustSignal(t, c, protocol.SignalReq{Key: l.Key, Message: `"hello ` + i + `"`})
	}
	if err := c.Ack(t.Context(), gone.Key); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, step, "\n")
	if e := next(t, "exit", w.exits); e.Key != l.Key || e.Code != 5 {
		t.Errorf("exit: %+v", e)
	}
	c, _, _ = r.upgrade(c, daemon)
	if list := mustList(t, c); len(list) != 1 || list[0].Exit == nil || list[0].Exit.Code != 5 {
		t.Errorf("List: %+v", list)
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, errs := mustRead(t, l.Logs.Out), mustRead(t, l.Logs.Err)
	if out != "half1 line1\nheard \"hello 1\"\nhalf2 line2\nheard \"hello 2\"\nhalf3 line3\nheard \"hello 3\"\n" {
		t.Errorf("out.log: %q", out)
	}
	if errs != "err1 line1\nerr2 line2\nerr3 line3\n" {
		t.Errorf("err.log: %q", errs)
	}
	journal := mustRead(t, filepath.Join(r.opts.StateDir, "journal"))
	if strings.Count(journal, `"verb":"launch"`) != 2 || strings.Count(journal, `"verb":"exited"`) != 2 {
		t.Errorf("journal: %s", journal)
	}
}

// mustFifoOpen holds a fifo open, so that neither end ever waits for the other.
func mustFifoOpen(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
}

// What cannot take over is refused, and nothing has changed; not even the daemon.
func TestUpgradeToWhatDoesNotRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, daemon, _ := r.dial()
	script := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(r.opts.Dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fails := script("fails", "#!/bin/sh\nexit 3\n", 0o755)
	for name, req := range map[string]protocol.ExecReq{
		"fails":            {Self: fails, Daemon: r.opts.Daemon},
		"garbage":          {Self: script("garbage", "\x7fELF garbage", 0o755), Daemon: r.opts.Daemon},
		"not there":        {Self: "/nonexistent/devstack", Daemon: r.opts.Daemon},
		"relative":         {Self: "devstack", Daemon: r.opts.Daemon},
		"no daemon":        {Self: r.opts.Self},
		"daemon missing":   {Self: r.opts.Self, Daemon: []string{"/nonexistent/devstackd"}},
		"daemon no binary": {Self: r.opts.Self, Daemon: []string{script("plain", "", 0o644)}},
		"daemon a folder":  {Self: r.opts.Self, Daemon: []string{r.opts.Dir}},
	} {
		var errno syscall.Errno
		if err := c.Exec(t.Context(), req); !errors.As(err, &errno) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, pid, _ := r.dial(); pid != daemon {
		t.Error("the daemon was replaced")
	}
	c, _, _ = r.dial()
	if argv := executes(t, mustHello(t, c).Pid); slices.Contains(argv, resumeArg) {
		t.Errorf("the keeper is %q", argv)
	}
}

// An executable that passes its check and is gone when it is its turn: everything goes on, with a new daemon.
func TestUpgradeThatFailsLate(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, daemon, w := r.dial()
	web := r.web("web", 0, 1, port, "listen()")
	mustLaunch(t, c, web)
	mustListen(t, w, web, port)
	step := mustFifo(t, filepath.Join(r.opts.Dir, "step"))
	mustFifoOpen(t, step)
	l := r.sh("app", `printf 'half '; printf '"whole' >&3; exec 4<>step; echo > told; read x <&4; echo line; echo ' message"' >&3; read -r m <&3; echo "$m"; exit 4`)
	told := mustFifo(t, filepath.Join(r.opts.Dir, "told"))
	mustLaunch(t, c, l)
	mustRead(t, told)
	self := filepath.Join(r.opts.Dir, "once")
	if err := os.WriteFile(self, []byte("#!/bin/sh\nrm -- \"$0\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(t.Context(), protocol.ExecReq{Self: self, Daemon: []string{r.opts.Self, "nothing"}}); err != nil {
		t.Fatal(err)
	}
	c, daemon, w = r.nextDaemon(daemon)
	if list := mustList(t, c); len(list) != 2 || list[0].Exit != nil || list[1].Exit != nil {
		t.Fatalf("List: %+v", list)
	}
	if got := ask(t, mustConnect(t, port)); got != "web" {
		t.Errorf("answer: %q", got)
	}
	mustWrite(t, step, "\n")
	if got := next(t, "message", w.ipc); string(got.Line) != `"whole message"` {
		t.Errorf("over IPC: %s", got.Line)
	}
	mustSignal(t, c, protocol.SignalReq{Key: l.Key, Message: `"hello"`})
	if e := next(t, "exit", w.exits); e.Key != l.Key || e.Code != 4 {
		t.Errorf("exit: %+v", e)
	}
	c, _, _ = r.upgrade(c, daemon) // and a good one is carried out afterwards
	tell(t, c, web, "process.exit(0)")
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out := mustRead(t, l.Logs.Out); out != "half line\n\"hello\"\n" {
		t.Errorf("out.log: %q", out)
	}
	if text := mustRead(t, filepath.Join(r.opts.StateDir, "keeper.log")); !strings.Contains(text, "everything goes on as before") {
		t.Errorf("keeper.log: %s", text)
	}
}

// A process that ends at any moment of an upgrade is reported, once.
func TestExitDuringUpgrade(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, daemon, _ := r.dial()
	const apps = 20
	for i := range apps {
		l := r.sh("app", "sleep 0."+itoa(i+10)+"; exit 7")
		l.Key.Instance = i
		mustLaunch(t, c, l)
	}
	for over := time.Now().Add(500 * time.Millisecond); time.Now().Before(over); {
		c, daemon, _ = r.upgrade(c, daemon)
	}
	for i := range apps {
		key := protocol.Key{App: "app", Instance: i, Generation: 1}
		for exited := false; !exited; {
			list := mustList(t, c)
			if len(list) != apps {
				t.Fatalf("List: %+v", list)
			}
			for _, l := range list {
				exited = exited || l.Key == key && l.Exit != nil
				if l.Exit != nil && l.Exit.Code != 7 {
					t.Fatalf("%+v", l.Exit)
				}
			}
		}
	}
	if n := strings.Count(mustRead(t, filepath.Join(r.opts.StateDir, "journal")), `"verb":"exited"`); n != apps {
		t.Errorf("%d exits are on record", n)
	}
}

// A server stays one: it goes on after a shutdown that its daemon asks for.
func TestUpgradeKeepsServers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, daemon, _ := r.dial()
	l, got := r.launchServer(c, "db")
	c, daemon, _ = r.upgrade(c, daemon)
	c, _, _ = r.upgrade(c, daemon)
	if list := mustList(t, c); len(list) != 1 || list[0].Key != l.Key || list[0].Launched.Pid != got.Pid || list[0].Exit != nil {
		t.Errorf("List: %+v", list)
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitGone(t, r.opts)
	if !proc.Runs(got.Pid, got.StartTime) {
		t.Error("the server has ended")
	}
}

// What a launch has said once is known to every later daemon, however often the keeper was replaced.
func TestUpgradeKeepsWhatWasSaid(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, daemon, w := r.dial()
	l := r.sh("app", `echo '"ready"' >&3; echo '{"cmd":"NODE_DEVSTACK","drained":true}' >&3; read x <&3`)
	mustLaunch(t, c, l)
	if key := next(t, "drained", w.drained); key != l.Key {
		t.Errorf("drained: %+v", key)
	}
	c, daemon, _ = r.upgrade(c, daemon)
	c, _, _ = r.upgrade(c, daemon)
	if list := mustList(t, c); len(list) != 1 || !list[0].Ready || !list[0].Drained || list[0].Exit != nil {
		t.Errorf("List: %+v", list)
	}
}
