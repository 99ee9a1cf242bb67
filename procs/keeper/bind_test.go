//go:build linux

package keeper

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"

	"devstack/bench/freeport"
	"devstack/procs/keeper/protocol"
	"devstack/procs/keeper/sockets"
)

// activatedRole is a program that knows systemd's sockets: it tells each client its name and its pid.
func activatedRole(args []string) int {
	if os.Getenv("LISTEN_PID") != itoa(os.Getpid()) || os.Getenv("LISTEN_FDS") != "1" ||
		os.Getenv("LISTEN_FDNAMES") != "web" || os.Getenv("a.b") != "kept" {
		fmt.Fprintln(os.Stderr, os.Environ())
		return 2
	}
	l, err := net.FileListener(os.NewFile(sockets.FirstFD, "web"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return 4
		}
		fmt.Fprint(c, args[0], os.Getpid())
		c.Close()
	}
}

func (r *rig) activated(name string, instance int, generation int64, port int) protocol.Launch {
	l := r.sh(name, "")
	l.Key = protocol.Key{App: "web", Instance: instance, Generation: generation}
	l.Argv = []string{r.opts.Self, "activated", name}
	l.Env = append([]string{"a.b=kept", "LISTEN_FDS=9", "LISTEN_PID=1", "LISTEN_FDNAMES=shell", "DEVSTACK_HELD=x"}, l.Env...)
	l.Hold = &protocol.Hold{Bind: port}
	l.IPC = false
	return l
}

func mustGreet(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got, err := io.ReadAll(c)
	if err != nil || string(got) != want {
		t.Errorf("greeting: %q, %v, want %q", got, err, want)
	}
}

func TestBindBeforeTheLaunch(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, _, w := r.dial()
	a := r.activated("a", 0, 1, port)
	first := mustLaunch(t, c, a)
	if want := []protocol.Address{{Host: sockets.AnyHost, Port: port}}; !reflect.DeepEqual(first.Held, want) {
		t.Errorf("born with %v", first.Held)
	}
	mustGreet(t, mustConnect(t, port), "a"+itoa(first.Pid))
	if v6, err := net.Dial("tcp6", fmt.Sprintf("[::1]:%d", port)); err == nil {
		mustGreet(t, v6, "a"+itoa(first.Pid))
		v6.Close()
	} else if !errors.Is(err, syscall.EADDRNOTAVAIL) && !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("IPv6: %v", err)
	}
	mustEnd(t, c, w, a)
	waiting := mustConnect(t, port)
	b := r.activated("b", 0, 2, port)
	second := mustLaunch(t, c, b)
	mustGreet(t, waiting, "b"+itoa(second.Pid))
	mustRelease(t, c, protocol.ReleaseReq{App: "web", Before: 2})
	mustEnd(t, c, w, b)
	mustConnect(t, port)
	mustRelease(t, c, protocol.ReleaseReq{App: "web"})
	mustRefuse(t, port)
}

// A program that cannot be executed is an error at once, although our own executable is executed first.
func TestBindFailures(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, _, _ := r.dial()
	plain, garbage := filepath.Join(r.opts.Dir, "plain.txt"), filepath.Join(r.opts.Dir, "garbage")
	for path, mode := range map[string]os.FileMode{plain: 0o600, garbage: 0o700} {
		if err := os.WriteFile(path, []byte("not a program"), mode); err != nil {
			t.Fatal(err)
		}
	}
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, tc := range map[string]struct {
		change func(*protocol.Launch)
		errno  syscall.Errno
	}{
		"no such program":   {func(l *protocol.Launch) { l.Argv[0] = "/nonexistent/server" }, syscall.ENOENT},
		"not executable":    {func(l *protocol.Launch) { l.Argv[0] = plain }, syscall.EACCES},
		"not a program":     {func(l *protocol.Launch) { l.Argv[0] = garbage }, syscall.ENOEXEC},
		"no such directory": {func(l *protocol.Launch) { l.Dir = "/nonexistent/dir" }, syscall.ENOENT},
		"port taken":        {func(l *protocol.Launch) { l.Hold.Bind = taken.Addr().(*net.TCPAddr).Port }, syscall.EADDRINUSE},
	} {
		l := r.activated("web", 0, 1, port)
		tc.change(&l)
		if _, err := c.Launch(t.Context(), l); !errors.Is(err, tc.errno) {
			t.Errorf("%s: %v", name, err)
		}
		mustRefuse(t, port)
	}
	if list, err := c.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("a failed launch is listed: %v, %v", list, err)
	}
}

// An app whose hold_port was auto and becomes true keeps its socket, and back again.
func TestBindWhatWasAdopted(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, _, w := r.dial()
	adopted := r.web("adopted", 0, 1, port, "listen()")
	mustLaunch(t, c, adopted)
	mustListen(t, w, adopted, port)
	mustEnd(t, c, w, adopted)
	waiting := mustConnect(t, port)
	bound := r.web("bound", 0, 2, port, "if (held[0].host !== '*') process.exit(9); listen()")
	bound.Hold.Bind = port
	if got := mustLaunch(t, c, bound); !reflect.DeepEqual(got.Held, []protocol.Address{{Host: sockets.AnyHost, Port: port}}) {
		t.Errorf("born with %v", got.Held)
	}
	mustListen(t, w, bound, port)
	mustRelease(t, c, protocol.ReleaseReq{App: "web", Before: 2})
	if got := ask(t, waiting); got != "bound" {
		t.Errorf("answer: %q", got)
	}
	nc, err := c.Connect(t.Context(), protocol.ConnectReq{Key: bound.Key, Address: protocol.Address{Port: port}})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if got := ask(t, nc); got != "bound" {
		t.Errorf("answer: %q", got)
	}
	mustEnd(t, c, w, bound)
	again := r.web("again", 0, 3, port, "listen()")
	if got := mustLaunch(t, c, again); len(got.Held) != 1 {
		t.Errorf("born with %v", got.Held)
	}
	mustListen(t, w, again, port)
	mustRelease(t, c, protocol.ReleaseReq{App: "web", Before: 3})
	if got := ask(t, mustConnect(t, port)); got != "again" {
		t.Errorf("answer: %q", got)
	}
}
