package procs

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	keeper "devstack/procs/keeper/protocol"
	"devstack/procs/node"
	"devstack/stack"
	"devstack/view"
)

// fakeKeeper runs pretended processes in virtual time and writes down what it was asked, with the time since its start.
type fakeKeeper struct {
	begun time.Time

	mu        sync.Mutex
	manager   *Manager
	calls     []string
	alive     map[keeper.Key]bool
	acked     []keeper.Key
	deaf      bool          // ignores every signal but SIGKILL
	dies      time.Duration // how long a launch lives; 0: until it is signalled
	exitCode  int
	launchErr error
	launches  int
	most      int // alive at the same time
	pid       int // of every launch; 0: one that does not exist
}

func (k *fakeKeeper) note(format string, args ...any) {
	k.calls = append(k.calls, fmt.Sprintf("%s ", time.Since(k.begun))+fmt.Sprintf(format, args...))
}

func (k *fakeKeeper) Launch(_ context.Context, l keeper.Launch) (keeper.Launched, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.launches++
	if k.launchErr != nil {
		k.note("failed %d", l.Key.Generation)
		return keeper.Launched{}, k.launchErr
	}
	k.note("launch %d", l.Key.Generation)
	k.alive[l.Key] = true
	k.most = max(k.most, len(k.alive))
	if k.dies > 0 {
		time.AfterFunc(k.dies, func() { k.exit(l.Key, keeper.Exit{Code: k.exitCode}) })
	}
	const noSuchPid = 1 << 30
	if k.pid != 0 {
		return keeper.Launched{Pid: k.pid, At: time.Now()}, nil
	}
	return keeper.Launched{Pid: noSuchPid + k.launches, At: time.Now()}, nil
}

func (k *fakeKeeper) Signal(_ context.Context, r keeper.SignalReq) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case r.Tree:
		k.note("tree %d", r.Key.Generation)
		return nil
	case r.Message != "":
		k.note("message %d", r.Key.Generation)
	default:
		k.note("%s %d", syscall.Signal(r.Signal), r.Key.Generation)
	}
	if !k.alive[r.Key] {
		return syscall.ESRCH
	}
	if r.Message == node.Drain || r.Message == node.Accept {
		return nil // neither ends it
	}
	if !k.deaf || r.Signal == int(syscall.SIGKILL) {
		go k.exit(r.Key, keeper.Exit{Code: -1, Signal: r.Signal})
	}
	return nil
}

func (k *fakeKeeper) Ack(_ context.Context, key keeper.Key) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.acked = append(k.acked, key)
	return nil
}

func (k *fakeKeeper) Connect(context.Context, keeper.ConnectReq) (net.Conn, error) {
	return nil, syscall.ENOTCONN
}

func (k *fakeKeeper) Release(_ context.Context, r keeper.ReleaseReq) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note("release before %d", r.Before)
	return nil
}

func (k *fakeKeeper) exit(key keeper.Key, e keeper.Exit) {
	k.mu.Lock()
	was := k.alive[key]
	delete(k.alive, key)
	m := k.manager
	k.mu.Unlock()
	if was {
		e.Key, e.At = key, time.Now()
		m.Exited(e)
	}
}

func (k *fakeKeeper) failLaunches(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.launchErr = err
}

// took returns the calls so far and forgets them.
func (k *fakeKeeper) took() []string {
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	calls := k.calls
	k.calls = nil
	return calls
}

// fakeStack runs a test in virtual time with one manager on a fake keeper.
func fakeStack(t *testing.T, test func(t *testing.T, k *fakeKeeper, m *Manager)) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKeeper{begun: time.Now(), alive: map[keeper.Key]bool{}, exitCode: 1}
		m := NewManager(Options{Keeper: k})
		m.jitter = func(d time.Duration) time.Duration { return d }
		k.manager = m
		test(t, k, m)
		k.manager.Close()
	})
}

// testApp lives under testPolicy, with a program that exists everywhere.
func testApp(name string) stack.App {
	delay := 4 * time.Second
	return stack.App{
		Name: name, Namespace: "default", Command: []string{"/bin/sh"}, Cwd: "/", Hash: "1",
		Autorestart: true, MaxRestarts: 2, MinUptime: 10 * time.Second, RestartDelay: &delay,
		ListenTimeout: 30 * time.Second, KillSignal: "SIGTERM", KillTimeout: 10 * time.Second,
	}
}

func wantCalls(t *testing.T, k *fakeKeeper, want ...string) {
	t.Helper()
	if got := k.took(); !slices.Equal(got, want) {
		t.Errorf("keeper was asked\n  %q, want\n  %q", got, want)
	}
}

func wantState(t *testing.T, m *Manager, app string, want view.Status) Process {
	t.Helper()
	synctest.Wait()
	p, ok := m.Process(app, 0)
	if !ok || p.Status != want {
		t.Errorf("%s is %q, want %q", app, p.Status, want)
	}
	return p
}

// Start, Stop and Restart are StartIDs and so on by the names of apps.
func (m *Manager) Start(names ...string) { m.sendNamed(Start{}, "started", names) }

func (m *Manager) Stop(names ...string) { m.sendNamed(Stop{}, "stopped", names) }

func (m *Manager) Restart(names ...string) { m.sendNamed(Restart{}, "restarted", names) }

func (m *Manager) sendNamed(ev Event, cause string, names []string) {
	for _, s := range m.instances.all() {
		if slices.Contains(names, s.name) {
			sendTo(m.instances.withIDs(s.id), ev, cause)
		}
	}
}
