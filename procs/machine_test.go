package procs

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"devstack/view"
)

const testGen = 7

var allStates = []view.Status{view.Stopped, view.Waiting, view.Launching, view.Online, view.Stopping, view.WaitingRestart, view.Errored, view.Completed}

// testPolicy: three unstable exits are one too many; restarts after 4 s.
func testPolicy() Policy {
	delay := 4 * time.Second
	return Policy{
		Autorestart: true, MaxRestarts: 2, MinUptime: 10 * time.Second, RestartDelay: &delay,
		ListenTimeout: 30 * time.Second, KillSignal: syscall.SIGTERM, KillTimeout: 10 * time.Second,
		StopExitCodes: []int{143},
	}
}

func machineIn(s view.Status) Machine {
	m := Machine{State: s, Gen: testGen, Policy: testPolicy()}
	if s == view.Stopping {
		m.Reason = view.Manual
	}
	return m
}

// allEvents is every event in the form that concerns the newest launch.
func allEvents() []Event {
	return []Event{
		Start{},
		Stop{},
		Leave{},
		Restart{},
		Reload{},
		Changed{},
		FileChanged{},
		CronDue{},
		Gate{Open: true},
		Gate{Open: false},
		Exited{Gen: testGen, Code: 1, Uptime: time.Second},
		LaunchFailed{Gen: testGen},
		LaunchFailed{Gen: testGen, Permanent: true},
		Ready{Gen: testGen},
		Listening{testGen},
		Unhealthy{testGen},
		MemoryExceeded{testGen},
		Elapsed{testGen, ListenTimer},
		Elapsed{testGen, KillTimer},
		Elapsed{testGen, RestartTimer},
	}
}

func eventName(ev Event) string {
	name := strings.TrimPrefix(fmt.Sprintf("%T", ev), "procs.")
	switch ev := ev.(type) {
	case Gate:
		name = map[bool]string{true: "Gate opens", false: "Gate closes"}[ev.Open]
	case Elapsed:
		name = "Elapsed " + string(ev.Timer)
	case LaunchFailed:
		if ev.Permanent {
			name += " permanently"
		}
	}
	return name
}

func effectNames(effects []Effect) string {
	var names []string
	for _, e := range effects {
		name := strings.TrimPrefix(fmt.Sprintf("%T", e), "procs.")
		switch e := e.(type) {
		case Signal:
			name += " " + e.Signal.String()
		case SetTimer:
			name += " " + string(e.Timer)
		case Record:
			name += " " + string(e.Reason)
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// legalMoves is every move of an app with testPolicy whose gate is open. What is not here must do nothing.
var legalMoves = []struct {
	from    view.Status
	event   string
	to      view.Status
	effects string
}{
	{view.Stopped, "Start", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.Stopped, "Restart", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.Stopped, "Reload", view.Launching, "SetTimer listen_timeout, Launch"},

	{view.Errored, "Start", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.Errored, "Restart", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.Errored, "Reload", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.Errored, "Changed", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.Errored, "FileChanged", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.Errored, "CronDue", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.Errored, "Stop", view.Stopped, ""},
	{view.Errored, "Leave", view.Stopped, ""},

	{view.Completed, "Start", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.Completed, "Restart", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.Completed, "Reload", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.Completed, "Changed", view.Stopped, ""},

	{view.Waiting, "Gate opens", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.Waiting, "Gate closes", view.Waiting, "StopTimer"},
	{view.Waiting, "Stop", view.Stopped, ""},
	{view.Waiting, "Leave", view.Stopped, ""},

	{view.Launching, "Ready", view.Online, "StopTimer"},
	{view.Launching, "Elapsed listen_timeout", view.Launching, ""},
	{view.Launching, "Exited", view.WaitingRestart, "StopTimer, KillTree, Record crash, SetTimer restart_delay"},
	{view.Launching, "LaunchFailed", view.WaitingRestart, "SetTimer restart_delay"},
	{view.Launching, "LaunchFailed permanently", view.Errored, "StopTimer"},
	{view.Launching, "Stop", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Launching, "Leave", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Launching, "Restart", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Launching, "Reload", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Launching, "Listening", view.Launching, ""},
	{view.Launching, "Changed", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Launching, "MemoryExceeded", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Launching, "Unhealthy", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Launching, "FileChanged", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Launching, "CronDue", view.Stopping, "Signal terminated, SetTimer kill_timeout"},

	{view.Online, "Ready", view.Online, "StopTimer"},
	{view.Online, "Exited", view.WaitingRestart, "StopTimer, KillTree, Record crash, SetTimer restart_delay"},
	{view.Online, "LaunchFailed", view.WaitingRestart, "SetTimer restart_delay"},
	{view.Online, "LaunchFailed permanently", view.Errored, "StopTimer"},
	{view.Online, "Stop", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Online, "Leave", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Online, "Restart", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Online, "Reload", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Online, "Listening", view.Online, ""},
	{view.Online, "Changed", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Online, "MemoryExceeded", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Online, "Unhealthy", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Online, "FileChanged", view.Stopping, "Signal terminated, SetTimer kill_timeout"},
	{view.Online, "CronDue", view.Stopping, "Signal terminated, SetTimer kill_timeout"},

	{view.Stopping, "Exited", view.Stopped, "StopTimer, KillTree, Record manual"},
	{view.Stopping, "Elapsed kill_timeout", view.Stopping, "Signal killed"},
	{view.Stopping, "Start", view.Stopping, ""},
	{view.Stopping, "Restart", view.Stopping, ""},
	{view.Stopping, "Reload", view.Stopping, ""},

	{view.WaitingRestart, "Elapsed restart_delay", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.WaitingRestart, "Start", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.WaitingRestart, "Restart", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.WaitingRestart, "Reload", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.WaitingRestart, "Changed", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.WaitingRestart, "FileChanged", view.Launching, "SetTimer listen_timeout, Launch"},
	{view.WaitingRestart, "Stop", view.Stopped, "StopTimer"},
	{view.WaitingRestart, "Leave", view.Stopped, "StopTimer"},
}

func TestLegalMoves(t *testing.T) {
	legal := map[string]bool{}
	for _, move := range legalMoves {
		legal[string(move.from)+"/"+move.event] = true
		for _, ev := range allEvents() {
			if eventName(ev) != move.event {
				continue
			}
			next, effects := machineIn(move.from).Step(ev)
			if next.State != move.to || effectNames(effects) != move.effects {
				t.Errorf("%s, %s: got %s with %q, want %s with %q",
					move.from, move.event, next.State, effectNames(effects), move.to, move.effects)
			}
		}
	}
	for _, state := range allStates {
		for _, ev := range allEvents() {
			if legal[string(state)+"/"+eventName(ev)] {
				continue
			}
			before := machineIn(state)
			next, effects := before.Step(ev)
			if gate, ok := ev.(Gate); ok {
				before.Closed = !gate.Open
			}
			if !reflect.DeepEqual(before, next) || len(effects) > 0 {
				t.Errorf("%s, %s: got %s with %q, want nothing to happen", state, eventName(ev), next.State, effectNames(effects))
			}
		}
	}
}

func TestEventsOfAnotherLaunchAreDropped(t *testing.T) {
	for _, state := range allStates {
		for _, ev := range []Event{
			Exited{Gen: testGen - 1},
			LaunchFailed{Gen: testGen + 1},
			Ready{Gen: testGen - 1},
			Unhealthy{testGen - 1},
			MemoryExceeded{testGen - 1},
			Elapsed{testGen - 1, KillTimer},
			Elapsed{testGen - 1, RestartTimer},
		} {
			before := machineIn(state)
			next, effects := before.Step(ev)
			if !reflect.DeepEqual(before, next) || len(effects) > 0 {
				t.Errorf("%s, %#v: something happened", state, ev)
			}
		}
	}
}

// TestAfterAnExit covers what the definition makes of an exit.
func TestAfterAnExit(t *testing.T) {
	at := func(d time.Duration) *time.Duration { return &d }
	long, short := time.Hour, time.Millisecond
	tests := []struct {
		name     string
		change   func(*Machine)
		exit     Exited
		want     view.Status
		unstable int
		restarts int
	}{
		{"first unstable exit", nil, Exited{Code: 1, Uptime: short}, view.WaitingRestart, 1, 1},
		{"exit code 0 is restarted, too", nil, Exited{Code: 0, Uptime: short}, view.WaitingRestart, 1, 1},
		{"last allowed unstable exit", func(m *Machine) { m.Unstable = 1 }, Exited{Code: 1, Uptime: short}, view.WaitingRestart, 2, 1},
		{"one too many", func(m *Machine) { m.Unstable = 2 }, Exited{Code: 1, Uptime: short}, view.Errored, 3, 0},
		{"a stable exit ends the row", func(m *Machine) { m.Unstable = 2 }, Exited{Code: 1, Uptime: long}, view.WaitingRestart, 0, 1},
		{"exactly min_uptime is stable", func(m *Machine) { m.Unstable = 2 }, Exited{Uptime: 10 * time.Second}, view.WaitingRestart, 0, 1},
		{"max_restarts 0", func(m *Machine) { m.Policy.MaxRestarts = 0 }, Exited{Uptime: short}, view.Errored, 1, 0},
		{"max_restarts -1", func(m *Machine) { m.Policy.MaxRestarts, m.Unstable = -1, 99 }, Exited{Uptime: short}, view.WaitingRestart, 100, 1},
		{"no delay", func(m *Machine) { m.Policy.RestartDelay = at(0) }, Exited{Uptime: short}, view.Launching, 1, 1},
		{"growing: the first is at once", func(m *Machine) { m.Policy.RestartDelay = nil }, Exited{Uptime: short}, view.Launching, 1, 1},
		{"growing: the second waits", func(m *Machine) { m.Policy.RestartDelay, m.Unstable = nil, 1 }, Exited{Uptime: short}, view.WaitingRestart, 2, 1},
		{"no autorestart", func(m *Machine) { m.Policy.Autorestart = false }, Exited{Code: 1, Uptime: short}, view.Stopped, 0, 0},
		{"stop exit code", nil, Exited{Code: 143, Uptime: short}, view.Stopped, 0, 0},
		{"a signal is no exit code", nil, Exited{Code: -1, Signal: 15, Uptime: short}, view.WaitingRestart, 1, 1},
		{"an unknown exit is a failure", nil, Exited{Code: -1, Unknown: true, Uptime: short}, view.WaitingRestart, 1, 1},
		{"gate closed: not its fault", func(m *Machine) { m.Closed, m.Unstable = true, 2 }, Exited{Code: 1, Uptime: short}, view.Waiting, 2, 1},
		{"one_shot done", func(m *Machine) { m.Policy.OneShot = true }, Exited{Code: 0, Uptime: short}, view.Completed, 0, 0},
		{"one_shot done, gate closed", func(m *Machine) { m.Policy.OneShot, m.Closed = true, true }, Exited{Code: 0}, view.Completed, 0, 0},
		{"one_shot failed", func(m *Machine) { m.Policy.OneShot = true }, Exited{Code: 1, Uptime: short}, view.WaitingRestart, 1, 1},
		{"one_shot failed after long: it has failed all the same", func(m *Machine) { m.Policy.OneShot, m.Policy.MaxRestarts = true, 0 }, Exited{Code: 1, Uptime: long}, view.Errored, 1, 0},
		{"one_shot failed for good", func(m *Machine) { m.Policy.OneShot, m.Policy.Autorestart = true, false }, Exited{Code: 1}, view.Errored, 0, 0},
		{"one_shot unknown", func(m *Machine) { m.Policy.OneShot = true }, Exited{Code: -1, Unknown: true}, view.WaitingRestart, 1, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := machineIn(view.Online)
			if test.change != nil {
				test.change(&m)
			}
			test.exit.Gen = testGen
			got, effects := m.Step(test.exit)
			counts, why := view.Restarts{Crash: test.restarts}, "crash"
			if test.exit.Code == 0 { // nobody calls that a crash
				counts, why = view.Restarts{Exited: test.restarts}, "exited"
			}
			if got.State != test.want || got.Unstable != test.unstable || got.Restarts != counts {
				t.Errorf("got %s, unstable %d, restarts %d; want %s, %d, %d",
					got.State, got.Unstable, got.Restarts.Total(), test.want, test.unstable, test.restarts)
			}
			if want := test.want == view.Completed; got.Ready != want {
				t.Errorf("ready %v, want %v", got.Ready, want)
			}
			if !strings.HasPrefix(effectNames(effects), "StopTimer, KillTree, Record "+why) {
				t.Errorf("effects %q: the tree has to be ended before anything else happens", effectNames(effects))
			}
		})
	}
}

// A memory limit and a healthcheck end what goes wrong by itself: that is a failure like a crash, with the same delay and the
// same end.
func TestEnforcedRestartsEndLikeCrashes(t *testing.T) {
	for _, ev := range []Event{MemoryExceeded{testGen}, Unhealthy{testGen}} {
		m := machineIn(view.Online)
		m.Policy.RestartDelay, m.Policy.MaxRestarts = nil, 2
		var states []view.Status
		for range 3 {
			m.State = view.Online
			m, _ = m.Step(ev)
			m, _ = m.Step(Exited{Gen: m.Gen, Code: -1, Signal: 15, Uptime: time.Second})
			states = append(states, m.State)
			switch e := ev.(type) {
			case MemoryExceeded:
				e.Gen = m.Gen
				ev = e
			case Unhealthy:
				e.Gen = m.Gen
				ev = e
			}
		}
		if want := []view.Status{view.Launching, view.WaitingRestart, view.Errored}; !slices.Equal(states, want) || m.Restarts.Total() != 2 {
			t.Errorf("%T: %v, want %v; %+v", ev, states, want, m.Restarts)
		}
	}
	m, _ := machineIn(view.Online).Step(MemoryExceeded{testGen})
	if m, _ = m.Step(Exited{Gen: testGen, Uptime: time.Hour}); m.Unstable != 0 || m.State != view.WaitingRestart {
		t.Errorf("after an hour: %s, %d unstable", m.State, m.Unstable)
	}
	m, _ = machineIn(view.Online).Step(Unhealthy{testGen})
	m, _ = m.Step(Stop{})
	if m, _ = m.Step(Exited{Gen: testGen}); m.State != view.Stopped {
		t.Errorf("stopped meanwhile: %s", m.State)
	}
}

// What took long to boot once is given as long, and a quarter, before it is called unchecked.
func TestSettle(t *testing.T) {
	fresh := machineIn(view.Launching)
	fresh.Policy.AnyPort, fresh.Policy.ListenTimeout = true, 30*time.Second
	for name, test := range map[string]struct {
		ev   Event
		want time.Duration
	}{
		"nothing is known":      {Gate{Open: true}, time.Second},
		"it opened a port":      {Ready{Gen: testGen, By: "listens :3000", After: 4 * time.Second}, 5 * time.Second},
		"it is unchecked":       {Ready{Gen: testGen, By: "unchecked", After: 4 * time.Second}, time.Second},
		"it died":               {Exited{Gen: testGen, Code: 1, Uptime: 2 * time.Second}, 2500 * time.Millisecond},
		"it died at once":       {Exited{Gen: testGen, Code: 1, Uptime: 20 * time.Millisecond}, time.Second},
		"it died after hours":   {Exited{Gen: testGen, Code: 1, Uptime: time.Hour}, 30 * time.Second},
		"it was killed":         {Exited{Gen: testGen, Code: -1, Signal: 9, Uptime: 2 * time.Second}, time.Second},
		"it ended by its fault": {Exited{Gen: testGen, Code: -1, Signal: 11, Uptime: 2 * time.Second}, 2500 * time.Millisecond},
	} {
		if m, _ := fresh.Step(test.ev); m.settle() != test.want {
			t.Errorf("%s: %s, want %s", name, m.settle(), test.want)
		}
	}
	m, _ := fresh.Step(MemoryExceeded{testGen})
	if m, _ = m.Step(Exited{Gen: testGen, Code: -1, Signal: 15, Uptime: 2 * time.Second}); m.settle() != 2500*time.Millisecond {
		t.Errorf("it exceeded its memory limit: %s", m.settle())
	}
}

func TestRestartsAreCountedByCause(t *testing.T) {
	m := machineIn(view.Online)
	m.Unstable = 2
	for _, ev := range []Event{Restart{}, MemoryExceeded{}, Unhealthy{}, FileChanged{}, CronDue{}} {
		m.State = view.Online
		m, _ = m.Step(ev)
		if m.State != view.Stopping || !m.Again {
			t.Errorf("%T: %s, again %v", ev, m.State, m.Again)
		}
		m, _ = m.Step(Exited{Gen: m.Gen, Uptime: time.Hour})
	}
	if want := (view.Restarts{Manual: 1, Memory: 1, Liveness: 1, Watch: 1, Cron: 1}); m.Restarts != want || m.Restarts.Total() != 5 {
		t.Errorf("got %+v, want %+v", m.Restarts, want)
	}
	m.State, m.Unstable = view.Online, 2
	m.Policy.MaxRestarts = 10
	m, _ = m.Step(CronDue{})
	if m, _ = m.Step(Exited{Gen: testGen}); m.Unstable != 2 {
		t.Errorf("a stop for cron counts as %d unstable exits in a row", m.Unstable)
	}
}

// What somebody has stopped stays stopped, whatever the time is and whichever file changes.
func TestCronAndWatchLeaveWhatIsStopped(t *testing.T) {
	for _, ev := range []Event{CronDue{}, FileChanged{}} {
		m, _ := machineIn(view.Online).Step(Stop{})
		m, _ = m.Step(Exited{Gen: testGen})
		if m, effects := m.Step(ev); m.State != view.Stopped || len(effects) > 0 {
			t.Errorf("%T started what was stopped", ev)
		}
		m = machineIn(view.Online)
		m.Policy.Autorestart = false
		m, _ = m.Step(Exited{Gen: testGen})
		again, _ := m.Step(ev)
		if again.State != view.Launching || again.Restarts.Total() != 1 {
			t.Errorf("%T left what had ended by itself: %s, %+v", ev, again.State, again.Restarts)
		}
		m, _ = m.Step(Stop{})
		if m, _ = m.Step(ev); m.State != view.Stopped {
			t.Errorf("%T started what had ended and was stopped then", ev)
		}
	}
}

func TestStoppedWhileAboutToComeBack(t *testing.T) {
	m, _ := machineIn(view.Online).Step(Restart{})
	m, _ = m.Step(Stop{})
	m, _ = m.Step(Exited{Gen: testGen})
	if m.State != view.Stopped {
		t.Errorf("restart, stop, exit: %s", m.State)
	}
	m, _ = machineIn(view.Online).Step(Stop{})
	m, _ = m.Step(Start{})
	m, effects := m.Step(Exited{Gen: testGen})
	if m.State != view.Launching || m.Gen != testGen+1 {
		t.Errorf("stop, start, exit: %s, generation %d, %s", m.State, m.Gen, effectNames(effects))
	}
}

func TestClosedGateHoldsEveryLaunch(t *testing.T) {
	for _, state := range []view.Status{view.Stopped, view.Errored, view.WaitingRestart} {
		for _, ev := range []Event{Start{}, Restart{}} {
			m := machineIn(state)
			m.Closed = true
			m, effects := m.Step(ev)
			if m.State != view.Waiting || m.Gen != testGen || effectNames(effects) != "StopTimer" {
				t.Errorf("%s, %T: %s with %q", state, ev, m.State, effectNames(effects))
			}
		}
	}
	m := machineIn(view.WaitingRestart)
	m.Closed = true
	if m, _ = m.Step(Elapsed{testGen, RestartTimer}); m.State != view.Waiting {
		t.Errorf("delay over: %s", m.State)
	}
	m = machineIn(view.Stopping)
	m.Closed, m.Again = true, true
	if m, _ = m.Step(Exited{Gen: testGen}); m.State != view.Waiting {
		t.Errorf("restart while closed: %s", m.State)
	}
}

func TestBackoff(t *testing.T) {
	growing := Policy{BackoffBase: 100 * time.Millisecond}
	want := []string{"0s", "0s", "100ms", "150ms", "225ms", "337.5ms"}
	for unstable, w := range want {
		if got := growing.restartDelay(unstable).String(); got != w {
			t.Errorf("after %d unstable exits: %s, want %s", unstable, got, w)
		}
	}
	if got := growing.restartDelay(1000); got != 15*time.Second {
		t.Errorf("at most 15 s, got %s", got)
	}
	if got := (Policy{}).backoff(1); got != 100*time.Millisecond {
		t.Errorf("default base: %s", got)
	}
}
