package procs

import (
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
	"devstack/view"
)

// What users of other supervisors report again and again: a restart, a stop or an update that comes while something
// else is under way.

// PM2 restarts this loop for ever: 1.1 s are longer than its min_uptime, and 2 s of delay keep the exits from being
// close enough together.
func TestASlowCrashLoopEnds(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		k.dies = 1100 * time.Millisecond // after its first launch, it is not called ready before it has lived for longer
		app := testApp("api")
		delay := 2 * time.Second
		app.RestartDelay, app.MaxRestarts = &delay, 10
		m.Apply([]stack.App{app})
		m.Start("api")
		pass(1050 * time.Millisecond)
		wantState(t, m, "api", view.Online)
		pass(31 * time.Second) // in the eleventh and last launch
		wantState(t, m, "api", view.Launching)
		pass(time.Hour)
		if p := wantState(t, m, "api", view.Errored); p.RestartsBy != (view.Restarts{Crash: 10}) || k.launches != 11 {
			t.Errorf("%d launches, restarts %+v", k.launches, p.RestartsBy)
		}
	})
}

// process-compose: a restart while the first launch is still pending wedges it, or leaves two copies.
func TestRestartWhilePending(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		app := testApp("api")
		app.DependsOn = []stack.Dependency{{Name: "redis", Service: true, Condition: stack.Healthy}}
		m.Apply([]stack.App{app})
		m.Start("api")
		m.Restart("api")
		wantState(t, m, "api", view.Waiting)
		m.Restart("api")
		m.SetGate("api", nil)
		pass(time.Minute)
		wantState(t, m, "api", view.Online)
		wantCalls(t, k, "0s launch 1")
	})
}

// process-compose: two restarts at once leave three copies.
func TestTwoRestartsAtOnce(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		k.deaf = true
		m.Apply([]stack.App{testApp("api")})
		m.Start("api")
		pass(time.Second)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { m.Restart("api") })
		}
		all.Wait()
		pass(time.Minute)
		if p := wantState(t, m, "api", view.Online); p.RestartsBy != (view.Restarts{Manual: 1}) || k.most != 1 {
			t.Errorf("restarts %+v, %d alive at once", p.RestartsBy, k.most)
		}
		wantCalls(t, k, "0s launch 1", "1s terminated 1", "11s killed 1", "11s tree 1", "11s launch 2")
	})
}

func TestStopDuringADependencyWait(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		app := testApp("api")
		app.DependsOn = []stack.Dependency{{Name: "redis", Service: true, Condition: stack.Healthy}}
		m.Apply([]stack.App{app})
		m.Start("api")
		wantState(t, m, "api", view.Waiting)
		m.Stop("api")
		m.SetGate("api", nil)
		pass(time.Minute)
		wantState(t, m, "api", view.Stopped)
		wantCalls(t, k)
	})
}

// process-compose: after an update, dependents see the readiness of the launch before it.
func TestNoStaleReadinessAfterAnUpdate(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		app := testApp("api")
		app.WaitReady = true
		sayReady := func(gen int64) {
			m.IPC(keeper.IPCLine{Key: keeper.Key{App: "api", Generation: gen}, Line: []byte(`"ready"`)})
			synctest.Wait()
		}
		m.Apply([]stack.App{app})
		m.Start("api")
		synctest.Wait()
		sayReady(1)
		if p := wantState(t, m, "api", view.Online); !p.Ready {
			t.Fatal("not ready")
		}
		app.Hash = "2"
		m.Apply([]stack.App{app})
		wantState(t, m, "api", view.Launching)
		sayReady(1) // late
		if p := wantState(t, m, "api", view.Launching); p.Ready || p.Generation != 2 {
			t.Errorf("ready by the word of the launch before: %v, generation %d", p.Ready, p.Generation)
		}
		sayReady(2)
		if p := wantState(t, m, "api", view.Online); !p.Ready {
			t.Error("not ready")
		}
	})
}

// PM2 looks every 30 s, and at the root process alone; TestMemoryOfTheWholeTree has a real tree.
func TestMemoryIsLookedAtOnceASecond(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		k.pid = os.Getpid() // a process with some memory
		app := testApp("api")
		app.MaxMemory = 1
		m.Apply([]stack.App{app})
		pass(300 * time.Millisecond)
		m.Start("api")
		pass(1500 * time.Millisecond)
		wantCalls(t, k, "300ms launch 1", "1s terminated 1", "1s tree 1")
		if p := wantState(t, m, "api", view.WaitingRestart); p.RestartsBy != (view.Restarts{Memory: 1}) || p.UnstableRestarts != 1 {
			t.Errorf("restarts %+v, unstable %d", p.RestartsBy, p.UnstableRestarts)
		}
	})
}
