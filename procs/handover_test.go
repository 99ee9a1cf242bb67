package procs

import (
	"slices"
	"strings"
	"testing"
	"time"

	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
	"devstack/view"
)

const heirGen = testGen + 1

// serving is a machine that a reload replaces side by side.
func serving() Machine {
	m := machineIn(view.Online)
	m.Ready, m.Listens, m.Policy.Overlap = true, true, true
	return m
}

// after is a machine after some events, and the effects of the last one.
func after(m Machine, events ...Event) (Machine, string) {
	var effects []Effect
	for _, ev := range events {
		m, effects = m.Step(ev)
	}
	return m, effectNames(effects)
}

func TestReloadMoves(t *testing.T) {
	heir := func(more ...Event) []Event { return append([]Event{Reload{}}, more...) }
	with := func(events []Event, more ...Event) []Event { return slices.Concat(events, more) }
	ready := heir(Listening{heirGen}, Ready{Gen: heirGen})
	done := with(ready, Elapsed{heirGen, SettleTimer})
	retire := "Signal terminated, SetTimer kill_timeout"
	tests := []struct {
		name     string
		events   []Event
		gen      int64 // that State is about
		state    view.Status
		heir     int64
		retired  Retired
		rejected Rejection
		effects  string
	}{
		{"begins", heir(), testGen, view.Online, heirGen, Retired{}, Rejection{}, "SetTimer listen_timeout, Launch"},
		{"begins once", heir(Reload{}), testGen, view.Online, heirGen, Retired{}, Rejection{}, ""},
		{"ready is not enough", ready, testGen, view.Online, heirGen, Retired{}, Rejection{}, "SetTimer settle"},
		{"a second later it takes over", done, heirGen, view.Online, 0, Retired{Gen: testGen}, Rejection{}, "Promote, Drain, SetTimer drain"},
		{"not before it is ready", heir(Elapsed{heirGen, SettleTimer}), testGen, view.Online, heirGen, Retired{}, Rejection{}, ""},
		{"drained", with(done, Drained{testGen}), heirGen, view.Online, 0, Retired{testGen, true}, Rejection{}, retire},
		{"does not drain in time", with(done, Elapsed{testGen, DrainTimer}), heirGen, view.Online, 0, Retired{testGen, true}, Rejection{}, retire},
		{"nobody waits for it twice", with(done, Drained{testGen}, Elapsed{testGen, DrainTimer}), heirGen, view.Online, 0, Retired{testGen, true}, Rejection{}, ""},
		{"deaf", with(done, Drained{testGen}, Elapsed{testGen, KillTimer}), heirGen, view.Online, 0, Retired{testGen, true}, Rejection{}, "Signal killed"},
		{"gone", with(done, Exited{Gen: testGen}), heirGen, view.Online, 0, Retired{}, Rejection{}, "StopTimer, KillTree, Record manual"},
		{"not while the last one leaves", with(done, Reload{}), heirGen, view.Online, 0, Retired{Gen: testGen}, Rejection{}, ""},

		{"dies at boot", heir(Exited{Gen: heirGen, Code: 1}), testGen, view.Online, 0, Retired{}, Rejection{Gen: heirGen}, "StopTimer, KillTree, Record crash"},
		{"cannot be launched", heir(LaunchFailed{Gen: heirGen}), testGen, view.Online, 0, Retired{}, Rejection{Gen: heirGen}, "StopTimer"},
		{"never ready", heir(Elapsed{heirGen, ListenTimer}), testGen, view.Online, 0, Retired{heirGen, true}, Rejection{Gen: heirGen, Late: true}, retire},
		{"ready in time", with(ready, Elapsed{heirGen, ListenTimer}), testGen, view.Online, heirGen, Retired{}, Rejection{}, ""},
		{"dies when ready", with(ready, Exited{Gen: heirGen, Code: 1}), testGen, view.Online, 0, Retired{}, Rejection{Gen: heirGen, WasReady: true}, "StopTimer, KillTree, Record crash"},
		{"sick when ready", with(ready, Unhealthy{heirGen}), testGen, view.Online, 0, Retired{heirGen, true}, Rejection{Gen: heirGen, WasReady: true}, retire},
		{"dies later", with(done, Exited{Gen: testGen}, Exited{Gen: heirGen, Code: 1}), heirGen, view.WaitingRestart, 0, Retired{}, Rejection{}, "StopTimer, KillTree, Record crash, SetTimer restart_delay"},

		{"the old one dies first", heir(Exited{Gen: testGen, Code: 1}), heirGen, view.Launching, 0, Retired{}, Rejection{}, "StopTimer, KillTree, Record crash, Promote"},
		{"the old one dies late", with(ready, Exited{Gen: testGen, Code: 1}), heirGen, view.Online, 0, Retired{}, Rejection{}, "StopTimer, KillTree, Record crash, Promote"},
		{"both die", heir(Exited{Gen: testGen, Code: 1}, Exited{Gen: heirGen, Code: 1}), heirGen, view.WaitingRestart, 0, Retired{}, Rejection{}, "StopTimer, KillTree, Record crash, SetTimer restart_delay"},

		{"stop", heir(Stop{}), testGen, view.Stopping, 0, Retired{heirGen, true}, Rejection{}, retire + ", " + retire},
		{"stop while one drains", with(done, Stop{}), heirGen, view.Stopping, 0, Retired{testGen, true}, Rejection{}, retire + ", " + retire},
		{"restart", heir(Restart{}), testGen, view.Stopping, 0, Retired{heirGen, true}, Rejection{}, retire + ", " + retire},
		{"too much memory", heir(MemoryExceeded{testGen}), testGen, view.Stopping, 0, Retired{heirGen, true}, Rejection{}, retire + ", " + retire},
		{"leave", []Event{Leave{}}, testGen, view.Stopping, 0, Retired{}, Rejection{}, "Drain, SetTimer drain"},
		{"leave, drained", []Event{Leave{}, Drained{testGen}}, testGen, view.Stopping, 0, Retired{}, Rejection{}, retire},
		{"leave, does not drain", []Event{Leave{}, Elapsed{testGen, DrainTimer}}, testGen, view.Stopping, 0, Retired{}, Rejection{}, retire},
		{"leave, then stop", []Event{Leave{}, Stop{}}, testGen, view.Stopping, 0, Retired{}, Rejection{}, retire},
		{"leave during a reload", heir(Leave{}), testGen, view.Stopping, 0, Retired{heirGen, true}, Rejection{}, "Drain, SetTimer drain, " + retire},
		{"left", []Event{Leave{}, Exited{Gen: testGen}}, testGen, view.Stopped, 0, Retired{}, Rejection{}, "StopTimer, KillTree, Record manual"},
		{"a gate closes", heir(Gate{Open: false}), testGen, view.Online, heirGen, Retired{}, Rejection{}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, effects := after(serving(), test.events...)
			if m.Gen != test.gen || m.State != test.state || m.Heir.Gen != test.heir || m.Retired != test.retired || m.Rejected != test.rejected {
				t.Errorf("got generation %d, %s, heir %+v, retired %+v, rejected %+v", m.Gen, m.State, m.Heir, m.Retired, m.Rejected)
			}
			if effects != test.effects {
				t.Errorf("got effects %q, want %q", effects, test.effects)
			}
		})
	}
}

func TestOnlyWhatServesOnAHeldSocketIsReplacedSideBySide(t *testing.T) {
	for name, change := range map[string]func(*Machine){
		"not ready":       func(m *Machine) { m.State, m.Ready = view.Launching, false },
		"listens nowhere": func(m *Machine) { m.Listens = false },
		"cannot overlap":  func(m *Machine) { m.Policy.Overlap = false },
	} {
		m := serving()
		change(&m)
		if m, effects := after(m, Reload{}); m.State != view.Stopping || !m.Again || m.Heir.Gen != 0 {
			t.Errorf("%s: %s, heir %d, %q", name, m.State, m.Heir.Gen, effects)
		}
	}
}

func TestAReloadCountsOnce(t *testing.T) {
	m := serving()
	m.Unstable = 2
	m, _ = after(m, Reload{}, Ready{Gen: heirGen}, Elapsed{heirGen, SettleTimer}, Drained{testGen}, Exited{Gen: testGen})
	if m.Restarts != (view.Restarts{Manual: 1}) || m.Unstable != 0 {
		t.Errorf("got %+v, unstable %d", m.Restarts, m.Unstable)
	}
	m, _ = after(serving(), Reload{}, Exited{Gen: heirGen, Code: 1})
	if m.Restarts.Total() != 0 {
		t.Errorf("a reload that failed counts as %+v", m.Restarts)
	}
	if m, _ = after(m, Reload{}); m.Heir.Gen != heirGen+1 || m.Rejected != (Rejection{}) {
		t.Errorf("the next one has generation %d, rejected %+v", m.Heir.Gen, m.Rejected)
	}
	if m, _ = after(m, Exited{Gen: testGen}, Exited{Gen: heirGen + 1}, Elapsed{heirGen + 1, RestartTimer}); m.Gen != heirGen+2 {
		t.Errorf("the next launch has generation %d", m.Gen)
	}
}

func TestResumeAReload(t *testing.T) {
	begun, _ := after(serving(), Reload{})
	ready, _ := after(begun, Ready{Gen: heirGen})
	done, _ := after(ready, Elapsed{heirGen, SettleTimer})
	failed := &keeper.Exit{Code: 1}
	both := []keeper.Running{row(testGen, nil), row(heirGen, nil)}
	tests := []struct {
		name    string
		saved   Machine
		rows    []keeper.Running
		gen     int64
		heir    int64
		retired int64
		effects string
	}{
		{"begun", begun, both, testGen, heirGen, 0, "SetTimer listen_timeout"},
		{"begun, not saved", serving(), both, testGen, heirGen, 0, "SetTimer listen_timeout"},
		{"ready", ready, both, testGen, heirGen, 0, "SetTimer settle"},
		{"taken over", done, both, heirGen, 0, testGen, "Drain, SetTimer drain"},
		{"the heir died", begun, []keeper.Running{row(testGen, nil), row(heirGen, failed)}, testGen, 0, 0, "StopTimer, KillTree, Record crash"},
		{"the heir died, not saved", serving(), []keeper.Running{row(testGen, nil), row(heirGen, failed)}, testGen, 0, 0, "StopTimer, KillTree, Record crash"},
		{"the old one died", begun, []keeper.Running{row(testGen, failed), row(heirGen, nil)}, heirGen, 0, 0, "StopTimer, KillTree, Record crash, Promote, SetTimer listen_timeout"},
		{"the old one left", done, []keeper.Running{row(testGen, failed), row(heirGen, nil)}, heirGen, 0, 0, "StopTimer, KillTree, Record manual"},
		{"no trace of the old one", done, []keeper.Running{row(heirGen, nil)}, heirGen, 0, 0, "StopTimer, KillTree, Record manual"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, effects := resume(test.saved, test.rows, Wish{})
			if m.Gen != test.gen || m.Heir.Gen != test.heir || m.Retired.Gen != test.retired || effectNames(effects) != test.effects {
				t.Errorf("got generation %d, heir %d, retired %d, %q", m.Gen, m.Heir.Gen, m.Retired.Gen, effectNames(effects))
			}
			if m.Newest != heirGen {
				t.Errorf("newest is %d", m.Newest)
			}
		})
	}
}

// TestReloadInVirtualTime is a whole reload: the new one beside the old one, a second of proof, then the ladder.
func TestReloadInVirtualTime(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		web := testApp("web")
		web.Command, web.Port, web.HoldPort = []string{"/bin/node"}, 3000, "auto"
		listen := func(gen int64) {
			m.Listening(keeper.Socket{Key: keeper.Key{App: "web", Generation: gen}, Address: keeper.Address{Port: 3000}})
		}
		m.Apply([]stack.App{web})
		m.Start("web")
		pass(2 * time.Second)
		wantState(t, m, "web", view.Launching) // alive, but it does not listen
		listen(1)
		if p := wantState(t, m, "web", view.Online); !p.Overlaps || !strings.HasPrefix(string(p.ReadyBy), "listens :") || len(p.Held) != 1 {
			t.Errorf("got %+v", p)
		}
		k.took()
		web.Hash = "2"
		m.Reload(0, web)
		pass(time.Second)
		if p := wantState(t, m, "web", view.Online); p.Successor == nil || p.Generation != 1 || !p.Ready {
			t.Errorf("beside the old one: %+v", p)
		}
		listen(2)
		pass(time.Second)
		if p := wantState(t, m, "web", view.Online); p.Generation != 2 || p.Retiring == 0 || p.Restarts != 1 {
			t.Errorf("taken over: %+v", p)
		}
		m.Drained(keeper.Key{App: "web", Generation: 1})
		wantCalls(t, k, "2s launch 2", "4s message 2", "4s message 1", "4s terminated 1", "4s tree 1")
		if p := wantState(t, m, "web", view.Online); p.Retiring != 0 || p.Exits[0].Ending() != "was stopped (SIGTERM)" {
			t.Errorf("at the end: %+v", p)
		}
		k.mu.Lock()
		k.dies = 300 * time.Millisecond
		k.mu.Unlock()
		web.Hash = "3"
		m.Reload(0, web)
		pass(100 * time.Millisecond)
		listen(3)
		pass(time.Second)
		if p := wantState(t, m, "web", view.Online); p.Generation != 2 || !p.Rejected.WasReady || p.Rejected.Gen != 3 || !strings.HasPrefix(p.Exits[1].Ending(), "exited with code 1") {
			t.Errorf("after a new one that died: %+v", p)
		}
		if c := m.Apply([]stack.App{web}); len(c.Changed) != 1 {
			t.Error("the definition that was not taken counts as taken")
		}
		m.Stop("web")
		wantState(t, m, "web", view.Stopped)
		if calls := k.took(); !slices.Contains(calls, "5.1s release before 0") {
			t.Errorf("nobody closed the socket: %q", calls)
		}
	})
}
