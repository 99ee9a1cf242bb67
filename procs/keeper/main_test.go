//go:build linux

package keeper

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"devstack/procs/keeper/protocol"
)

// The test binary is also every other process of these tests.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch role, args := os.Args[1], os.Args[2:]; role {
		case "keeper":
			os.Exit(keeperRole(args))
		case "daemon":
			os.Exit(daemonRole())
		case "count":
			os.Exit(countRole(args))
		case "activated":
			os.Exit(activatedRole(args))
		case "chatter":
			os.Exit(chatterRole(args))
		}
	}
	os.Exit(run(m))
}

// run also fails if the race detector had something to say in a keeper or daemon, whose stderr is not ours.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "race")
	if err != nil {
		return 1
	}
	defer os.RemoveAll(dir)
	_ = os.Setenv("GORACE", "log_path="+filepath.Join(dir, "report"))
	code := m.Run()
	reports, _ := filepath.Glob(filepath.Join(dir, "report*"))
	for _, report := range reports {
		b, _ := os.ReadFile(report)
		fmt.Fprintf(os.Stderr, "%s", b)
		code = 1
	}
	return code
}

func keeperRole(args []string) int {
	if len(args) < 5 || args[0] == execArg || args[0] == resumeArg {
		if Command(args) != nil {
			return 2
		}
		return 0
	}
	o, err := commandOptions(args)
	if err != nil {
		return 2
	}
	o.PingEvery, _ = time.ParseDuration(os.Getenv("TEST_PING_EVERY"))
	o.RespawnDelay = 10 * time.Millisecond
	if Run(o) != nil {
		return 1
	}
	return 0
}

// daemonRole lets the test be the daemon: it relays frames between the API socket and the keeper, which is heard
// by the last one to connect, and answers pings itself. The client is first told the pid, in 8 hex digits.
func daemonRole() int {
	l, err := protocol.Listener()
	if err != nil {
		return 1
	}
	up, err := protocol.NewFDConn(os.NewFile(protocol.FDKeeper, "keeper"))
	if err != nil {
		return 1
	}
	var mu sync.Mutex // guards client and writes to up
	var client *protocol.FDConn
	go func() {
		for {
			accepted, err := l.Accept()
			if err != nil {
				return
			}
			c := &protocol.FDConn{UnixConn: accepted.(*net.UnixConn)}
			mu.Lock()
			fmt.Fprintf(c, "%08x", os.Getpid())
			client = c
			mu.Unlock()
			go func() {
				for {
					m, err := protocol.ReadFrame(c)
					if err != nil {
						return
					}
					mu.Lock()
					_ = protocol.WriteFrame(up, m)
					mu.Unlock()
				}
			}()
		}
	}()
	for {
		m, err := protocol.ReadFrame(up)
		if err != nil {
			return 0 // the keeper is gone
		}
		mu.Lock()
		switch {
		case m.Verb == protocol.Ping:
			_ = protocol.WriteFrame(up, m)
		case client != nil:
			_ = protocol.WriteFrame(client, m)
		}
		m.Attached.Close()
		mu.Unlock()
		if (m.Verb == protocol.Shutdown || m.Verb == protocol.Exec) && m.Error == nil {
			return 0
		}
	}
}

// countRole prints the numbers 1..n with a name, one write per line.
func countRole(args []string) int {
	n, _ := strconv.Atoi(args[1])
	for i := 1; i <= n; i++ {
		if _, err := fmt.Fprintf(os.Stdout, "%s %d some text that a server may have said about this request\n", args[0], i); err != nil {
			return 1
		}
	}
	return 0
}

// rig is one project with a running keeper.
type rig struct {
	t    *testing.T
	opts protocol.SpawnOptions
}

func newRig(t *testing.T, env ...string) *rig {
	t.Helper()
	r := &rig{t: t, opts: newProject(t)}
	r.opts.Env = append(os.Environ(), env...)
	if already, err := protocol.Spawn(r.opts); err != nil || already {
		t.Fatalf("Spawn: already %v, error %v", already, err)
	}
	t.Cleanup(func() { endProject(t, r.opts) })
	return r
}

func newProject(t *testing.T) protocol.SpawnOptions {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 6)
	rand.Read(id)
	home, err := os.MkdirTemp("", "keeper") // short: the path of a socket is limited to 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	return protocol.SpawnOptions{
		Self: self, Dir: t.TempDir(), ID: hex.EncodeToString(id),
		StateDir: filepath.Join(home, "state"), Socket: filepath.Join(home, "state", "ctl.sock"),
		Daemon: []string{self, "daemon"},
	}
}

// endProject ends the keeper if it still runs, and fails the test if anything bears the project's mark afterwards.
func endProject(t *testing.T, o protocol.SpawnOptions) {
	if locked, err := protocol.Locked(o.Dir); err == nil && locked {
		if c, _, err := attach(o.Socket, protocol.Handler{}); err == nil {
			if err := c.Shutdown(context.Background()); err != nil && !errors.Is(err, protocol.ErrGone) {
				t.Error("Shutdown:", err)
			}
		}
	}
	waitGone(t, o)
	if pids := killMarked(ofProject(o.ID)); len(pids) > 0 {
		t.Error("survivors:", pids)
	}
}

func waitGone(t *testing.T, o protocol.SpawnOptions) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if err := protocol.WaitGone(ctx, o.Dir, o.StateDir); err != nil {
		t.Error("WaitGone:", err)
	}
}

// watcher collects what the keeper tells.
type watcher struct {
	exits     chan protocol.Exit
	ipc       chan protocol.IPCLine
	listening chan protocol.Socket
	drained   chan protocol.Key
}

// dial becomes the daemon and returns the pid of the process that relays.
func (r *rig) dial() (*protocol.Conn, int, watcher) {
	r.t.Helper()
	w := watcher{
		exits: make(chan protocol.Exit, 100), ipc: make(chan protocol.IPCLine, 100),
		listening: make(chan protocol.Socket, 100), drained: make(chan protocol.Key, 100),
	}
	for { // a relay that is killed takes the connections with it that it had accepted
		c, pid, err := attach(r.opts.Socket, protocol.Handler{
			Exited:    func(e protocol.Exit) { w.exits <- e },
			IPC:       func(l protocol.IPCLine) { w.ipc <- l },
			Listening: func(s protocol.Socket) { w.listening <- s },
			Drained:   func(k protocol.Key) { w.drained <- k },
		})
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
			continue
		}
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { c.Close() })
		return c, pid, w
	}
}

func attach(socket string, h protocol.Handler) (*protocol.Conn, int, error) {
	nc, err := net.Dial("unix", socket)
	if err != nil {
		return nil, 0, err
	}
	defer nc.Close()
	var hexPid [8]byte
	if _, err := io.ReadFull(nc, hexPid[:]); err != nil {
		return nil, 0, err
	}
	pid, err := strconv.ParseInt(string(hexPid[:]), 16, 32)
	if err != nil {
		return nil, 0, err
	}
	f, err := nc.(*net.UnixConn).File()
	if err != nil {
		return nil, 0, err
	}
	c, err := protocol.Dial(f, h)
	return c, int(pid), err
}

// sh is a launch of a shell script; out.log and err.log lie in the project directory.
func (r *rig) sh(app, script string) protocol.Launch {
	return protocol.Launch{
		Key:  protocol.Key{App: app, Generation: 1},
		Argv: []string{"/bin/sh", "-c", script},
		Dir:  r.opts.Dir,
		Env:  os.Environ(),
		Logs: protocol.Logs{Out: filepath.Join(r.opts.Dir, app+"-out.log"), Err: filepath.Join(r.opts.Dir, app+"-err.log")},
		IPC:  true,
	}
}

func mustLaunch(t *testing.T, c *protocol.Conn, l protocol.Launch) protocol.Launched {
	t.Helper()
	got, err := c.Launch(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func mustSignal(t *testing.T, c *protocol.Conn, s protocol.SignalReq) {
	t.Helper()
	if err := c.Signal(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func next[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(15 * time.Second):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// watched is a process that this test can wait for without being its parent.
type watched struct {
	t   *testing.T
	pid int
	fd  int
}

func openProc(t *testing.T, pid int) watched {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatalf("process %d: %v", pid, err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return watched{t, pid, fd}
}

// dead waits for the end of the process for at most the given time.
func (p watched) dead(limit time.Duration) bool {
	p.t.Helper()
	fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(limit.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			p.t.Fatal(err)
		}
		return n == 1
	}
}

func (p watched) mustDie() {
	p.t.Helper()
	if !p.dead(15 * time.Second) {
		p.t.Fatalf("process %d lives", p.pid)
	}
}

// ipcPid is the next IPC line, a process id.
func ipcPid(t *testing.T, w watcher) int {
	t.Helper()
	line := next(t, "pid over IPC", w.ipc)
	pid, err := strconv.Atoi(string(line.Line))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
