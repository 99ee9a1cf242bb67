package procs

import (
	"encoding/json"
	"testing"
	"time"

	"devstack/procs/keeper"
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
			got, effects := saved.Resume(test.rows)
			if got.State != test.want || got.Gen != test.gen || got.Unstable != test.unstable || effectNames(effects) != test.effects {
				t.Errorf("got %s, generation %d, unstable %d, %q; want %s, %d, %d, %q",
					got.State, got.Gen, got.Unstable, effectNames(effects), test.want, test.gen, test.unstable, test.effects)
			}
		})
	}
}
