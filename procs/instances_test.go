package procs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"devstack/procs/keeper"
	"devstack/stack"
)

// shown is "name#instance id state" of every process.
func shown(m *Manager) string {
	synctest.Wait()
	var out []string
	for _, p := range m.Snapshot() {
		out = append(out, fmt.Sprintf("%s#%d %d %s", p.Name, p.Instance, p.ID, p.Status))
	}
	return strings.Join(out, ", ")
}

func wantShown(t *testing.T, m *Manager, want string) {
	t.Helper()
	if got := shown(m); got != want {
		t.Errorf("processes are\n  %s, want\n  %s", got, want)
	}
}

// pass lets virtual time go on.
func pass(d time.Duration) { <-time.After(d) }

func withInstances(app stack.App, n int) stack.App {
	app.Instances = n
	return app
}

func TestScaleLeavesTheOthersAlone(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		web, job := testApp("web"), testApp("job")
		m.Apply([]stack.App{web, job})
		m.Start("web")
		pass(time.Second)
		wantCalls(t, k, "0s launch 1")

		if c := m.Apply([]stack.App{withInstances(web, 3), job}); len(c.Added)+len(c.Changed)+len(c.Removed) > 0 {
			t.Errorf("changes %+v", c)
		}
		wantShown(t, m, "web#0 0 online, web#1 2 stopped, web#2 3 stopped, job#0 1 stopped")
		m.Start("web")
		wantCalls(t, k, "1s launch 1", "1s launch 1")
		pass(time.Second)

		m.Apply([]stack.App{web, job})
		wantShown(t, m, "web#0 0 online, job#0 1 stopped")
		calls := k.took() // of two instances, in any order
		slices.Sort(calls)
		if want := []string{"2s terminated 1", "2s terminated 1", "2s tree 1", "2s tree 1"}; !slices.Equal(calls, want) {
			t.Errorf("keeper was asked\n  %q, want\n  %q", calls, want)
		}

		m.Apply([]stack.App{withInstances(web, 2), job})
		wantShown(t, m, "web#0 0 online, web#1 4 stopped, job#0 1 stopped")
		m.Start("web")
		wantCalls(t, k, "2s launch 2") // the keeper may still remember how the first one ended
	})
}

func TestAnInstanceThatIsLeavingComesBack(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		k.deaf = true
		web := testApp("web")
		m.Apply([]stack.App{withInstances(web, 2)})
		m.Start("web")
		pass(time.Second)
		m.Apply([]stack.App{web})
		wantShown(t, m, "web#0 0 online, web#1 1 stopping")
		if p, _ := m.Process("web", 1); !p.Leaving {
			t.Error("it is not said to be leaving")
		}
		m.Apply([]stack.App{withInstances(web, 2)})
		pass(time.Minute)
		wantShown(t, m, "web#0 0 online, web#1 1 stopped")
		if p, _ := m.Process("web", 1); p.Leaving {
			t.Error("it is still said to be leaving")
		}
	})
}

func TestANewInstanceKnowsTheGate(t *testing.T) {
	fakeStack(t, func(t *testing.T, _ *fakeKeeper, m *Manager) {
		web := testApp("web")
		web.DependsOn = []stack.Dependency{{Name: "db"}}
		m.Apply([]stack.App{web})
		m.SetGate("web", nil)
		m.Apply([]stack.App{withInstances(web, 2)})
		m.Start("web")
		pass(time.Second)
		wantShown(t, m, "web#0 0 online, web#1 1 online")
	})
}

func TestSingleInstancesAreMeantByTheirIDs(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		m.Apply([]stack.App{withInstances(testApp("web"), 3)})
		m.StartIDs(0, 2, 99)
		pass(time.Second)
		wantShown(t, m, "web#0 0 online, web#1 1 stopped, web#2 2 online")
		m.StopIDs(0)
		m.RestartIDs(2)
		pass(time.Second)
		wantShown(t, m, "web#0 0 stopped, web#1 1 stopped, web#2 2 online")
		if p, _ := m.Process("web", 2); p.Restarts != 1 {
			t.Errorf("%d restarts", p.Restarts)
		}
		m.ResetIDs(2)
		synctest.Wait()
		if p, _ := m.Process("web", 2); p.Restarts != 0 || p.Generation != 2 {
			t.Errorf("after a reset %d restarts, generation %d", p.Restarts, p.Generation)
		}
		k.took()
		if err := m.Signal(context.Background(), 2, syscall.SIGUSR2); err != nil {
			t.Error(err)
		}
		wantCalls(t, k, "2s user defined signal 2 2", "2s tree 2") // it crashed, and its delay is 4 s
		if err := m.Signal(context.Background(), 1, syscall.SIGUSR2); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("a stopped one: %v", err)
		}
	})
}

func TestReplaceChangesOneInstanceAlone(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		web := withInstances(testApp("web"), 2)
		m.Apply([]stack.App{web})
		m.Start("web")
		pass(time.Second)
		k.took()
		web.Hash, web.KillSignal = "2", "SIGINT"
		m.Reload(1, web)
		wantCalls(t, k, "1s interrupt 1", "1s tree 1", "1s launch 2")
		if c := m.Apply([]stack.App{web}); len(c.Changed) != 1 {
			t.Errorf("changes %+v", c)
		}
		wantCalls(t, k, "1s interrupt 1", "1s tree 1", "1s launch 2") // the other one, once
	})
}

func TestOthersKeepTheirDefinitions(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		web, job := testApp("web"), testApp("job")
		m.Apply([]stack.App{web, job})
		m.Start("web", "job")
		pass(time.Second)
		k.took()
		web.Hash, job.Hash = "2", "2"
		if c := m.Apply([]stack.App{web, job}, "job"); !slices.Equal(c.Changed, []string{"job"}) || len(c.Removed) > 0 {
			t.Errorf("changes %+v", c)
		}
		wantCalls(t, k, "1s terminated 1", "1s tree 1", "1s launch 2")
		wantShown(t, m, "web#0 0 online, job#0 1 launching")
		if c := m.Apply([]stack.App{web, job}); !slices.Equal(c.Changed, []string{"web"}) {
			t.Errorf("changes of all %+v", c)
		}
	})
}

func TestInstancesSurviveTheDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKeeper{begun: time.Now(), alive: map[keeper.Key]bool{}}
		m := NewManager(Options{Keeper: k})
		k.manager = m
		web := withInstances(testApp("web"), 3)
		m.Apply([]stack.App{web})
		m.Start("web")
		pass(time.Second)
		before := shown(m)
		saved, err := m.Saved()
		if err != nil {
			t.Fatal(err)
		}
		m.Close()
		k.took()
		var running []keeper.Running
		for key := range k.alive {
			running = append(running, keeper.Running{Key: key, Launched: keeper.Launched{Pid: 1 << 30, At: time.Now()}})
		}
		m = NewManager(Options{Keeper: k})
		defer m.Close()
		k.manager = m
		if err := m.Restore([]stack.App{web}, saved, running); err != nil {
			t.Fatal(err)
		}
		wantShown(t, m, before)
		wantCalls(t, k)
		m.Apply([]stack.App{withInstances(web, 4)})
		wantShown(t, m, before+", web#3 3 stopped")
	})
}
