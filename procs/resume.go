package procs

import (
	"slices"

	"devstack/procs/keeper"
	"devstack/view"
)

// Resume is the machine of a new daemon: the saved one, brought up to date with what the keeper knows about this
// instance (running, oldest first). Every exit that was not yet counted is counted once, a launch that was made but
// not saved is adopted, and what is under way (a stop, a delay) goes on from its beginning. The effects are to be
// performed before anything else. Launches without any trace have ended in an unknown way.
func (m Machine) Resume(running []keeper.Running) (Machine, []Effect) {
	m.Newest = max(m.Newest, m.Gen, m.Heir.Gen, m.Retired.Gen)
	if n := len(running); n > 1 && m.State == view.Online && running[n-1].Key.Generation > m.Newest && alive(running, m.Gen) {
		m.Newest = running[n-1].Key.Generation // two live side by side only in a reload
		m.Heir = Heir{Gen: m.Newest}
	}
	heir, retired := m.Heir.Gen, m.Retired.Gen
	m, effects := m.resumeMain(slices.DeleteFunc(slices.Clone(running), func(r keeper.Running) bool {
		return r.Key.Generation == heir || r.Key.Generation == retired
	}))
	for _, gen := range []int64{heir, retired} {
		if gen == 0 {
			continue
		}
		var more []Effect
		m, more = m.resumeBeside(gen, running)
		effects = append(effects, more...)
	}
	return m, effects
}

func alive(running []keeper.Running, gen int64) bool {
	return slices.ContainsFunc(running, func(r keeper.Running) bool { return r.Key.Generation == gen && r.Exit == nil })
}

// resumeBeside goes on with an heir or a retired launch.
func (m Machine) resumeBeside(gen int64, running []keeper.Running) (Machine, []Effect) {
	i := slices.IndexFunc(running, func(r keeper.Running) bool { return r.Key.Generation == gen })
	switch {
	case i < 0:
		return m.Step(Exited{Gen: gen, Code: -1, Unknown: true})
	case running[i].Exit != nil:
		return m.Step(resumedExit(running[i]))
	case gen == m.Gen: // it has inherited
		return m, m.underWay()
	case gen == m.Heir.Gen && m.Heir.Ready:
		return m, []Effect{SetTimer{Gen: gen, Timer: SettleTimer, After: settleTime}}
	case gen == m.Heir.Gen:
		return m, []Effect{SetTimer{Gen: gen, Timer: ListenTimer, After: m.Policy.ListenTimeout}}
	case m.Retired.Signalled:
		return m.signalRetired()
	}
	return m, []Effect{Drain{gen}, SetTimer{Gen: gen, Timer: DrainTimer, After: m.Policy.KillTimeout}}
}

func (m Machine) resumeMain(running []keeper.Running) (Machine, []Effect) {
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
		if row.Exit == nil {
			return m, append(effects, m.underWay()...)
		}
		var after []Effect
		m, after = m.Step(resumedExit(row))
		if i+1 < len(running) { // what it led to has happened
			effects = append(effects, historyOnly(after)...)
			continue
		}
		return m, append(effects, after...)
	}
	if m.live() {
		next, after := m.Step(Exited{Gen: m.Gen, Code: -1, Unknown: true})
		return next, append(effects, after...)
	}
	return m, append(effects, m.underWay()...)
}

// underWay arms again what the earlier daemon had armed.
func (m Machine) underWay() []Effect {
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

func resumedExit(row keeper.Running) Exited {
	e := row.Exit
	return Exited{
		Gen: row.Key.Generation, Code: e.Code, Signal: e.Signal, Unknown: e.Unknown,
		Uptime: max(e.At.Sub(row.Launched.At), 0),
	}
}

func historyOnly(effects []Effect) []Effect {
	var kept []Effect
	for _, e := range effects {
		if _, ok := e.(Record); ok {
			kept = append(kept, e)
		}
	}
	return kept
}
