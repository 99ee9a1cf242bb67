//go:build linux

package keeper

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"devstack/procs/keeper/protocol"
)

// manager is the socket of a service manager: it records what it is told.
type manager struct {
	address string
	told    chan string
}

func newManager(t *testing.T, address string) manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	m := manager{address, make(chan string, 100)}
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			m.told <- string(buffer[:n])
		}
	}()
	return m
}

// managedRig is a rig whose keeper has been started by a service manager: Spawn would keep it from one.
func managedRig(t *testing.T, m manager) *rig {
	t.Helper()
	r := &rig{t: t, opts: newProject(t)}
	devNull, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer devNull.Close()
	ready, child, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	argv := append([]string{r.opts.Self, "keeper", r.opts.Dir, r.opts.ID, r.opts.StateDir, r.opts.Socket}, r.opts.Daemon...)
	process, err := os.StartProcess(r.opts.Self, argv, &os.ProcAttr{
		Env:   append(os.Environ(), "NOTIFY_SOCKET="+m.address, "WATCHDOG_USEC=60000000"),
		Files: []*os.File{devNull, os.Stdout, os.Stderr, child},
	})
	child.Close()
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 16)
	if n, _ := ready.Read(line); string(line[:n]) != "ok\n" {
		t.Fatalf("keeper: %q", line[:n])
	}
	t.Cleanup(func() {
		endProject(t, r.opts)
		if state, err := process.Wait(); err != nil || !state.Exited() {
			t.Errorf("keeper: %v, %v", state, err)
		}
	})
	return r
}

func TestServiceOf(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		want *protocol.Service
	}{
		"none":                {map[string]string{"WATCHDOG_USEC": "5"}, nil},
		"no watchdog":         {map[string]string{"NOTIFY_SOCKET": "/s"}, &protocol.Service{}},
		"watchdog":            {map[string]string{"NOTIFY_SOCKET": "@s", "WATCHDOG_USEC": "5"}, &protocol.Service{WatchdogUSec: 5}},
		"our watchdog":        {map[string]string{"NOTIFY_SOCKET": "/s", "WATCHDOG_USEC": "5", "WATCHDOG_PID": "7"}, &protocol.Service{WatchdogUSec: 5}},
		"another's watchdog":  {map[string]string{"NOTIFY_SOCKET": "/s", "WATCHDOG_USEC": "5", "WATCHDOG_PID": "8"}, &protocol.Service{}},
		"watchdog of nothing": {map[string]string{"NOTIFY_SOCKET": "/s", "WATCHDOG_USEC": "-5"}, &protocol.Service{}},
		"watchdog in words":   {map[string]string{"NOTIFY_SOCKET": "/s", "WATCHDOG_USEC": "often"}, &protocol.Service{}},
	} {
		got := serviceOf(func(key string) string { return tc.env[key] }, 7)
		if (got == nil) != (tc.want == nil) || got != nil && *got != *tc.want {
			t.Errorf("%s: %+v, not %+v", name, got, tc.want)
		}
	}
}

// What the daemon says reaches the manager word for word, on both kinds of sockets; nobody below the keeper knows where it is.
func TestNotify(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{
		"path":     filepath.Join(t.TempDir(), "notify"),
		"abstract": "@devstack-test-" + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36),
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, address)
			r := managedRig(t, m)
			c, daemon, w := r.dial()
			id, _, err := c.Hello(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if id.Service == nil || id.Service.WatchdogUSec != 60_000_000 {
				t.Errorf("service: %+v", id.Service)
			}
			if err := c.Notify(t.Context(), "READY=1\nSTATUS=2/2 processes ready"); err != nil {
				t.Error(err)
			}
			if got := next(t, "notification", m.told); got != "READY=1\nSTATUS=2/2 processes ready" {
				t.Errorf("told %q", got)
			}
			environ, err := os.ReadFile("/proc/" + strconv.Itoa(daemon) + "/environ")
			if err != nil {
				t.Fatal(err)
			}
			checkNoService(t, "daemon", strings.Split(string(environ), "\x00"))
			l := r.sh("env", `env; echo '"done"' >&3`)
			l.Env = append(l.Env, "NOTIFY_SOCKET="+address, "WATCHDOG_USEC=1", "WATCHDOG_PID=1", "KEPT=1")
			mustLaunch(t, c, l)
			next(t, "done", w.ipc)
			next(t, "exit", w.exits)
			if err := c.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			waitGone(t, r.opts)
			env := strings.Split(mustRead(t, l.Logs.Out), "\n")
			checkNoService(t, "launch", env)
			if !slices.Contains(env, "KEPT=1") {
				t.Errorf("launch: %v", env)
			}
			if got := next(t, "end", m.told); !strings.HasPrefix(got, "STOPPING=1\n") || !strings.Contains(got, "EXTEND_TIMEOUT_USEC=") {
				t.Errorf("told at the end: %q", got)
			}
		})
	}
}

func checkNoService(t *testing.T, whose string, env []string) {
	t.Helper()
	for _, kv := range env {
		if name, _, _ := strings.Cut(kv, "="); protocol.IsServiceVariable(name) {
			t.Errorf("%s has %s", whose, kv)
		}
	}
}

// A keeper in the background belongs to no unit, whatever the shell that started it is part of.
func TestSpawnedKeepersNotifyNobody(t *testing.T) {
	t.Parallel()
	m := newManager(t, filepath.Join(t.TempDir(), "notify"))
	r := newRig(t, "NOTIFY_SOCKET="+m.address)
	c, _, _ := r.dial()
	id, _, err := c.Hello(t.Context())
	if err != nil || id.Service != nil {
		t.Errorf("service %+v, error %v", id.Service, err)
	}
	if err := c.Notify(t.Context(), "READY=1"); err != nil {
		t.Error(err)
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitGone(t, r.opts)
	select {
	case got := <-m.told:
		t.Errorf("told %q", got)
	default:
	}
}

// The first SIGTERM asks a daemon that can to stop everything in order, and ends nothing by itself; the second does.
func TestSIGTERMAsksTheDaemonFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	asked := make(chan struct{}, 10)
	c, _, err := attach(r.opts.Socket, protocol.Handler{End: func() { asked <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	id, _, err := c.Hello(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := r.sh("gentle", `trap "echo asked; exit 0" TERM; while :; do sleep 1000 & wait $!; done`)
	l.Grace = protocol.Grace{Timeout: time.Hour}
	launched := openProc(t, mustLaunch(t, c, l).Pid)
	if err := syscall.Kill(id.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	next(t, "end", asked)
	if running, err := c.List(t.Context()); err != nil || len(running) != 1 || running[0].Exit != nil {
		t.Errorf("running: %+v, %v", running, err)
	}
	if err := syscall.Kill(id.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	launched.mustDie()
	waitGone(t, r.opts)
}

func TestFailEndsTheKeeperWithAnError(t *testing.T) {
	k := &shutdown{}
	if err := k.failure(); err != nil {
		t.Error(err)
	}
	k.fail("", 0)
	k.fail("no ecosystem.yaml", 3)
	k.fail("later", 4)
	var failed *FailedError
	if !errors.As(k.failure(), &failed) || failed.Code != 3 || failed.Error() != "no ecosystem.yaml" {
		t.Errorf("failure: %+v", failed)
	}
}
