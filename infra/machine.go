package infra

import (
	"slices"
	"time"

	"devstack/probe"
	"devstack/view"
)

// Phase is where a service is, in devstack's judgement.
type Phase string

// Every phase.
const (
	PhaseDown       Phase = "down"       // does not run, and nobody brings it back
	PhaseProbing    Phase = "probing"    // runs and has not answered yet; a one-shot is at work
	PhaseReady      Phase = "ready"      // has answered, or runs and cannot be asked
	PhaseRestarting Phase = "restarting" // has ended, and the engine restarts it
	PhaseRepairing  Phase = "repairing"  // has ended, and devstack brings it back
	PhaseCompleted  Phase = "completed"  // has ended with 0 by itself, as it was meant to
	PhaseFailed     Phase = "failed"     // has ended, and running it again would hide why
)

// Pauses between repairs, and how long a run must have lasted for its end to count as the first of a row.
const (
	firstRepair = 100 * time.Millisecond
	lastRepair  = 15 * time.Second
	stableAfter = 10 * time.Second
)

// shutdownTime is how long before it goes away an engine may have been stopping containers for its own shutdown.
const shutdownTime = 20 * time.Second

// absent is the State of what has no container.
const absent = "absent"

// Machine is where one service is: all that the policy knows. docs/service-states.md shows it, generated from Step.
type Machine struct {
	Phase   Phase
	Run     Run      // the present run of its container, or the last one; without Container: there is none
	State   string   // Docker's word for the container, or absent
	Over    bool     // Run has ended
	Signs   Signs    // what the engine has told about Run
	Leaving []string // containers that devstack ends: nothing follows from what the engine tells about them

	Wanted    bool      // it shall run
	Busy      bool      // a plan is about to start it: no repair meanwhile
	StoppedBy string    // view.ByDevstack, view.ByOther; empty: nobody has stopped it
	StoppedAt time.Time // when others did

	WasReady bool // it has been ready since its container was made, or since the one before that a repair has replaced
	Tries    int  // runs since the last Start that ended before it had been ready
	Fresh    bool // a plan has made the place of its data, and it has not been ready since
	HalfMade bool // a run on such data has ended: the next one may take them for whole

	Known    Answer     // of the earlier daemon's last run that was ready
	ReadyBy  probe.Kind // while it is ready: what that rests on
	Broken   bool       // it answers and refuses: waiting does not help
	Sick     bool       // it was ready, and the engine's own healthcheck fails
	Detail   string     // why it is in this phase, for people
	Failures int        // repairs and quick deaths in a row
	Restarts int        // by the engine and by repairs

	OneShot    bool   // others wait for its end
	Checked    bool   // it can be asked whether it is ready
	StopSignal string // of its container; empty: SIGTERM
	counted    int    // restarts of its container that the engine has counted and Restarts contains
}

// Answer is what is known of a run that is ready, for Resume by the next daemon. The zero Answer is none.
type Answer struct {
	Container string     `json:"container"`
	Started   time.Time  `json:"started_at"`
	By        probe.Kind `json:"ready_by"`
	Detail    string     `json:"detail"`
}

// of says whether it is the answer of a run.
func (a Answer) of(run Run) bool {
	return a.Container != "" && a.Container == run.Container && a.Started.Equal(run.Started)
}

// Signs tell whose doing the end of a run is.
type Signs struct {
	Decided bool // somebody has sent the stop signal, or stopped it
	Killed  bool // somebody has sent SIGKILL
	OOM     bool // it had more memory than it may have
}

// newMachine is a service that nothing is known of yet.
func newMachine() Machine { return Machine{Phase: PhaseDown, State: absent} }

// Ready says that what waits for it may go on.
func (m Machine) Ready() bool {
	return m.Phase == PhaseReady && !m.Sick || m.Phase == PhaseCompleted
}

// Health is the phase in Docker's words, as far as it has such.
func (m Machine) Health() view.Health {
	switch m.Phase {
	case PhaseProbing, PhaseRestarting:
		// What has ended before it was ready is named at its first end, while the engine goes on.
		if m.Broken || m.Tries > 0 && !m.WasReady {
			return view.HealthUnhealthy
		}
		return view.HealthStarting
	case PhaseReady:
		switch {
		case m.Sick:
			return view.HealthUnhealthy
		case m.Checked:
			return view.HealthHealthy
		}
		return view.HealthRunning
	case PhaseRepairing:
		return view.HealthStarting
	case PhaseCompleted:
		return view.HealthCompleted
	case PhaseFailed:
		return view.HealthUnhealthy
	}
	return view.HealthStopped
}

// Step is the whole policy: from where the service is and what just happened to where it is now and what to do about it. It
// is pure. An event that tells nothing new changes nothing.
func (m Machine) Step(ev Event) (Machine, []Effect) {
	if told, ok := ev.(interface{ told() Told }); ok && !m.concerns(told.told()) {
		return m, nil
	}
	switch ev := ev.(type) {
	case Start:
		return m.start(ev)
	case Stop:
		m.Wanted, m.Busy, m.StoppedBy = false, false, view.ByDevstack
		return m.leave(m.Run.Container).rest(PhaseDown, stoppedByUs)
	case Replace:
		m = m.leave(ev.Container)
		if ev.Container == m.Run.Container && !m.Over {
			return m.rest(PhaseDown, "about to be replaced")
		}
	case PlanEnded:
		busy := m.Busy
		if ev.Failed {
			m.Leaving = nil
		}
		if m.Busy = false; busy && m.Phase == PhaseRepairing {
			return m, []Effect{SetTimer{repairDelay(m.Failures)}}
		}
	case Resume:
		m.StoppedBy, m.Wanted, m.Busy, m.Known = ev.StoppedBy, ev.StoppedBy != view.ByDevstack, ev.Planned, ev.Answer
	case Elapsed:
		if m.Phase == PhaseRepairing && !m.Busy {
			return m, []Effect{BringBack{}}
		}
	case BroughtBack:
		return m.broughtBack(ev)
	case Seen:
		return m.seen(ev)
	case Absent:
		m.Signs = m.Signs.with(ev.Signs)
		return m.gone(ev.At)
	case Removed:
		return m.gone(ev.At)
	case EngineLost: // an engine on its own way down is not somebody who stops
		if m.StoppedBy == view.ByOther && ev.At.Sub(m.StoppedAt) < shutdownTime {
			m.StoppedBy, m.Signs.Decided = "", false
		}
	case Killed:
		m.Signs = m.Signs.with(signed(ev.Signal, m.StopSignal))
	case OutOfMemory:
		m.Signs.OOM = true
	case Died:
		return m.ended(ending{m.Run, ev.State, ev.Code, ev.OOM, ev.At, Signs{}, ev.Lines})
	case StopDone:
		if m.Signs.Decided = true; m.Over && m.StoppedBy == "" {
			return m.stoppedByOthers(ev.At)
		}
	case Answered, NotYet, Silent:
		return m.probed(ev)
	}
	return m, nil
}

// concerns says whether the engine tells something about the present run.
func (m Machine) concerns(t Told) bool {
	return t.Container == m.Run.Container && !t.At.Before(m.Run.Started) && !slices.Contains(m.Leaving, t.Container)
}

// leave notes that devstack ends a container.
func (m Machine) leave(container string) Machine {
	if container != "" && !slices.Contains(m.Leaving, container) {
		m.Leaving = append(slices.Clone(m.Leaving), container)
	}
	return m
}

// rest is a phase in which nothing is asked and nothing is about to happen.
func (m Machine) rest(phase Phase, detail string) (Machine, []Effect) {
	var effects []Effect
	switch m.Phase {
	case PhaseProbing, PhaseReady:
		effects = append(effects, StopProbe{})
	case PhaseRepairing:
		effects = append(effects, StopTimer{})
	}
	m.Phase, m.Detail, m.ReadyBy, m.Broken, m.Sick = phase, detail, "", false, false
	return m, effects
}

// start forgives what has failed before. What runs already is seen next, what a plan starts is seen then.
func (m Machine) start(ev Start) (Machine, []Effect) {
	m.Wanted, m.StoppedBy, m.Busy, m.Failures, m.Tries = true, "", ev.Planned, 0, 0
	if !ev.Planned {
		m.Leaving = nil
	}
	if ev.Renewed {
		m.WasReady = false
	}
	if ev.Fresh {
		m.Fresh, m.HalfMade = true, false
	}
	if ev.Planned && m.Phase != PhaseProbing && m.Phase != PhaseReady {
		return m.rest(PhaseDown, "about to be started")
	}
	return m, nil
}

// seen takes over the present state of the container.
func (m Machine) seen(ev Seen) (Machine, []Effect) {
	same := ev.Run == m.Run
	gone := m.Over || slices.Contains(m.Leaving, ev.Container) // it ends, or has ended, since this look began
	if same && gone && ev.State == "running" || ev.Container == m.Run.Container && ev.Started.Before(m.Run.Started) {
		return m, nil
	}
	if ev.Container != m.Run.Container {
		m.counted = 0
	}
	m.Restarts, m.counted = m.Restarts+max(0, ev.Restarts-m.counted), ev.Restarts
	m.StopSignal, m.Checked = ev.StopSignal, ev.Checked
	switch ev.State {
	case "running":
		m.State = ev.State
		if same && m.Phase != PhaseDown {
			return m.followEngine(ev.Sick), nil
		}
		m, effects := m.began(ev.Run, same)
		return m.followEngine(ev.Sick), effects
	case "exited", "dead", "restarting":
		return m.ended(ending{ev.Run, ev.State, ev.ExitCode, ev.OOM, ev.Finished, ev.Signs, ev.Lines})
	}
	m.Run, m.State = ev.Run, ev.State
	return m.rest(PhaseDown, ev.State)
}

// began is a run that was not known to run. Who has started it wants it to run.
func (m Machine) began(run Run, known bool) (Machine, []Effect) {
	if run.Container != m.Run.Container && m.Phase != PhaseRepairing {
		m.WasReady, m.Tries = false, 0
	}
	after := m.Detail
	m, effects := m.rest(PhaseProbing, "just started")
	if !known {
		m.Signs = Signs{}
	}
	m.Run, m.Over, m.Wanted, m.StoppedBy, m.Busy = run, false, true, "", false
	m.Leaving = slices.DeleteFunc(slices.Clone(m.Leaving), func(id string) bool { return id == run.Container })
	switch {
	case m.OneShot:
		m.Detail = "at work"
	case !m.Checked:
		m.Phase, m.WasReady, m.ReadyBy, m.Detail = PhaseReady, true, probe.Running, "runs, and cannot be asked whether it is ready"
	case m.Known.of(run): // what is known does not become unknown; who resumes has it asked
		m.Phase, m.WasReady, m.ReadyBy, m.Detail = PhaseReady, true, m.Known.By, m.Known.Detail
	default:
		if m.failing() {
			m.Detail = after // it goes on being the cause
		}
		effects = append(effects, Probe{Run: run})
	}
	return m, effects
}

// failing says that it has ended at least once, and never was ready.
func (m Machine) failing() bool { return m.Tries > 0 && !m.WasReady }

// followEngine applies the engine's own word to what was ready.
func (m Machine) followEngine(sick string) Machine {
	switch {
	case m.Phase != PhaseReady || m.Sick == (sick != ""):
	case m.Sick:
		m.Sick, m.Detail = false, "the engine's healthcheck passes"
	default:
		m.Sick, m.Detail = true, "the engine's healthcheck fails: "+sick
	}
	return m
}

func (m Machine) probed(ev Event) (Machine, []Effect) {
	switch ev := ev.(type) {
	case Answered:
		if m.Phase == PhaseProbing && ev.Run == m.Run {
			m.Phase, m.ReadyBy, m.Detail, m.Broken = PhaseReady, ev.By, ev.Detail, false
			m.WasReady, m.Tries, m.Fresh, m.HalfMade = true, 0, false, false
		}
	case NotYet:
		if m.Phase == PhaseProbing && ev.Run == m.Run && (ev.Broken || !m.failing()) {
			m.Broken, m.Detail = ev.Broken, ev.Detail
		}
	case Silent:
		if m.Phase == PhaseReady && ev.Run == m.Run {
			m.Phase, m.Detail, m.ReadyBy, m.Sick = PhaseProbing, ev.Detail, "", false
			return m, []Effect{Probe{Run: ev.Run, Again: true}}
		}
	}
	return m, nil
}

func (m Machine) broughtBack(ev BroughtBack) (Machine, []Effect) {
	m.Failures++
	if ev.Problem == "" {
		m.Restarts++
		return m, nil
	}
	if m.Phase != PhaseRepairing {
		return m, nil
	}
	m.Detail = "cannot be brought back: " + ev.Problem
	return m, []Effect{SetTimer{repairDelay(m.Failures)}}
}

// repairDelay is the pause before a repair after so many quick deaths and failed repairs in a row.
func repairDelay(failures int) time.Duration {
	delay := firstRepair
	for range failures {
		delay = min(2*delay, lastRepair)
	}
	return delay
}
