package procs

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
	"devstack/view"
)

// A daemon that dies right after a command has been answered, with nothing saved since its beginning, has a successor that
// does what the command said.
func TestRestoreByWish(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		web, agent, tool, last := testApp("web"), testApp("agent"), testApp("tool"), testApp("last")
		last.Instances = 3
		m.Apply([]stack.App{web, agent, tool, last})
		m.Start("web", "agent", "last")
		pass(time.Minute)
		saved, err := m.Saved()
		if err != nil {
			t.Fatal(err)
		}
		k.took()
		m.Close()
		died := time.Now()
		next := NewManager(Options{Keeper: k})
		k.mu.Lock()
		k.manager = next
		k.mu.Unlock()
		row := func(app string, instance int, gen int64, exited bool) keeper.Running {
			r := keeper.Running{Key: keeper.Key{App: app, Instance: instance, Generation: gen}, Launched: keeper.Launched{Pid: 5, At: k.begun}}
			if exited {
				r.Exit = &keeper.Exit{Key: r.Key, Code: -1, Signal: 15, At: died}
			}
			return r
		}
		last.Instances, agent.Hash = 2, "new" // scaled from 3; restarted with another definition
		err = next.Restore(Taken{
			Apps: []stack.App{web, agent, tool, last}, Saved: saved,
			Running: []keeper.Running{
				row("web", 0, 1, true), row("agent", 0, 1, true), row("agent", 0, 2, false),
				row("last", 0, 1, false), row("last", 1, 1, false), row("last", 2, 1, false),
			},
			Wish: func(app string, n int) Wish {
				return map[string]Wish{
					"web/0": {Stopped: true}, "agent/0": {Least: 2}, "tool/0": {Least: 1}, "last/1": {Stopped: true},
				}[fmt.Sprintf("%s/%d", app, n)]
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if p := wantState(t, next, "web", view.Stopped); len(p.Exits) != 1 || p.Exits[0].Reason != view.Manual || p.Exits[0].Cause != "stopped" || p.Restarts != 0 {
			t.Errorf("web: %+v", p)
		}
		if p := wantState(t, next, "agent", view.Online); p.Generation != 2 || len(p.Exits) != 1 || p.Exits[0].Reason != view.Manual || p.RestartsBy != (view.Restarts{Manual: 1}) {
			t.Errorf("agent: %+v", p)
		}
		wantState(t, next, "tool", view.Online)
		wantState(t, next, "last", view.Online)
		if p, _ := next.Process("last", 1); p.Status != view.Stopped || len(p.Exits) != 0 && p.Exits[0].Reason != view.Manual {
			t.Errorf("the second of last: %+v", p)
		}
		if p, there := next.Process("last", 2); there {
			t.Errorf("the third of last: %+v", p)
		}
		calls := k.took()
		for _, want := range []string{"terminated 1", "launch 1"} {
			if !slices.ContainsFunc(calls, func(c string) bool { return len(c) > len(want) && c[len(c)-len(want):] == want }) {
				t.Errorf("nobody asked the keeper for %q: %q", want, calls)
			}
		}
		if c := next.Apply([]stack.App{web, agent, tool, last}); len(c.Changed) > 0 {
			t.Errorf("an up would restart %q", c.Changed)
		}
	})
}

// A save that fails is tried again without another change, said once, and what it would have acked is acked after it.
func TestSaveIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKeeper{begun: time.Now(), alive: map[keeper.Key]bool{}}
		var mu sync.Mutex
		broken, saves, warnings := true, 0, 0
		m := NewManager(Options{
			Keeper: k,
			Save: func() error {
				mu.Lock()
				defer mu.Unlock()
				saves++
				if broken {
					return errors.New("disk full")
				}
				return nil
			},
			Publish: func(n view.Event) {
				mu.Lock()
				defer mu.Unlock()
				if n.Kind == view.KindWarning {
					warnings++
				}
			},
		})
		k.manager = m
		defer m.Close()
		m.Exited(keeper.Exit{Key: keeper.Key{App: "gone", Generation: 1}})
		pass(10 * time.Minute)
		mu.Lock()
		if saves < 10 || saves > 40 || warnings != 1 || len(k.acked) > 0 {
			t.Errorf("%d saves, %d warnings, acked %v", saves, warnings, k.acked)
		}
		broken = false
		mu.Unlock()
		pass(lastSavePause)
		synctest.Wait()
		if len(k.acked) != 1 {
			t.Errorf("acked %v", k.acked)
		}
	})
}

// Close saves what has changed last, and acks what is on record then.
func TestCloseSaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKeeper{begun: time.Now(), alive: map[keeper.Key]bool{}}
		var m *Manager
		var saved savedState
		m = NewManager(Options{Keeper: k, Save: func() error {
			pass(time.Minute) // a slow disk, so that a change has to wait for three minutes
			data, err := m.Saved()
			if err != nil {
				return err
			}
			saved = savedState{}
			return json.Unmarshal(data, &saved)
		}})
		k.manager = m
		m.Apply([]stack.App{testApp("web")})
		m.Start("web")
		pass(90 * time.Second)
		k.exit(keeper.Key{App: "web", Generation: 1}, keeper.Exit{Code: 1})
		wantState(t, m, "web", view.WaitingRestart)
		m.Close()
		if len(saved.Instances) != 1 || saved.Instances[0].Machine.State != view.WaitingRestart || len(saved.Instances[0].Exits) != 1 {
			t.Errorf("saved %+v", saved)
		}
		if len(k.acked) != 1 {
			t.Errorf("acked %v", k.acked)
		}
	})
}

// A gate that a command has closed is closed before anything goes on, although what was saved says that it is open.
func TestRestoreWithAGateThatHasClosed(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		db, web := testApp("db"), testApp("web")
		m.Apply([]stack.App{db, web})
		m.Start("db")
		pass(time.Minute)
		saved, err := m.Saved()
		if err != nil {
			t.Fatal(err)
		}
		k.took()
		m.Close()
		next := NewManager(Options{Keeper: k})
		k.mu.Lock()
		k.manager = next
		k.mu.Unlock()
		key := keeper.Key{App: "db", Generation: 1}
		err = next.Restore(Taken{
			Apps: []stack.App{db, web}, Saved: saved, Running: []keeper.Running{{Key: key, Launched: keeper.Launched{Pid: 5, At: k.begun}}},
			Wish: func(app string, _ int) Wish { return map[string]Wish{"db": {Least: 2}, "web": {Least: 1}}[app] },
			Gates: func(seen []Process) map[string][]string {
				if len(seen) != 2 || seen[0].Status != view.Online || seen[0].Generation != 1 {
					t.Errorf("seen are %+v", seen)
				}
				return map[string][]string{"web": {"db"}, "db": {}}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if p := wantState(t, next, "web", view.Waiting); !slices.Equal(p.WaitingFor, []string{"db"}) || p.Generation != 0 {
			t.Errorf("web: %+v", p)
		}
		if p := wantState(t, next, "db", view.Online); p.Generation != 2 {
			t.Errorf("db: %+v", p)
		}
		next.SetGate("web", nil)
		wantState(t, next, "web", view.Launching)
	})
}
