package procs

import (
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
	"devstack/view"
)

func TestKillAtExactlyKillTimeout(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		k.deaf = true
		m.Apply([]stack.App{testApp("api")})
		m.Start("api")
		pass(time.Minute)
		wantState(t, m, "api", view.Online)
		wantCalls(t, k, "0s launch 1")
		m.Stop("api")
		pass(10*time.Second - 1)
		wantState(t, m, "api", view.Stopping)
		wantCalls(t, k, "1m0s terminated 1")
		pass(time.Hour)
		p := wantState(t, m, "api", view.Stopped)
		wantCalls(t, k, "1m10s killed 1", "1m10s tree 1")
		if len(p.Exits) != 1 || p.Exits[0].Reason != view.Manual || p.Exits[0].Signal != "SIGKILL" || p.Exits[0].Code != nil {
			t.Errorf("exits %+v", p.Exits)
		}
	})
}

func TestCrashLoopEndsErrored(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		k.dies = time.Second
		m.Apply([]stack.App{testApp("api")})
		m.Start("api")
		pass(time.Hour)
		p := wantState(t, m, "api", view.Errored)
		wantCalls(t, k, "0s launch 1", "1s tree 1", "5s launch 2", "6s tree 2", "10s launch 3", "11s tree 3")
		if p.Restarts != 2 || p.UnstableRestarts != 3 || len(p.Exits) != 3 || p.Exits[0].UptimeMS != 1000 {
			t.Errorf("restarts %d, unstable %d, exits %+v", p.Restarts, p.UnstableRestarts, p.Exits)
		}
	})
}

func TestGrowingBackoff(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		k.dies = time.Millisecond
		app := testApp("api")
		app.RestartDelay, app.BackoffBase, app.MaxRestarts = nil, 100*time.Millisecond, 4
		m.Apply([]stack.App{app})
		m.Start("api")
		pass(time.Hour)
		wantState(t, m, "api", view.Errored)
		launches := slices.DeleteFunc(k.took(), func(c string) bool { return c[len(c)-6:len(c)-2] == "tree" })
		want := []string{"0s launch 1", "1ms launch 2", "102ms launch 3", "253ms launch 4", "479ms launch 5"}
		if !slices.Equal(launches, want) {
			t.Errorf("got %q, want %q", launches, want)
		}
	})
}

func TestGate(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		app := testApp("api")
		app.DependsOn = []stack.Dependency{{Name: "redis", Service: true, Condition: stack.Healthy}}
		m.Apply([]stack.App{app})
		m.Start("api")
		if p := wantState(t, m, "api", view.Waiting); !slices.Equal(p.WaitingFor, []string{"redis"}) {
			t.Errorf("waits for %q before the first word about its gate", p.WaitingFor)
		}
		m.Stop("api")
		wantState(t, m, "api", view.Stopped)
		m.SetGate("api", nil)
		pass(time.Hour)
		wantState(t, m, "api", view.Stopped)
		m.SetGate("api", []string{"redis"})
		m.Start("api")
		wantState(t, m, "api", view.Waiting)
		wantCalls(t, k)
		m.SetGate("api", nil)
		wantCalls(t, k, "1h0m0s launch 1")

		m.SetGate("api", []string{"redis"})
		pass(time.Second)
		if p := wantState(t, m, "api", view.Online); !slices.Equal(p.WaitingFor, []string{"redis"}) {
			t.Errorf("waits for %q", p.WaitingFor)
		}
		k.exit(keeper.Key{App: "api", Generation: 1}, keeper.Exit{Code: 1})
		pass(time.Hour)
		p := wantState(t, m, "api", view.Waiting)
		wantCalls(t, k, "1h0m1s tree 1")
		if p.UnstableRestarts != 0 || len(p.Exits) != 1 {
			t.Errorf("an exit while redis is down was counted: unstable %d, exits %+v", p.UnstableRestarts, p.Exits)
		}
		m.SetGate("api", nil)
		wantCalls(t, k, "2h0m1s launch 2")
	})
}

func TestListenTimeoutLeavesItLaunching(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		app := testApp("api")
		app.WaitReady = true
		m.Apply([]stack.App{app})
		m.Start("api")
		pass(30*time.Second - 1)
		if p := wantState(t, m, "api", view.Launching); p.Late {
			t.Error("late before listen_timeout")
		}
		pass(time.Hour)
		if p := wantState(t, m, "api", view.Launching); !p.Late || p.Ready || p.Pid == nil || p.ReadyBy != "ipc" {
			t.Errorf("late %v, ready %v, pid %d, by %s", p.Late, p.Ready, p.Pid, p.ReadyBy)
		}
		wantCalls(t, k, "0s launch 1")
		m.IPC(keeper.IPCLine{Key: keeper.Key{App: "api", Generation: 1}, Line: []byte(`"ready"`)})
		if p := wantState(t, m, "api", view.Online); !p.Ready || p.Late {
			t.Errorf("ready %v, late %v", p.Ready, p.Late)
		}
	})
}

func TestWhatOpensNothingIsUnchecked(t *testing.T) {
	fakeStack(t, func(t *testing.T, _ *fakeKeeper, m *Manager) {
		m.Apply([]stack.App{testApp("api")})
		m.Start("api")
		pass(minSettle - 1)
		wantState(t, m, "api", view.Launching)
		pass(1)
		if p := wantState(t, m, "api", view.Online); !p.Ready || p.ReadyBy != "unchecked" {
			t.Errorf("ready %v by %s", p.Ready, p.ReadyBy)
		}
	})
}

func TestRestartWinsOverBackoff(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		app := testApp("api")
		delay := time.Hour
		app.RestartDelay = &delay
		m.Apply([]stack.App{app})
		m.Start("api")
		synctest.Wait()
		k.exit(keeper.Key{App: "api", Generation: 1}, keeper.Exit{Code: 1})
		if p := wantState(t, m, "api", view.WaitingRestart); time.Until(*p.NextRestartAt) != time.Hour {
			t.Errorf("next restart in %s", time.Until(*p.NextRestartAt))
		}
		pass(time.Minute)
		m.Restart("api")
		wantCalls(t, k, "0s launch 1", "0s tree 1", "1m0s launch 2")
		pass(2 * time.Hour) // the old delay must not launch another one
		p := wantState(t, m, "api", view.Online)
		wantCalls(t, k)
		if p.UnstableRestarts != 0 || p.NextRestartAt != nil {
			t.Errorf("unstable %d, next restart at %s", p.UnstableRestarts, p.NextRestartAt)
		}
	})
}

func TestShutdownWithMessage(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		k.deaf = true
		app := testApp("api")
		app.ShutdownWithMessage = true
		m.Apply([]stack.App{app})
		m.Start("api")
		m.Stop("api")
		pass(time.Minute)
		wantCalls(t, k, "0s launch 1", "0s message 1", "10s killed 1", "10s tree 1")
	})
}

func TestLaunchErrors(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		k.launchErr = &keeper.Error{Text: "cannot start api: /x: no such file or directory", Errno: int(syscall.ENOENT)}
		m.Apply([]stack.App{testApp("api")})
		m.Start("api")
		if p := wantState(t, m, "api", view.Errored); string(p.LastError) != k.launchErr.Error() || p.Pid != nil {
			t.Errorf("last error %q, pid %d", p.LastError, p.Pid)
		}
		k.failLaunches(syscall.EAGAIN)
		m.Start("api")
		pass(400 * time.Millisecond)
		wantState(t, m, "api", view.WaitingRestart)
		wantCalls(t, k, "0s failed 1", "0s failed 2", "100ms failed 3", "250ms failed 4")
		k.failLaunches(nil)
		pass(time.Second + minSettle)
		if p := wantState(t, m, "api", view.Online); p.LastError != "" || p.UnstableRestarts != 0 {
			t.Errorf("last error %q, unstable %d", p.LastError, p.UnstableRestarts)
		}
	})
}

func TestApply(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		a, b, c := testApp("a"), testApp("b"), testApp("c")
		if got := m.Apply([]stack.App{a, b, c}); !slices.Equal(got.Added, []string{"a", "b", "c"}) {
			t.Errorf("added %q", got.Added)
		}
		m.Start("a", "b", "c")
		k.took()
		a.Environment = []stack.Variable{{Key: "X", Value: "2"}}
		b.Hash = "2"
		got := m.Apply([]stack.App{b, a})
		if len(got.Added) > 0 || !slices.Equal(got.Changed, []string{"b"}) || !slices.Equal(got.Removed, []string{"c"}) {
			t.Errorf("changes %+v", got)
		}
		synctest.Wait()
		if p, _ := m.Process("a", 0); p.Generation != 1 || p.ID != 0 {
			t.Errorf("a: generation %d, id %d", p.Generation, p.ID)
		}
		if p, _ := m.Process("b", 0); p.Generation != 2 || p.Restarts != 0 {
			t.Errorf("b: generation %d, restarts %d", p.Generation, p.Restarts)
		}
		names := []string{}
		for _, p := range m.Snapshot() {
			names = append(names, p.Name)
		}
		if !slices.Equal(names, []string{"b", "a"}) {
			t.Errorf("names %q", names)
		}
		m.Apply([]stack.App{b, a, c})
		if p := wantState(t, m, "c", view.Stopped); p.ID != 3 {
			t.Errorf("c came back with the id %d of another life", p.ID)
		}
	})
}

func TestComingBackWhileBeingRemoved(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		k.deaf = true
		m.Apply([]stack.App{testApp("api")})
		m.Start("api")
		m.Apply(nil)
		wantState(t, m, "api", view.Stopping)
		m.Apply([]stack.App{testApp("api")})
		m.Start("api")
		pass(time.Minute)
		if p := wantState(t, m, "api", view.Online); p.ID != 0 || p.Generation != 2 {
			t.Errorf("id %d, generation %d", p.ID, p.Generation)
		}
		if k.most != 1 {
			t.Errorf("%d lived at the same time", k.most)
		}
	})
}

func TestOneShot(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		k.dies, k.exitCode = time.Minute, 0
		app := testApp("migrate")
		app.OneShot = true
		m.Apply([]stack.App{app})
		m.Start("migrate")
		if p := wantState(t, m, "migrate", view.Online); p.Ready {
			t.Error("ready before its end")
		}
		pass(time.Hour)
		if p := wantState(t, m, "migrate", view.Completed); !p.Ready || p.ReadyBy != "completed" || p.Restarts != 0 {
			t.Errorf("ready %v by %s, restarts %d", p.Ready, p.ReadyBy, p.Restarts)
		}
	})
}

func TestExitsAreAckedAfterTheyAreSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKeeper{begun: time.Now(), alive: map[keeper.Key]bool{}}
		var broken atomic.Bool
		var m *Manager
		var saved json.RawMessage
		m = NewManager(Options{Keeper: k, Save: func() (err error) {
			if broken.Load() {
				return errors.New("disk full")
			}
			saved, err = m.Saved()
			return err
		}})
		k.manager = m
		defer m.Close()
		m.Apply([]stack.App{testApp("api")})
		m.Start("api")
		synctest.Wait()
		broken.Store(true)
		k.exit(keeper.Key{App: "api", Generation: 1}, keeper.Exit{Code: 3})
		wantState(t, m, "api", view.WaitingRestart)
		if len(k.acked) > 0 {
			t.Error("acked although nothing was saved")
		}
		broken.Store(false)
		pass(time.Minute)
		synctest.Wait()
		if len(k.acked) != 1 || len(saved) == 0 {
			t.Errorf("acked %v", k.acked)
		}
	})
}

func TestRestore(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		api, job := testApp("api"), testApp("job")
		m.Apply([]stack.App{api, job})
		m.Start("api", "job")
		pass(time.Minute)
		k.took()
		saved, err := m.Saved()
		if err != nil {
			t.Fatal(err)
		}
		m.Close() // the daemon dies
		running := []keeper.Running{
			{Key: keeper.Key{App: "api", Generation: 1}, Launched: keeper.Launched{Pid: 5, At: k.begun}},
			{Key: keeper.Key{App: "job", Generation: 1}, Launched: keeper.Launched{Pid: 6, At: k.begun}, Exit: &keeper.Exit{
				Key: keeper.Key{App: "job", Generation: 1}, Code: 7, At: time.Now(),
			}},
			{Key: keeper.Key{App: "gone", Generation: 9}},
		}
		next := NewManager(Options{Keeper: k})
		k.mu.Lock()
		k.manager = next
		k.mu.Unlock()
		api.Hash = "2" // the file has changed meanwhile; that is the next up's business
		if err := next.Restore(Taken{Apps: []stack.App{api, job}, Saved: saved, Running: running}); err != nil {
			t.Fatal(err)
		}
		if p := wantState(t, next, "api", view.Online); *p.Pid != 5 || p.Generation != 1 || p.Restarts != 0 || !p.Ready {
			t.Errorf("api: %+v", p)
		}
		if p := wantState(t, next, "job", view.WaitingRestart); p.Restarts != 1 || len(p.Exits) != 1 || *p.Exits[0].Code != 7 {
			t.Errorf("job: %+v", p)
		}
		if !slices.Equal(k.acked, []keeper.Key{{App: "job", Generation: 1}}) {
			t.Errorf("acked %v", k.acked)
		}
		got := k.took()
		slices.Sort(got)
		if want := []string{"1m0s tree 1", "1m0s tree 9"}; !slices.Equal(got, want) {
			t.Errorf("keeper was asked %q, want %q", got, want)
		}
		if c := next.Apply([]stack.App{api, job}); !slices.Equal(c.Changed, []string{"api"}) {
			t.Errorf("changes %+v", c)
		}
	})
}
