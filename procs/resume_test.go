package procs

import (
	"encoding/json"
	"testing"
	"time"

	"devstack/procs/keeper"
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
		saved    State
		change   func(*Machine)
		rows     []keeper.Running
		want     State
		gen      int64
		unstable int
		effects  string
	}{
		{"still running", Online, nil, []keeper.Running{row(7, nil)}, Online, 7, 0, ""},
		{"still launching", Launching, nil, []keeper.Running{row(7, nil)}, Launching, 7, 0, "SetTimer listen_timeout"},
		{"a stop goes on", Stopping, nil, []keeper.Running{row(7, nil)}, Stopping, 7, 0, "Signal terminated, SetTimer kill_timeout"},
		{"a delay starts over", WaitingRestart, nil, nil, WaitingRestart, 7, 0, "SetTimer restart_delay"},
		{"stopped", Stopped, nil, nil, Stopped, 7, 0, ""},
		{
			"exited meanwhile", Online, nil,
			[]keeper.Running{row(7, failed())},
			WaitingRestart, 7, 1,
			"StopTimer, KillTree, Record crash, SetTimer restart_delay",
		},
		{"stopped meanwhile", Stopping, nil, []keeper.Running{row(7, failed())}, Stopped, 7, 0, "StopTimer, KillTree, Record manual"},
		{
			"exit already counted", WaitingRestart, func(m *Machine) { m.Unstable = 1 },
			[]keeper.Running{row(7, failed())},
			WaitingRestart, 7, 1, "SetTimer restart_delay",
		},
		{"launched but not saved", WaitingRestart, nil, []keeper.Running{row(8, nil)}, Launching, 8, 0, "SetTimer listen_timeout"},
		{
			"exit and next launch not saved", Online, nil,
			[]keeper.Running{row(7, failed()), row(8, nil)},
			Launching, 8, 1,
			"Record crash, SetTimer listen_timeout",
		},
		{
			"two exits not saved", Online, nil,
			[]keeper.Running{row(7, failed()), row(8, failed())},
			WaitingRestart, 8, 2,
			"Record crash, StopTimer, KillTree, Record crash, SetTimer restart_delay",
		},
		{"no trace of it", Online, nil, nil, WaitingRestart, 7, 1, "StopTimer, KillTree, Record crash, SetTimer restart_delay"},
		{"no trace of what was stopping", Stopping, nil, nil, Stopped, 7, 0, "StopTimer, KillTree, Record manual"},
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
			got, effects := saved.Resume(test.rows, Wish{})
			if got.State != test.want || got.Gen != test.gen || got.Unstable != test.unstable || effectNames(effects) != test.effects {
				t.Errorf("got %s, generation %d, unstable %d, %q; want %s, %d, %d, %q",
					got.State, got.Gen, got.Unstable, effectNames(effects), test.want, test.gen, test.unstable, test.effects)
			}
		})
	}
}
