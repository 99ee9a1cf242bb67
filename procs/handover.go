package procs

import (
	"syscall"
	"time"

	"devstack/probe"
	"devstack/view"
)

// settleTime is how long a successor must live after it got ready before the one that serves goes.
const settleTime = time.Second

// Heir is the successor in a reload. Until it takes over, the launch that serves goes on as if nothing happened.
type Heir struct {
	Gen     int64      `json:"generation"` // 0: none
	Ready   bool       `json:"ready"`      // and alive for less than settleTime since
	ReadyBy probe.Kind `json:"ready_by"`
	Listens bool       `json:"listens"`
}

// Retired is a launch that is on its way out while another one serves: replaced by its heir, or an heir that failed.
type Retired struct {
	Gen       int64 `json:"generation"` // 0: none
	Signalled bool  `json:"signalled"`  // else it drains: it accepts nothing and answers whom it has accepted
}

// Rejection is why a reload failed. The zero value: it did not.
type Rejection struct {
	Gen      int64 `json:"generation"` // of the heir
	Late     bool  `json:"late"`       // it was not ready in time
	WasReady bool  `json:"was_ready"`  // it died, or failed its healthcheck, within settleTime of being ready
}

// reload puts an heir beside the launch that serves. Where two cannot serve side by side, or this one does not serve
// yet, it is replaced as by a restart. A reload under way covers the next one.
func (m Machine) reload() (Machine, []Effect) {
	switch {
	case m.Heir.Gen != 0 || m.Retired.Gen != 0:
		return m, nil
	case !m.overlaps():
		return m.forgiven().counted(view.Manual).stop(view.Manual, true)
	}
	m.Newest = max(m.Newest, m.Gen) + 1
	m.Heir, m.Rejected = Heir{Gen: m.Newest}, Rejection{}
	return m, []Effect{SetTimer{Gen: m.Heir.Gen, Timer: ListenTimer, After: m.Policy.ListenTimeout}, Launch{m.Heir.Gen}}
}

// overlaps says whether a reload may run two launches side by side.
func (m Machine) overlaps() bool {
	return m.State == view.Online && m.Ready && m.Listens && m.Policy.Overlap
}

// stepHeir is what happens to a successor until it takes over or fails.
func (m Machine) stepHeir(ev Event) (Machine, []Effect) {
	switch ev := ev.(type) {
	case Listening:
		m.Heir.Listens = true
	case Ready:
		m.Heir.Ready, m.Heir.ReadyBy = true, ev.By
		return m, []Effect{SetTimer{Gen: m.Heir.Gen, Timer: SettleTimer, After: settleTime}}
	case Elapsed:
		switch {
		case ev.Timer == SettleTimer && m.Heir.Ready:
			return m.succeeded()
		case ev.Timer == ListenTimer && !m.Heir.Ready:
			m.Rejected = Rejection{Gen: m.Heir.Gen, Late: true}
			return m.dismissHeir()
		}
	case Unhealthy:
		m.Rejected = Rejection{Gen: m.Heir.Gen, WasReady: m.Heir.Ready}
		return m.dismissHeir()
	case LaunchFailed:
		m.Rejected = Rejection{Gen: m.Heir.Gen}
		m.Heir = Heir{}
		return m, []Effect{StopTimer{ev.Gen}}
	case Exited:
		m.Rejected = Rejection{Gen: m.Heir.Gen, WasReady: m.Heir.Ready}
		m.Heir = Heir{}
		return m, []Effect{StopTimer{ev.Gen}, KillTree{ev.Gen}, Record{Exit: ev, Reason: ev.reason(), Beside: true}}
	}
	return m, nil
}

// succeeded makes the heir the one that serves; the old one drains.
func (m Machine) succeeded() (Machine, []Effect) {
	old := m.Gen
	m.Gen, m.Listens, m.ReadyBy, m.Heir = m.Heir.Gen, m.Heir.Listens, m.Heir.ReadyBy, Heir{}
	m.Retired = Retired{Gen: old}
	return m.forgiven().counted(view.Manual), []Effect{Promote{m.Gen}, Drain{old}, SetTimer{Gen: old, Timer: DrainTimer, After: m.Policy.KillTimeout}}
}

// inherited is called when the launch that serves has died while it has an heir. The heir takes its place, and counts as
// crashed if it exits from now on.
func (m Machine) inherited(ev Exited) (Machine, []Effect) {
	done := []Effect{StopTimer{ev.Gen}, KillTree{ev.Gen}, Record{Exit: ev, Reason: ev.reason(), Ready: m.Ready}}
	m.Gen, m.Ready, m.ReadyBy, m.Listens, m.Late = m.Heir.Gen, m.Heir.Ready, m.Heir.ReadyBy, m.Heir.Listens, false
	m.State, m.Heir = view.Launching, Heir{}
	if m.Ready {
		m.State = view.Online
	}
	return m.counted(ev.reason()), append(done, Promote{m.Gen})
}

// leave is a stop that lets clients go first, while others serve on the same socket.
func (m Machine) leave() (Machine, []Effect) {
	drains := m.overlaps()
	m, effects := m.stop(view.Manual, false)
	if !drains {
		return m, effects
	}
	m.Draining = true
	return m, []Effect{Drain{m.Gen}, SetTimer{Gen: m.Gen, Timer: DrainTimer, After: m.Policy.KillTimeout}}
}

// dismiss ends the launches beside the one that serves if the event has ended, or will end, that one: nothing outlives a stop.
func (m Machine) dismiss(ev Event, effects []Effect) (Machine, []Effect) {
	if m.Heir.Gen != 0 && m.State == view.Stopping {
		next, more := m.dismissHeir()
		return next, append(effects, more...)
	}
	_, stop := ev.(Stop)
	_, leave := ev.(Leave)
	if (stop || leave) && m.Retired.Gen != 0 && !m.Retired.Signalled {
		var more []Effect
		m.Retired, more = m.Retired.signal(m.Policy)
		return m, append(effects, more...)
	}
	return m, effects
}

func (m Machine) dismissHeir() (Machine, []Effect) {
	var effects []Effect
	m.Retired, effects = Retired{Gen: m.Heir.Gen}.signal(m.Policy)
	m.Heir = Heir{}
	return m, effects
}

// signal begins the stop ladder.
func (r Retired) signal(p Policy) (Retired, []Effect) {
	r.Signalled = true
	return r, []Effect{
		Signal{Gen: r.Gen, Signal: p.KillSignal, Shutdown: p.ShutdownWithMessage},
		SetTimer{Gen: r.Gen, Timer: KillTimer, After: p.KillTimeout},
	}
}

// step is what happens to a launch on its way out. The zero Retired: it is gone.
func (r Retired) step(ev Event, p Policy) (Retired, []Effect) {
	switch ev := ev.(type) {
	case Drained:
		if !r.Signalled {
			return r.signal(p)
		}
	case Elapsed:
		switch {
		case ev.Timer == DrainTimer && !r.Signalled:
			return r.signal(p)
		case ev.Timer == KillTimer && r.Signalled:
			return r, []Effect{Signal{Gen: r.Gen, Signal: syscall.SIGKILL}}
		}
	case Exited:
		return Retired{}, []Effect{StopTimer{ev.Gen}, KillTree{ev.Gen}, Record{Exit: ev, Reason: view.Manual, Beside: true}}
	}
	return r, nil
}

// handover says in a word what a step has done to a launch beside the one that serves, and which launch that is. The word is
// empty if the step has done nothing to it.
func handover(before, now Machine) (step string, gen int64) {
	switch old := before.Heir; {
	case old.Gen == 0 && now.Heir.Gen != 0:
		return "launched", now.Heir.Gen
	case old.Gen != 0 && now.Gen == old.Gen:
		return "serves", now.Gen
	case now.Rejected != before.Rejected && now.Rejected.Gen != 0:
		return "failed", now.Rejected.Gen
	case !old.Ready && now.Heir.Ready:
		return "ready", now.Heir.Gen
	case before.Retired.Gen != 0 && now.Retired.Gen == 0:
		return "left", before.Retired.Gen
	}
	return "", 0
}
