package procs

import "devstack/procs/keeper"

// Resume is the machine of a new daemon: the saved one, brought up to date with what the keeper knows about this
// instance (running, oldest first). Every exit that was not yet counted is counted once, a launch that was made but
// not saved is adopted, and what is under way (a stop, a delay) goes on from its beginning. The effects are to be
// performed before anything else. Launches without any trace have ended in an unknown way.
func (m Machine) Resume(running []keeper.Running) (Machine, []Effect) {
	var effects []Effect
	for i, row := range running {
		gen := row.Key.Generation
		if gen < m.Gen || gen == m.Gen && !m.live() {
			continue // counted before
		}
		if gen > m.Gen {
			m.Gen, m.State, m.Ready, m.Late, m.Again, m.Reason = gen, Launching, false, false, false, ""
			if m.Policy.OneShot {
				m.State = Online
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
	case Launching:
		return []Effect{SetTimer{Gen: m.Gen, Timer: ListenTimer, After: m.Policy.ListenTimeout}}
	case Stopping:
		_, effects := m.stop(m.Reason, m.Again)
		return effects
	case WaitingRestart:
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
