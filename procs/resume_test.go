package procs

import (
	"encoding/json"
	"testing"
	"time"

	keeper "devstack/procs/keeper/protocol"
	"devstack/view"
)

func row(gen int64, exit *keeper.Exit) keeper.Running {
	r := keeper.Running{Key: keeper.Key{App: "api", Generation: gen}, Launched: keeper.Launched{Pid: 42, At: time.Unix(100, 0)}}
	if exit != nil {
		exit.Key, exit.At = r.Key, time.Unix(101, 0)
		r.Exit = exit
	}
	return r
}

func TestResume(t *testing.T) {
	failed := func() *keeper.Exit { return &keeper.Exit{Code: 1} }
	tests := []struct {
		name     string
		saved    view.Status
		change   func(*Machine)
		rows     []keeper.Running
		want     view.Status
		gen      int64
		unstable int
		effects  string
	}{
		{"still running", view.Online, nil, []keeper.Running{row(7, nil)}, view.Online, 7, 0, ""},
		{"still launching", view.Launching, nil, []keeper.Running{row(7, nil)}, view.Launching, 7, 0, "SetTimer listen_timeout"},
		{"a stop goes on", view.Stopping, nil, []keeper.Running{row(7, nil)}, view.Stopping, 7, 0, "Signal terminated, SetTimer kill_timeout"},
		{"a delay starts over", view.WaitingRestart, nil, nil, view.WaitingRestart, 7, 0, "SetTimer restart_delay"},
		{"stopped", view.Stopped, nil, nil, view.Stopped, 7, 0, ""},
		{
			"exited meanwhile", view.Online, nil,
			[]keeper.Running{row(7, failed())},
			view.WaitingRestart, 7, 1,
			"StopTimer, KillTree, Record crash, SetTimer restart_delay",
		},
		{"stopped meanwhile", view.Stopping, nil, []keeper.Running{row(7, failed())}, view.Stopped, 7, 0, "StopTimer, KillTree, Record manual"},
		{
			"exit already counted", view.WaitingRestart, func(m *Machine) { m.Unstable = 1 },
			[]keeper.Running{row(7, failed())},
			view.WaitingRestart, 7, 1, "SetTimer restart_delay",
		},
		{"launched but not saved", view.WaitingRestart, nil, []keeper.Running{row(8, nil)}, view.Launching, 8, 0, "SetTimer listen_timeout"},
		{
			"exit and next launch not saved", view.Online, nil,
			[]keeper.Running{row(7, failed()), row(8, nil)},
			view.Launching, 8, 1,
			"Record crash, SetTimer listen_timeout",
		},
		{
			"two exits not saved", view.Online, nil,
			[]keeper.Running{row(7, failed()), row(8, failed())},
			view.WaitingRestart, 8, 2,
			"Record crash, StopTimer, KillTree, Record crash, SetTimer restart_delay",
		},
		{"no trace of it", view.Online, nil, nil, view.WaitingRestart, 7, 1, "StopTimer, KillTree, Record crash, SetTimer restart_delay"},
		{"no trace of what was stopping", view.Stopping, nil, nil, view.Stopped, 7, 0, "StopTimer, KillTree, Record manual"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := machineIn(test.saved)
			if test.change != nil {
				test.change(&m)
			}
			blob, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			var saved Machine
			if err := json.Unmarshal(blob, &saved); err != nil {
				t.Fatal(err)
			}
			saved.Policy = m.Policy
			got, effects := resume(saved, test.rows, Wish{})
			if got.State != test.want || got.Gen != test.gen || got.Unstable != test.unstable || effectNames(effects) != test.effects {
				t.Errorf("got %s, generation %d, unstable %d, %q; want %s, %d, %d, %q",
					got.State, got.Gen, got.Unstable, effectNames(effects), test.want, test.gen, test.unstable, test.effects)
			}
		})
	}
}

// What commands want wins over what was saved before they did.
func TestResumeByWish(t *testing.T) {
	failed := func() *keeper.Exit { return &keeper.Exit{Code: 1} }
	stop, start, reload := Wish{Stopped: true}, Wish{Least: 8}, Wish{Least: 8, Beside: true}
	heir := func(m *Machine) { m.Newest, m.Heir = 8, Heir{Gen: 8} }
	tests := []struct {
		name    string
		wish    Wish
		saved   view.Status
		change  func(*Machine)
		rows    []keeper.Running
		want    view.Status
		gen     int64
		effects string
	}{
		{"stopped, and runs", stop, view.Online, nil, []keeper.Running{row(7, nil)}, view.Stopping, 7, "Signal terminated, SetTimer kill_timeout"},
		{"stopped, and launching", stop, view.Launching, nil, []keeper.Running{row(7, nil)}, view.Stopping, 7, "Signal terminated, SetTimer kill_timeout"},
		{"stopped, and ended", stop, view.Online, nil, []keeper.Running{row(7, failed())}, view.Stopped, 7, "StopTimer, KillTree, Record manual"},
		{"stopped, and without a trace", stop, view.Online, nil, nil, view.Stopped, 7, "StopTimer, KillTree, Record manual"},
		{"stopped during a restart", stop, view.Stopping, func(m *Machine) { m.Again = true }, []keeper.Running{row(7, failed())}, view.Stopped, 7, "StopTimer, KillTree, Record manual"},
		{"stopped before its restart", stop, view.WaitingRestart, nil, nil, view.Stopped, 7, ""},
		{"stopped, and had waited", stop, view.Waiting, nil, nil, view.Stopped, 7, ""},
		{"stopped after it had given up", stop, view.Errored, nil, nil, view.Stopped, 7, ""},
		{"stopped, and saved", stop, view.Stopped, nil, []keeper.Running{row(7, failed())}, view.Stopped, 7, ""},
		{"a launch that was not saved, stopped", stop, view.WaitingRestart, nil, []keeper.Running{row(8, nil)}, view.Stopping, 8, "Signal terminated, SetTimer kill_timeout"},
		{"crashed, launched again, stopped", stop, view.Online, nil, []keeper.Running{row(7, failed()), row(8, failed())}, view.Stopped, 8, "Record crash, StopTimer, KillTree, Record manual"},
		{"stopped during a reload", stop, view.Online, heir, []keeper.Running{row(7, nil), row(8, nil)}, view.Stopping, 7, "Signal terminated, SetTimer kill_timeout, Signal terminated, SetTimer kill_timeout"},
		{"stopped during a reload that was not saved", stop, view.Online, nil, []keeper.Running{row(7, nil), row(8, nil)}, view.Stopping, 7, "Signal terminated, SetTimer kill_timeout, Signal terminated, SetTimer kill_timeout"},
		{"the old one dies as both are stopped", stop, view.Online, heir, []keeper.Running{row(7, failed()), row(8, nil)}, view.Stopped, 7, "StopTimer, KillTree, Record manual, Signal terminated, SetTimer kill_timeout"},

		{"started, not launched yet", start, view.Stopped, nil, nil, view.Launching, 8, "SetTimer listen_timeout, Launch"},
		{"started, and the gate is closed", start, view.Stopped, func(m *Machine) { m.Closed = true }, nil, view.Waiting, 7, "StopTimer"},
		{"started after it had given up", start, view.Errored, nil, nil, view.Launching, 8, "SetTimer listen_timeout, Launch"},
		{"started, launched, not saved", start, view.Stopped, nil, []keeper.Running{row(8, nil)}, view.Launching, 8, "SetTimer listen_timeout"},
		{"started, launched, crashed", start, view.Stopped, nil, []keeper.Running{row(8, failed())}, view.WaitingRestart, 8, "StopTimer, KillTree, Record crash, SetTimer restart_delay"},
		{"started long ago", Wish{Least: 7}, view.Stopped, nil, nil, view.Stopped, 7, ""},
		{"started while it was stopping", start, view.Stopping, nil, []keeper.Running{row(7, failed())}, view.Launching, 8, "StopTimer, KillTree, Record manual, SetTimer listen_timeout, Launch"},
		{"restarted, and still runs", start, view.Online, nil, []keeper.Running{row(7, nil)}, view.Stopping, 7, "Signal terminated, SetTimer kill_timeout"},
		{"restarted, and has ended", start, view.Online, nil, []keeper.Running{row(7, failed())}, view.Launching, 8, "StopTimer, KillTree, Record manual, SetTimer listen_timeout, Launch"},
		{"restarted, and runs anew", start, view.Online, nil, []keeper.Running{row(7, failed()), row(8, nil)}, view.Launching, 8, "Record manual, SetTimer listen_timeout"},
		{"restarted, and that is saved", start, view.Online, func(m *Machine) { m.Gen = 8 }, []keeper.Running{row(8, nil)}, view.Online, 8, ""},

		{"reloaded, both run", reload, view.Online, nil, []keeper.Running{row(7, nil), row(8, nil)}, view.Online, 7, "SetTimer listen_timeout"},
		{"reloaded, not launched yet", reload, view.Online, nil, []keeper.Running{row(7, nil)}, view.Online, 7, ""},
		{"reloaded, the old one has gone", reload, view.Online, nil, []keeper.Running{row(7, failed()), row(8, nil)}, view.Launching, 8, "SetTimer listen_timeout, StopTimer, KillTree, Record manual"},
		{"reloaded, the old one has gone, the heir is known", reload, view.Online, heir, []keeper.Running{row(7, failed()), row(8, nil)}, view.Launching, 8, "SetTimer listen_timeout, StopTimer, KillTree, Record manual"},
		{"reloaded, and the old one crashed before", reload, view.Online, nil, []keeper.Running{row(7, failed())}, view.WaitingRestart, 7, "StopTimer, KillTree, Record crash, SetTimer restart_delay"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := machineIn(test.saved)
			if test.change != nil {
				test.change(&m)
			}
			got, effects := resume(m, test.rows, test.wish)
			if got.State != test.want || got.Gen != test.gen || effectNames(effects) != test.effects {
				t.Errorf("got %s, generation %d, %q; want %s, %d, %q", got.State, got.Gen, effectNames(effects), test.want, test.gen, test.effects)
			}
			if test.wish.Stopped && (got.Again || got.Ended || got.Heir.Gen != 0) {
				t.Errorf("it will run again: %+v", got)
			}
			for _, e := range effects {
				if r, ok := e.(Record); ok && r.Reason == view.Crash && test.rows[len(test.rows)-1].Exit != nil && test.wish.Stopped && r.Exit.Gen == got.Gen {
					t.Errorf("what was stopped counts as crashed: %+v", r)
				}
			}
		})
	}
}
