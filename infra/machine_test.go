package infra

import (
	"slices"
	"testing"
	"time"

	"devstack/probe"
	"devstack/view"
)

var (
	began = time.Unix(1_700_000_000, 0)
	run1  = Run{"1", began}
)

// Words of the tests for events of the container of the run run1.
func told() Told                 { return Told{run1.Container, began.Add(time.Minute)} }
func kill(signal string) Event   { return Killed{told(), signal} }
func oom() Event                 { return OutOfMemory{told()} }
func stopDone() Event            { return StopDone{told()} }
func destroy() Event             { return Removed{told()} }
func seen(r Run, s string) Event { return Seen{Run: r, State: s, Checked: true} }
func die(code int, state string) Event {
	return Died{Told: told(), Code: code, State: state}
}

// steps applies events and returns where they lead to, with all effects.
func steps(m Machine, events ...Event) (Machine, []Effect) {
	var all []Effect
	for _, ev := range events {
		var effects []Effect
		m, effects = m.Step(ev)
		all = append(all, effects...)
	}
	return m, all
}

// wanted is a service that a plan is about to start for the first time.
func wanted() Machine {
	m, _ := steps(newMachine(), Start{Planned: true, Renewed: true, Fresh: true})
	return m
}

// probed is a service whose first run is asked; answering is one that has answered.
func probed() Machine { m, _ := steps(wanted(), seen(run1, "running"), PlanEnded{}); return m }

func answering() Machine { m, _ := steps(probed(), Answered{run1, "PONG", "PING -> PONG"}); return m }

// unchecked is a service that runs and cannot be asked; job is one whose end others wait for.
func unchecked() Machine {
	m, _ := steps(wanted(), Seen{Run: run1, State: "running"}, PlanEnded{})
	return m
}

func job() Machine {
	m := wanted()
	m.OneShot = true
	m, _ = steps(m, seen(run1, "running"), PlanEnded{})
	return m
}

func stoppedWith(m Machine, signal string) Machine { m.StopSignal = signal; return m }

// ends are what follows from the end of a run, by what the engine tells about it.
var ends = []struct {
	name   string
	from   func() Machine
	events []Event
	want   Phase
	by     string // who has stopped it
}{
	{"docker stop, compose down; before the stop is told", answering, []Event{kill("15"), die(0, "exited")}, PhaseDown, view.ByOther},
	{"docker stop that ran into its grace period", answering, []Event{kill("15"), kill("9"), die(137, "exited"), stopDone()}, PhaseDown, view.ByOther},
	{"docker compose down, with the container removed", answering, []Event{kill("15"), die(0, "exited"), stopDone(), destroy()}, PhaseDown, view.ByOther},
	{"docker kill -s TERM", answering, []Event{kill("15"), die(143, "exited")}, PhaseDown, view.ByOther},
	{"docker stop, with a stop signal of its own", func() Machine { return stoppedWith(answering(), "SIGINT") }, []Event{kill("2"), die(0, "exited")}, PhaseDown, view.ByOther},
	{"SIGTERM where the stop signal is another", func() Machine { return stoppedWith(answering(), "SIGINT") }, []Event{kill("15"), die(143, "exited")}, PhaseRepairing, ""},
	{"docker kill", answering, []Event{kill("9"), die(137, "exited")}, PhaseRepairing, ""},
	{"docker kill, where SIGKILL is the stop signal", func() Machine { return stoppedWith(answering(), "KILL") }, []Event{kill("9"), die(137, "exited")}, PhaseRepairing, ""},
	{"docker stop, where SIGKILL is the stop signal", func() Machine { return stoppedWith(answering(), "KILL") }, []Event{kill("9"), die(137, "exited"), stopDone()}, PhaseDown, view.ByOther},
	{"docker rm -f", answering, []Event{kill("9"), die(137, "removing"), destroy()}, PhaseRepairing, ""},
	{"docker restart", answering, []Event{kill("15"), die(0, "exited"), stopDone(), seen(Run{"1", began.Add(2 * time.Minute)}, "running")}, PhaseProbing, ""},
	{"a crash of what has answered", answering, []Event{die(1, "exited")}, PhaseRepairing, ""},
	{"an end with 0 of what has answered", answering, []Event{die(0, "exited")}, PhaseRepairing, ""},
	{"out of memory", answering, []Event{oom(), die(137, "exited")}, PhaseRepairing, ""},
	{"a crash that the engine restarts", answering, []Event{die(1, "restarting")}, PhaseRestarting, ""},
	{"a crash that the engine has restarted before it was looked at", answering, []Event{die(1, "running")}, PhaseRestarting, ""},
	{"a death that nobody has told", answering, []Event{EngineLost{began}, seen(run1, "exited")}, PhaseRepairing, ""},
	{"a removal that nobody has told", answering, []Event{EngineLost{began}, Absent{At: began}}, PhaseRepairing, ""},
	{"a crash before it was ever ready", probed, []Event{die(3, "exited")}, PhaseFailed, ""},
	{"docker kill before it was ever ready", probed, []Event{kill("9"), die(137, "exited")}, PhaseFailed, ""},
	{"an end with 0 before it was ever ready", probed, []Event{die(0, "exited")}, PhaseCompleted, ""},
	{"a crash before it was ever ready, which the engine restarts", probed, []Event{die(3, "restarting")}, PhaseRestarting, ""},
	{"an end with 0 of what cannot be asked", unchecked, []Event{die(0, "exited")}, PhaseCompleted, ""},
	{"a crash of what cannot be asked", unchecked, []Event{die(1, "exited")}, PhaseFailed, ""},
	{"docker kill of what cannot be asked", unchecked, []Event{kill("9"), die(137, "exited")}, PhaseRepairing, ""},
	{"docker stop of what cannot be asked", unchecked, []Event{kill("15"), die(0, "exited")}, PhaseDown, view.ByOther},
	{"a one-shot ends with 0", job, []Event{die(0, "exited")}, PhaseCompleted, ""},
	{"a one-shot fails", job, []Event{die(3, "exited")}, PhaseFailed, ""},
	{"a one-shot runs out of memory and says 0", job, []Event{oom(), die(0, "exited")}, PhaseFailed, ""},
	{"docker stop of a one-shot", job, []Event{kill("15"), die(143, "exited")}, PhaseDown, view.ByOther},
	{"a one-shot that is done is removed", job, []Event{die(0, "exited"), destroy()}, PhaseCompleted, ""},
	{"devstack stop", answering, []Event{Stop{}, kill("15"), die(0, "exited"), stopDone()}, PhaseDown, view.ByDevstack},
	{"devstack stop, then a look", answering, []Event{Stop{}, seen(run1, "exited")}, PhaseDown, view.ByDevstack},
	{"a late look at what devstack stops", answering, []Event{Stop{}, seen(run1, "running")}, PhaseDown, view.ByDevstack},
	{"a plan replaces it", answering, []Event{Replace{"1"}, kill("15"), die(0, "exited"), destroy()}, PhaseDown, ""},
	{"a plan that failed before it could replace it", answering, []Event{Replace{"1"}, PlanEnded{Failed: true}, seen(run1, "running")}, PhaseProbing, ""},
	{"news of an earlier run", answering, []Event{Died{Told: Told{"1", began.Add(-1)}, State: "running"}}, PhaseReady, ""},
	{"news of another container", answering, []Event{Died{Told: Told{"2", began.Add(time.Minute)}, State: "exited"}}, PhaseReady, ""},
	{"docker pause", answering, []Event{seen(run1, "paused")}, PhaseDown, ""},
	{"docker unpause", answering, []Event{seen(run1, "paused"), seen(run1, "running")}, PhaseProbing, ""},
}

func TestWhatFollowsFromTheEndOfARun(t *testing.T) {
	for _, test := range ends {
		m, _ := steps(test.from(), test.events...)
		if m.Phase != test.want || m.StoppedBy != test.by {
			t.Errorf("%s: %s, stopped by %q, want %s, %q", test.name, m.Phase, m.StoppedBy, test.want, test.by)
		}
		if m.Ready() != (m.Phase == PhaseReady || m.Phase == PhaseCompleted) {
			t.Errorf("%s: ready while %s: %t", test.name, m.Phase, m.Ready())
		}
	}
}

func TestHealth(t *testing.T) {
	for _, test := range []struct {
		name   string
		from   func() Machine
		events []Event
		want   view.Health
		by     string
	}{
		{"nothing is known", newMachine, nil, view.HealthStopped, ""},
		{"it has answered", answering, nil, view.HealthHealthy, "PONG"},
		{"it cannot be asked", unchecked, nil, view.HealthRunning, "running"},
		{"it has not answered yet", probed, []Event{NotYet{run1, "loading", false}}, view.HealthStarting, ""},
		{"it refuses", probed, []Event{NotYet{run1, "no such database", true}}, view.HealthUnhealthy, ""},
		{"it refuses, and then does not", probed, []Event{NotYet{run1, "no such database", true}, Answered{run1, "SELECT 1", ""}}, view.HealthHealthy, "SELECT 1"},
		{"it does not answer any more", answering, []Event{Silent{run1, "no answer"}}, view.HealthStarting, ""},
		{"the engine finds it unhealthy", answering, []Event{Seen{Run: run1, State: "running", Checked: true, Sick: "no"}}, view.HealthUnhealthy, "PONG"},
		{"and healthy again", answering, []Event{Seen{Run: run1, State: "running", Checked: true, Sick: "no"}, seen(run1, "running")}, view.HealthHealthy, "PONG"},
		{"it crashes for the first time, and the engine goes on", probed, []Event{die(1, "restarting")}, view.HealthUnhealthy, ""},
		{"it runs after such a crash", probed, []Event{die(1, "restarting"), seen(Run{"1", began.Add(time.Hour)}, "running")}, view.HealthUnhealthy, ""},
		{"it was ready, and the engine restarts it", answering, []Event{die(1, "restarting")}, view.HealthStarting, ""},
		{"it is brought back", answering, []Event{die(1, "exited")}, view.HealthStarting, ""},
		{"it has failed", probed, []Event{die(1, "exited")}, view.HealthUnhealthy, ""},
		{"it is completed", unchecked, []Event{die(0, "exited")}, view.HealthCompleted, "completed"},
		{"a probe of an earlier run answers", probed, []Event{Answered{Run{"1", began.Add(-1)}, "PONG", ""}}, view.HealthStarting, ""},
	} {
		m, _ := steps(test.from(), test.events...)
		if m.Health() != test.want || string(m.ReadyBy) != test.by {
			t.Errorf("%s: %s by %q (%s), want %s by %q", test.name, m.Health(), m.ReadyBy, m.Phase, test.want, test.by)
		}
	}
}

// What a run before it was ready leaves behind must not be taken for whole, and advice about data is only about what this
// very start made.
func TestHalfMadeData(t *testing.T) {
	m, _ := steps(probed(), die(3, "exited"))
	if !m.HalfMade || m.Detail != "ended with exit code 3 before it was ready; its data, made by this very start, may be half made: devstack down -v starts over" {
		t.Errorf("the first run on fresh data: %t, %s", m.HalfMade, m.Detail)
	}
	old, _ := steps(newMachine(), Start{Planned: true, Renewed: true}, seen(run1, "running"), die(3, "exited"))
	if old.HalfMade || old.Detail != "ended with exit code 3 before it was ready" {
		t.Errorf("data that were there before: %t, %s", old.HalfMade, old.Detail)
	}
	grown, _ := steps(answering(), Start{Planned: true}, seen(Run{"1", began.Add(time.Minute)}, "running"), Died{Told: Told{"1", began.Add(time.Hour)}, Code: 1, State: "exited"})
	if grown.HalfMade {
		t.Error("data that it was ready with are half made")
	}
}

func TestRepairs(t *testing.T) {
	m, effects := steps(answering(), die(1, "exited"))
	if !slices.Contains(effects, Effect(SetTimer{100 * time.Millisecond})) || m.Failures != 0 {
		t.Errorf("the first repair: %v", effects)
	}
	if m, effects = steps(m, Elapsed{}); !slices.Equal(effects, []Effect{BringBack{}}) {
		t.Errorf("after the pause: %v", effects)
	}
	if m, effects = steps(m, BroughtBack{Problem: "no space"}); !slices.Equal(effects, []Effect{SetTimer{200 * time.Millisecond}}) || m.Detail != "cannot be brought back: no space" {
		t.Errorf("a failed repair: %v, %s", effects, m.Detail)
	}
	second := Run{"2", began.Add(time.Hour)} // it had been removed
	m, effects = steps(m, Elapsed{}, seen(second, "running"), BroughtBack{})
	if m.Phase != PhaseProbing || m.Restarts != 1 || m.Failures != 2 || !m.WasReady || !slices.Contains(effects, Effect(Probe{Run: second})) {
		t.Errorf("a repair: %+v, %v", m, effects)
	}
	m, effects = steps(m, Died{Told: Told{"2", second.Started.Add(time.Second)}, State: "exited", Code: 1})
	if !slices.Contains(effects, Effect(SetTimer{400 * time.Millisecond})) {
		t.Errorf("a quick death after a repair: %v", effects)
	}
	m, effects = steps(m, Elapsed{}, seen(Run{"2", second.Started.Add(time.Minute)}, "running"), BroughtBack{},
		Died{Told: Told{"2", second.Started.Add(time.Hour)}, State: "exited", Code: 1})
	if !slices.Contains(effects, Effect(SetTimer{100 * time.Millisecond})) || m.Failures != 0 {
		t.Errorf("a death after a long life: %v", effects)
	}
	if _, effects = steps(m, Stop{}, Elapsed{}); !slices.Equal(effects, []Effect{StopTimer{}}) {
		t.Errorf("it is stopped during the pause: %v", effects)
	}
}

// While a plan is about to start a service, only the plan does.
func TestNoRepairBesideAPlan(t *testing.T) {
	m, effects := steps(answering(), Start{Planned: true}, die(1, "exited"), Elapsed{})
	if m.Phase != PhaseRepairing || slices.ContainsFunc(effects, func(e Effect) bool { return e == BringBack{} || e == SetTimer{firstRepair} }) {
		t.Errorf("beside the plan: %s, %v", m.Phase, effects)
	}
	if _, effects = steps(m, PlanEnded{}); !slices.Equal(effects, []Effect{SetTimer{firstRepair}}) {
		t.Errorf("after the plan: %v", effects)
	}
}

func TestAnEngineThatShutsDownIsNotSomebodyWhoStopped(t *testing.T) {
	m, _ := steps(answering(), kill("15"), die(0, "exited"), stopDone())
	at := m.StoppedAt
	justNow, _ := steps(m, EngineLost{at.Add(2 * time.Second)})
	longAgo, _ := steps(m, EngineLost{at.Add(time.Minute)})
	ours, _ := steps(m, Stop{}, EngineLost{at})
	if justNow.StoppedBy != "" || longAgo.StoppedBy != view.ByOther || ours.StoppedBy != view.ByDevstack {
		t.Errorf("stopped by %q, %q and %q", justNow.StoppedBy, longAgo.StoppedBy, ours.StoppedBy)
	}
	if back, _ := steps(justNow, seen(run1, "exited")); back.Phase != PhaseRepairing {
		t.Errorf("after the engine's return it is %s", back.Phase)
	}
	if back, _ := steps(longAgo, seen(run1, "exited")); back.Phase != PhaseDown {
		t.Errorf("what somebody has stopped is %s", back.Phase)
	}
}

// A daemon that begins anew knows who had stopped what, and not what was ready.
func TestResume(t *testing.T) {
	for _, test := range []struct {
		name   string
		by     string
		events []Event
		want   Phase
	}{
		{"it runs", "", []Event{seen(run1, "running")}, PhaseProbing},
		{"it died unwatched", "", []Event{seen(run1, "exited")}, PhaseRepairing},
		{"it ended unwatched, and could not be asked", "", []Event{Seen{Run: run1, State: "exited"}}, PhaseCompleted},
		{"it was stopped unwatched", "", []Event{Seen{Run: run1, State: "exited", Checked: true, Signs: Signs{Decided: true}}}, PhaseDown},
		{"others had stopped it", view.ByOther, []Event{seen(run1, "exited")}, PhaseDown},
		{"devstack had stopped it", view.ByDevstack, []Event{seen(run1, "exited")}, PhaseDown},
		{"it was stopped, and somebody has started it", view.ByDevstack, []Event{seen(run1, "running")}, PhaseProbing},
		{"it was starting, and then failed", "", []Event{seen(run1, "running"), die(3, "exited")}, PhaseFailed},
	} {
		if m, _ := steps(newMachine(), append([]Event{Resume{StoppedBy: test.by}}, test.events...)...); m.Phase != test.want {
			t.Errorf("%s: %s, want %s", test.name, m.Phase, test.want)
		}
	}
}

// What an earlier daemon knew to be ready is so while the same run goes on.
func TestWhatIsKnownDoesNotBecomeUnknown(t *testing.T) {
	answer := Answer{run1.Container, run1.Started.In(time.FixedZone("", 3600)), probe.Pong, "PONG"} // as JSON gives it back
	m, effects := steps(newMachine(), Resume{Answer: answer}, seen(run1, "running"))
	if !m.Ready() || m.ReadyBy != probe.Pong || m.Detail != "PONG" || !m.WasReady {
		t.Errorf("the same run: %+v, %v", m, effects)
	}
	if m, _ = steps(m, Silent{run1, "no answer"}); m.Phase != PhaseProbing {
		t.Errorf("asked, and silent: %s", m.Phase)
	}
	if m, _ := steps(newMachine(), Resume{Answer: answer}, Seen{Run: run1, State: "running", Checked: true, Sick: "exit 1"}); m.Ready() {
		t.Error("ready, though the engine says that it is not")
	}
	if m, _ := steps(newMachine(), Resume{Answer: answer}, seen(Run{run1.Container, run1.Started.Add(time.Second)}, "running")); m.Phase != PhaseProbing {
		t.Errorf("another run: %s", m.Phase)
	}
}

func TestRestartsByTheEngineAreCountedOnce(t *testing.T) {
	run := func(n int) Seen {
		return Seen{Run: Run{"1", began.Add(time.Duration(n) * time.Minute)}, State: "running", Checked: true, Restarts: n}
	}
	m, _ := steps(newMachine(), Start{}, run(0), run(1), run(1), run(3))
	if m.Restarts != 3 {
		t.Errorf("%d restarts, want 3", m.Restarts)
	}
	if m, _ = steps(m, Seen{Run: Run{"2", began.Add(time.Hour)}, State: "running", Restarts: 1}); m.Restarts != 4 {
		t.Errorf("%d restarts with another container, want 4", m.Restarts)
	}
}

func TestSignalNumber(t *testing.T) {
	for text, want := range map[string]int{"": 15, "15": 15, "TERM": 15, "SIGTERM": 15, "sigint": 2, "SIGKILL": 9, "SIGNOTHING": 0} {
		if got := signalNumber(text); got != want {
			t.Errorf("signalNumber(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestRepairDelay(t *testing.T) {
	for failures, want := range []string{"100ms", "200ms", "400ms", "800ms", "1.6s", "3.2s", "6.4s", "12.8s", "15s", "15s"} {
		if got := repairDelay(failures).String(); got != want {
			t.Errorf("after %d failures: %s, want %s", failures, got, want)
		}
	}
}

// What the history of a service says of an end: by whose doing it was, and nothing about a status that nobody knows.
func TestTheHistorySaysWhyARunHasEnded(t *testing.T) {
	for name, tc := range map[string]struct {
		machine Machine
		end     ending
		reason  view.Reason
		coded   bool
	}{
		"a crash":             {end: ending{Code: 3}, reason: view.Crash, coded: true},
		"its work is done":    {end: ending{Code: 0}, reason: view.Exited, coded: true},
		"out of memory":       {end: ending{Code: 137, OOM: true}, reason: view.Memory, coded: true},
		"stopped by somebody": {machine: Machine{StoppedBy: view.ByOther}, end: ending{Code: 0}, reason: view.Manual, coded: true},
		"nobody knows":        {end: ending{Code: -1}, reason: view.Crash},
	} {
		record, _ := tc.machine.record(tc.end).(Record)
		if record.Exit.Reason != tc.reason || (record.Exit.Code != nil) != tc.coded {
			t.Errorf("%s: %+v", name, record.Exit)
		}
	}
}
