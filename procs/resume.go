package procs

import (
	"slices"

	"devstack/probe"
	keeper "devstack/procs/keeper/protocol"
	"devstack/view"
)

// Wish is what commands want of one instance. It wins over what was saved of it, which may be older.
type Wish struct {
	Stopped bool  // somebody has stopped it
	Least   int64 // the lowest generation by which it is to run: an older launch is to be replaced; 0: nobody has asked for one
	Beside  bool  // an older launch is to serve until the newer one can, as in a reload
}

// resume is the machine of a new daemon: the saved one, brought up to date with what the keeper knows about this
// instance (running, oldest first) and with what is wanted of it. It is pure. It counts every exit once that was not yet
// counted, adopts a launch that was made but not saved, and lets what is under way (a stop, a restart, a delay) go on from
// its beginning. The effects are to be performed before anything else. A launch without any trace has ended in an unknown way.
func resume(m Machine, running []keeper.Running, w Wish) (Machine, []Effect) {
	if m.State == view.Stopped && m.Ready { // as daemons before view.Completed said it
		m.State, m.ReadyBy = view.Completed, probe.Completed
	}
	m.Newest = max(m.Newest, m.Gen, m.Heir.Gen, m.Retired.Gen)
	if n := len(running); n > 1 && m.State == view.Online && running[n-1].Key.Generation > m.Newest && alive(running, m.Gen) {
		m.Newest = running[n-1].Key.Generation // two live side by side only in a reload
		m.Heir = Heir{Gen: m.Newest}
	}
	m = inherit(m, w, running)
	if w.Stopped || w.replaces(m) {
		m = alone(m)
	}
	heir, retired := m.Heir.Gen, m.Retired.Gen
	m, effects := resumeMain(m, w, slices.DeleteFunc(slices.Clone(running), func(r keeper.Running) bool {
		return r.Key.Generation == heir || r.Key.Generation == retired
	}))
	for _, gen := range []int64{heir, retired} {
		if gen == 0 {
			continue
		}
		var more []Effect
		m, more = resumeBeside(m, gen, running)
		effects = append(effects, more...)
	}
	return m, effects
}

// replaces says whether the wish is for a launch that is newer than those that there are.
func (w Wish) replaces(m Machine) bool { return !w.Beside && max(m.Gen, m.Heir.Gen) < w.Least }

// inherit ends a reload of which only the first half was saved, if the keeper knows that it has ended: the older launch is
// gone, and it has not crashed.
func inherit(m Machine, w Wish, running []keeper.Running) Machine {
	if n := len(running); n > 1 && w.Beside && m.Gen < w.Least && m.live() && !alive(running, m.Gen) {
		if newest := running[n-1]; newest.Exit == nil && newest.Key.Generation >= w.Least {
			m.Retired, m.Heir = Retired{Gen: m.Gen, Signalled: true}, Heir{}
			m.Gen, m.State, m.Ready, m.Late, m.Listens = newest.Key.Generation, view.Launching, false, false, false
			m = m.forgiven().counted(view.Manual)
		}
	}
	return m
}

// alone sends away every launch beside the one that serves, as a stop does.
func alone(m Machine) Machine {
	if m.Heir.Gen != 0 {
		m.Retired, m.Heir = Retired{Gen: m.Heir.Gen}, Heir{}
	}
	m.Retired.Signalled = m.Retired.Gen != 0
	return m
}

// apply gives the machine of a launch that may exist the commands that the wish is of.
func (w Wish) apply(m Machine) Machine {
	if !m.live() || !w.Stopped && !w.replaces(m) {
		return m
	}
	if m.State != view.Stopping {
		m.State, m.Reason, m.Ready, m.Late, m.Draining = view.Stopping, view.Manual, false, false, false
		if !w.Stopped {
			m = m.forgiven().counted(view.Manual)
		}
	}
	m.Again = !w.Stopped
	return m
}

// alive says whether the keeper knows that a launch runs.
func alive(running []keeper.Running, gen int64) bool {
	return slices.ContainsFunc(running, func(r keeper.Running) bool { return r.Key.Generation == gen && r.Exit == nil })
}

// resumeBeside goes on with an heir or a retired launch.
func resumeBeside(m Machine, gen int64, running []keeper.Running) (Machine, []Effect) {
	i := slices.IndexFunc(running, func(r keeper.Running) bool { return r.Key.Generation == gen })
	switch {
	case i < 0:
		return m.Step(Exited{Gen: gen, Code: -1, Unknown: true})
	case running[i].Exit != nil:
		return m.Step(resumedExit(running[i]))
	case gen == m.Gen: // it has inherited
		return m, underWay(m)
	case gen == m.Heir.Gen && m.Heir.Ready:
		return m, []Effect{SetTimer{Gen: gen, Timer: SettleTimer, After: settleTime}}
	case gen == m.Heir.Gen:
		return m, []Effect{SetTimer{Gen: gen, Timer: ListenTimer, After: m.Policy.ListenTimeout}}
	case m.Retired.Signalled:
		var effects []Effect
		m.Retired, effects = m.Retired.signal(m.Policy)
		return m, effects
	}
	return m, []Effect{Drain{gen}, SetTimer{Gen: gen, Timer: DrainTimer, After: m.Policy.KillTimeout}}
}

// resumeMain goes on with the launch that State is about; running are its and newer ones, oldest first.
func resumeMain(m Machine, w Wish, running []keeper.Running) (Machine, []Effect) {
	var effects []Effect
	for i, row := range running {
		gen := row.Key.Generation
		if gen < m.Gen || gen == m.Gen && !m.live() {
			continue // counted before
		}
		if gen > m.Gen {
			m.Gen, m.State, m.Ready, m.Late, m.Again, m.Reason, m.Listens = gen, view.Launching, false, false, false, "", false
			m.Newest = max(m.Newest, gen)
			if m.Policy.OneShot {
				m.State = view.Online
			}
		}
		last := i+1 == len(running)
		if last || !w.Stopped { // of several launches, only the newest one can have been running when it was stopped
			m = w.apply(m)
		}
		if row.Exit == nil {
			return m, append(effects, underWay(m)...)
		}
		var after []Effect
		m, after = m.Step(resumedExit(row))
		if !last { // what it led to has happened
			effects = append(effects, historyOnly(after)...)
			continue
		}
		return m, append(effects, after...)
	}
	var after []Effect
	switch {
	case m.live():
		m, after = w.apply(m).Step(Exited{Gen: m.Gen, Code: -1, Unknown: true})
	case w.Stopped:
		if m.Ended = false; m.State != view.Completed {
			m.State = view.Stopped
		}
	case w.replaces(m) && m.Newest < w.Least && m.State != view.Waiting:
		m, after = m.forgiven().launch()
	default:
		after = underWay(m)
	}
	return m, append(effects, after...)
}

// underWay arms again what the earlier daemon had armed.
func underWay(m Machine) []Effect {
	switch m.State {
	case view.Launching:
		return []Effect{SetTimer{Gen: m.Gen, Timer: ListenTimer, After: m.Policy.ListenTimeout}}
	case view.Stopping:
		if m.Draining {
			return []Effect{Drain{m.Gen}, SetTimer{Gen: m.Gen, Timer: DrainTimer, After: m.Policy.KillTimeout}}
		}
		_, effects := m.stop(m.Reason, m.Again)
		return effects
	case view.WaitingRestart:
		delay := m.Policy.restartDelay(m.Unstable)
		if m.Failed > 0 {
			delay = m.Policy.backoff(m.Failed)
		}
		return []Effect{m.restartTimer(delay)}
	}
	return nil
}

// resumedExit is an exit that happened while no daemon looked. Only the wall clock can measure its uptime.
func resumedExit(row keeper.Running) Exited {
	e := row.Exit
	return Exited{
		Gen: row.Key.Generation, Code: e.Code, Signal: e.Signal, Unknown: e.Unknown,
		Uptime: max(e.At.Sub(row.Launched.At), 0),
	}
}

// historyOnly are the effects that only write down what has happened.
func historyOnly(effects []Effect) []Effect {
	var kept []Effect
	for _, e := range effects {
		if _, ok := e.(Record); ok {
			kept = append(kept, e)
		}
	}
	return kept
}
