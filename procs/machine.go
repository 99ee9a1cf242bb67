package procs

import (
	"slices"
	"syscall"
	"time"

	"devstack/probe"
	"devstack/view"
)

// Machine is where one instance is: all that Step knows, and all that a new daemon needs to go on.
// docs/states.md shows it as a diagram, generated from Step.
type Machine struct {
	State    view.Status   `json:"state"`
	Gen      int64         `json:"generation"` // of the launch that State is about; every launch has its own
	Newest   int64         `json:"newest"`     // the highest generation so far; above Gen after a reload that failed
	Listens  bool          `json:"listens"`    // the launch listens on a socket that outlives it
	Ready    bool          `json:"ready"`
	ReadyBy  probe.Kind    `json:"ready_by"` // while Ready: what that rests on
	Boot     time.Duration `json:"boot"`     // how long a launch took last to open a port, or lived before it died by itself
	Late     bool          `json:"late"`     // launching for longer than listen_timeout
	Closed   bool          `json:"closed"`   // the gate: a dependency is not as far as it must be
	Again    bool          `json:"again"`    // stopping: launch again afterwards
	Reason   view.Reason   `json:"reason"`   // stopping: why
	Draining bool          `json:"draining"` // stopping: not signalled yet
	Unstable int           `json:"unstable"` // unstable exits in a row
	Failed   int           `json:"failed"`   // launches in a row that could not even start
	Ended    bool          `json:"ended"`    // stopped: by itself, nobody has stopped it

	Restarts view.Restarts `json:"restarts_by_cause"`

	Heir     Heir      `json:"heir"`     // of a reload under way
	Retired  Retired   `json:"retired"`  // a launch on its way out beside the one that State is about
	Rejected Rejection `json:"rejected"` // why the last reload failed

	Policy Policy `json:"-"`
}

// Step decides what happens to the instance: from where it is and what has just happened to where it is now and what is to
// be done about it. It is pure. A state ignores every event that it has no case for. What happens to launches beside the one
// that serves is in handover.go.
func (m Machine) Step(ev Event) (Machine, []Effect) {
	switch g := ev.generation(); g {
	case 0, m.Gen:
		next, effects := m.stepMain(ev)
		return next.dismiss(ev, effects)
	case m.Heir.Gen:
		return m.stepHeir(ev)
	case m.Retired.Gen:
		var effects []Effect
		m.Retired, effects = m.Retired.step(ev, m.Policy)
		return m, effects
	}
	return m, nil // about a launch that is already over
}

// stepMain is Step for the launch that State is about: first what is the same in every state, then a function per state.
func (m Machine) stepMain(ev Event) (Machine, []Effect) {
	switch ev := ev.(type) {
	case Reset:
		m.Restarts, m.Unstable = view.Restarts{}, 0
		return m, nil
	case Gate:
		m.Closed = !ev.Open // what runs goes on running; it counts at the next launch
	}
	switch m.State {
	case view.Stopped, view.Errored, view.Completed:
		return m.stepResting(ev)
	case view.Waiting:
		return m.stepWaiting(ev)
	case view.Launching, view.Online:
		return m.stepRunning(ev)
	case view.Stopping:
		return m.stepStopping(ev)
	case view.WaitingRestart:
		return m.stepWaitingRestart(ev)
	}
	return m, nil
}

// stepResting is for stopped, errored and completed: nothing runs, and nothing will by itself.
func (m Machine) stepResting(ev Event) (Machine, []Effect) {
	switch ev.(type) {
	case Start, Restart, Reload:
		return m.forgiven().launch()
	case FileChanged:
		return m.revive(view.Watch)
	case CronDue:
		return m.revive(view.Cron)
	case Stop, Leave:
		if m.Ended = false; m.State == view.Errored { // what has done its work has done it
			m.State = view.Stopped
		}
	case Changed:
		m.Restarts, m.Ready = view.Restarts{}, false
		switch m.State {
		case view.Errored:
			return m.forgiven().launch()
		case view.Completed: // it was the work of another definition
			m.State = view.Stopped
		}
	}
	return m, nil
}

// stepWaiting is for waiting: the gate was closed when it was to launch.
func (m Machine) stepWaiting(ev Event) (Machine, []Effect) {
	switch ev.(type) {
	case Gate:
		return m.launch()
	case Stop, Leave:
		m.State = view.Stopped
	case Changed:
		m.Restarts = view.Restarts{}
		return m.forgiven(), nil
	}
	return m, nil
}

// stepRunning is for launching and online: a launch runs that is meant to run.
func (m Machine) stepRunning(ev Event) (Machine, []Effect) {
	switch ev := ev.(type) {
	case Ready:
		m.State, m.Ready, m.ReadyBy, m.Late = view.Online, true, ev.By, false
		if m.Policy.AnyPort && ev.By != probe.Unchecked {
			m.Boot = ev.After
		}
		return m, []Effect{StopTimer{m.Gen}}
	case Listening:
		m.Listens = true
	case Elapsed:
		m.Late = m.State == view.Launching && ev.Timer == ListenTimer
	case Exited:
		if m.Heir.Gen != 0 {
			return m.inherited(ev)
		}
		return m.exited(ev)
	case LaunchFailed:
		return m.launchFailed(ev)
	case Stop:
		return m.stop(view.Manual, false)
	case Leave:
		return m.leave()
	case Restart:
		return m.forgiven().counted(view.Manual).stop(view.Manual, true)
	case Reload:
		return m.reload()
	case Changed:
		m.Restarts = view.Restarts{}
		return m.forgiven().stop(view.Manual, true)
	case MemoryExceeded:
		return m.stop(view.Memory, true)
	case Unhealthy:
		return m.stop(view.Liveness, true)
	case FileChanged: // what failed in a row was another program
		return m.forgiven().counted(view.Watch).stop(view.Watch, true)
	case CronDue:
		return m.counted(view.Cron).stop(view.Cron, true)
	}
	return m, nil
}

// stepWaitingRestart is for waiting restart: the restart delay runs.
func (m Machine) stepWaitingRestart(ev Event) (Machine, []Effect) {
	switch ev := ev.(type) {
	case Elapsed:
		if ev.Timer == RestartTimer {
			return m.launch()
		}
	case Start, Restart, Reload, FileChanged: // wins over any delay
		return m.forgiven().launch()
	case Changed:
		m.Restarts = view.Restarts{}
		return m.forgiven().launch()
	case Stop, Leave:
		m.State = view.Stopped
		return m, []Effect{StopTimer{m.Gen}}
	}
	return m, nil
}

// stepStopping is for stopping: it is the stop ladder. For an instance that leaves, draining is its first rung.
func (m Machine) stepStopping(ev Event) (Machine, []Effect) {
	switch ev := ev.(type) {
	case Exited:
		return m.exited(ev)
	case Drained:
		if m.Draining {
			return m.stop(m.Reason, m.Again)
		}
	case Elapsed:
		switch {
		case ev.Timer == KillTimer && !m.Draining:
			return m, []Effect{Signal{Gen: m.Gen, Signal: syscall.SIGKILL}}
		case ev.Timer == DrainTimer && m.Draining:
			return m.stop(m.Reason, m.Again)
		}
	case Start, Restart, Reload:
		m.Again = true
		return m.forgiven(), nil
	case Leave:
		m.Again = false
	case Stop:
		m.Again = false
		if m.Draining {
			return m.stop(m.Reason, false)
		}
	case Changed:
		m.Restarts = view.Restarts{}
	}
	return m, nil
}

// launch runs the instance, or waits for its gate. A one_shot is online from the start: only its end can say more.
func (m Machine) launch() (Machine, []Effect) {
	m.Ready, m.Late, m.Again, m.Ended, m.Reason, m.Listens = false, false, false, false, "", false
	done := StopTimer{m.Gen}
	if m.Closed {
		m.State = view.Waiting
		return m, []Effect{done}
	}
	m.Newest = max(m.Newest, m.Gen) + 1
	m.Gen = m.Newest
	if m.Policy.OneShot {
		m.State = view.Online
		return m, []Effect{done, Launch{m.Gen}}
	}
	m.State = view.Launching
	return m, []Effect{SetTimer{Gen: m.Gen, Timer: ListenTimer, After: m.Policy.ListenTimeout}, Launch{m.Gen}}
}

// stop begins the stop ladder: kill_signal or message, SIGKILL after kill_timeout.
func (m Machine) stop(why view.Reason, again bool) (Machine, []Effect) {
	m.State, m.Reason, m.Again, m.Ready, m.Late, m.Draining = view.Stopping, why, again, false, false, false
	return m, []Effect{
		Signal{Gen: m.Gen, Signal: m.Policy.KillSignal, Shutdown: m.Policy.ShutdownWithMessage},
		SetTimer{Gen: m.Gen, Timer: KillTimer, After: m.Policy.KillTimeout},
	}
}

// exited decides what comes after a launch. Nothing that it left behind survives it.
func (m Machine) exited(ev Exited) (Machine, []Effect) {
	why := ev.reason()
	if m.State == view.Stopping {
		why = m.Reason
	}
	done := []Effect{StopTimer{m.Gen}, KillTree{m.Gen}, Record{Exit: ev, Reason: why, Ready: m.Ready, Closed: m.Closed && m.State != view.Stopping}}
	wasStopping := m.State == view.Stopping
	m.Ready, m.Late, m.Failed, m.State, m.Reason, m.Draining = false, false, 0, view.Stopped, "", false

	enforced := why == view.Memory || why == view.Liveness // a failure like a crash: it must not go on for ever, either
	switch p := m.Policy; {
	case wasStopping && !m.Again:
		return m, done
	case wasStopping && !enforced:
		next, effects := m.launch()
		return next, append(done, effects...)
	case wasStopping: // it is to run again, but for its limit of restarts
	case p.OneShot && ev.succeeded():
		m.State, m.Ready, m.ReadyBy, m.Unstable, m.Ended = view.Completed, true, probe.Completed, 0, true
		return m, done
	case p.OneShot && !p.Autorestart:
		m.State = view.Errored
		return m, done
	case !p.Autorestart, ev.Code >= 0 && slices.Contains(p.StopExitCodes, ev.Code):
		m.Ended = true
		return m, done
	}
	return m.retry(ev, why, done)
}

// retry is what comes after a launch that has failed: the next one, sooner or later, or the end of trying. A one_shot that fails
// has failed, however long that took.
func (m Machine) retry(ev Exited, why view.Reason, done []Effect) (Machine, []Effect) {
	p := m.Policy
	if why != view.Crash || !ev.killed() {
		m.Boot = max(m.Boot, ev.Uptime)
	}
	switch {
	case m.Closed: // it lost what it depends on: not its fault
		m.State = view.Waiting
		return m.counted(why), done
	case ev.Uptime >= p.MinUptime && !p.OneShot:
		m.Unstable = 0
	default:
		m.Unstable++
		if p.MaxRestarts >= 0 && m.Unstable > p.MaxRestarts {
			m.State = view.Errored
			return m, done
		}
	}
	m = m.counted(why)
	delay := m.Policy.restartDelay(m.Unstable)
	if delay == 0 {
		next, effects := m.launch()
		return next, append(done, effects...)
	}
	m.State = view.WaitingRestart
	return m, append(done, m.restartTimer(delay))
}

// launchFailed gives up when trying again cannot help. Else it waits, longer each time: the host is short of something,
// and that is not the program's fault.
func (m Machine) launchFailed(ev LaunchFailed) (Machine, []Effect) {
	m.Ready, m.Late = false, false
	if ev.Permanent {
		m.State = view.Errored
		return m, []Effect{StopTimer{m.Gen}}
	}
	m.Failed++
	m.State = view.WaitingRestart
	return m, []Effect{m.restartTimer(m.Policy.backoff(m.Failed))}
}

func (m Machine) restartTimer(after time.Duration) Effect {
	return SetTimer{Gen: m.Gen, Timer: RestartTimer, After: after, Jitter: m.Failed > 0 || m.Policy.RestartDelay == nil}
}

// settle is how long a launch must live that opens no port, to be called unchecked: a quarter longer than it took last.
func (m Machine) settle() time.Duration {
	return max(minSettle, min(m.Boot+m.Boot/4, m.Policy.ListenTimeout))
}

// forgiven counts failures in a row from zero again, because somebody has asked for the instance to run.
func (m Machine) forgiven() Machine {
	m.Unstable, m.Failed = 0, 0
	return m
}

// revive runs an instance that has given up or has ended by itself. An instance that somebody has stopped stays stopped.
func (m Machine) revive(why view.Reason) (Machine, []Effect) {
	if m.State != view.Errored && !m.Ended {
		return m, nil
	}
	return m.forgiven().counted(why).launch()
}

// counted is the machine with one restart more.
func (m Machine) counted(why view.Reason) Machine {
	m.Restarts = m.Restarts.Plus(why)
	return m
}

// live says whether the launch that State is about may exist. If it may, its exit is still to come.
func (m Machine) live() bool {
	return m.State == view.Launching || m.State == view.Online || m.State == view.Stopping
}

// empty says that no launch of the instance exists any more.
func (m Machine) empty() bool { return !m.live() && m.Heir.Gen == 0 && m.Retired.Gen == 0 }
