package infra

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"devstack/probe"
	"devstack/view"
)

// The engine tells about the end of a run in these sequences. A kill with the stop signal, or a stop, is somebody's decision;
// all else is nobody's.
//
//	docker stop, compose stop, compose down   kill SIGTERM (or stop_signal), [kill 9 after the grace period], die, stop, [destroy]
//	docker restart                            kill SIGTERM, [kill 9], die, stop, start, restart
//	docker kill -s TERM                       kill SIGTERM, die
//	docker kill                               kill 9, die                 the engine's restart policy does not act on it
//	docker rm -f                              kill 9, die, destroy        and no stop
//	docker rm of a stopped one                destroy
//	kill -9 of its process, a crash           die                         then the engine's restart policy, if there is one
//	out of memory                             oom, die                    likewise
//	a death while the engine itself was down  nothing

const (
	stoppedByUs      = "stopped by devstack"
	stoppedBySomeone = "stopped by another command than devstack's"
)

// ending is how a run has ended.
type ending struct {
	Run
	State string // the container's afterwards
	Code  int
	OOM   bool
	At    time.Time // before Started where the engine had not yet noted that it began
	Signs Signs     // beside those that were told while it ran
	Lines []string
}

func (e ending) uptime() time.Duration { return max(0, e.At.Sub(e.Started)) }

// words say how it ended.
func (e ending) words() string {
	if e.OOM {
		return fmt.Sprintf("ran out of memory (exit code %d)", e.Code)
	}
	return fmt.Sprintf("ended with exit code %d", e.Code)
}

// ended notes the end of a run, which may be told more than once, and decides what follows.
func (m Machine) ended(e ending) (Machine, []Effect) {
	told := m.Over && e.Run == m.Run
	if first := m.Run.Container == ""; first && m.Checked && !m.OneShot {
		m.WasReady = true // an earlier daemon has kept it: what that knew is gone, and most of what dies has been ready
	} else if !first && e.Container != m.Run.Container {
		m.WasReady, m.Tries, m.Signs = false, 0, Signs{}
	} else if !told && e.Run != m.Run {
		m.Signs = Signs{}
	}
	m.Signs = m.Signs.with(e.Signs)
	e.OOM = e.OOM || m.Signs.OOM
	m.Run, m.State, m.Over = e.Run, e.State, true
	if !told {
		if e.uptime() >= stableAfter {
			m.Failures = 0
		}
		if !m.WasReady {
			m.Tries++
			m.HalfMade = m.HalfMade || m.Fresh && !m.OneShot
		}
	}
	settled := m.Phase == PhaseRepairing || m.Phase == PhaseCompleted || m.Phase == PhaseFailed || m.StoppedBy != "" && m.Phase == PhaseDown
	var effects []Effect
	if !told || !settled {
		m, effects = m.judge(e)
	}
	return m, append([]Effect{m.record(e)}, effects...)
}

// judge decides what follows from the end of a run.
func (m Machine) judge(e ending) (Machine, []Effect) {
	succeeded, served := e.Code == 0 && !e.OOM, m.Checked && m.WasReady
	switch {
	case !m.Wanted:
		return m.rest(PhaseDown, stoppedByUs)
	case m.Signs.Decided || m.StoppedBy == view.ByOther:
		return m.stoppedByOthers(e.At)
	case e.State == "running" || e.State == "restarting": // the engine's restart policy has its turn
		if m.failing() {
			return m.rest(PhaseRestarting, e.words()+" before it was ready, and goes on being restarted"+m.startOver())
		}
		return m.rest(PhaseRestarting, e.words()+", the engine restarts it")
	case slices.Contains(m.Leaving, e.Container): // a plan has ended it, and got no further
		return m.rest(PhaseDown, e.words())
	case succeeded && (m.OneShot || !m.Signs.Killed && !served):
		m, effects := m.rest(PhaseCompleted, "completed")
		m.ReadyBy = probe.Completed
		return m, effects
	case m.OneShot:
		return m.rest(PhaseFailed, e.words())
	case served || m.WasReady && m.Signs.Killed:
		return m.repair(e.words())
	case m.WasReady:
		return m.rest(PhaseFailed, e.words()+"; without a restart policy, and without anything that says whether it is ready, it is not run again")
	}
	return m.rest(PhaseFailed, e.words()+" before it was ready"+m.startOver())
}

// startOver is the advice about data that a run may have left half made. Data that were there before are nobody's to delete.
func (m Machine) startOver() string {
	if !m.HalfMade {
		return ""
	}
	return "; its data, made by this very start, may be half made: devstack down -v starts over"
}

// repair brings back what nobody wanted to end, after a pause, and not while a plan is about to start it.
func (m Machine) repair(detail string) (Machine, []Effect) {
	m, effects := m.rest(PhaseRepairing, detail)
	if !m.Busy {
		effects = append(effects, SetTimer{repairDelay(m.Failures)})
	}
	return m, effects
}

// stoppedByOthers respects somebody's decision, which may become known after the end that it led to.
func (m Machine) stoppedByOthers(at time.Time) (Machine, []Effect) {
	if m.StoppedBy != view.ByOther {
		m.StoppedBy, m.StoppedAt = view.ByOther, at
	}
	m, effects := m.rest(PhaseDown, stoppedBySomeone)
	return m, append(effects, Excuse{m.Run})
}

// gone is that there is no container any more.
func (m Machine) gone(at time.Time) (Machine, []Effect) {
	const removed = "the container was removed"
	if m.Run.Container == "" && m.Checked && !m.OneShot {
		m.WasReady = true // as in ended
	}
	m.Run, m.State, m.counted, m.Over, m.Leaving = Run{}, absent, 0, true, nil
	switch {
	case m.Phase == PhaseCompleted || m.Phase == PhaseFailed:
		return m, nil // that it is removed changes nothing about it
	case m.Phase == PhaseRepairing:
		m.Detail = removed
		return m, nil
	case !m.Wanted:
		return m.rest(PhaseDown, stoppedByUs)
	case m.Signs.Decided || m.StoppedBy == view.ByOther:
		return m.stoppedByOthers(at)
	case m.OneShot:
		return m.rest(PhaseDown, removed)
	case m.WasReady:
		return m.repair(removed)
	case m.Phase == PhaseDown:
		return m.rest(PhaseDown, removed)
	}
	return m.rest(PhaseFailed, removed+" before it was ready"+m.startOver())
}

// record is the end of a run for the history.
func (m Machine) record(e ending) Effect {
	reason := view.Crash
	switch {
	case m.StoppedBy != "" || slices.Contains(m.Leaving, e.Container):
		reason = view.Manual
	case e.OOM:
		reason = view.Memory
	case e.Code == 0:
		reason = view.Exited
	}
	exit := view.ExitRecord{UptimeMS: e.uptime().Milliseconds(), LastLines: e.Lines, LogFiles: []string{}}
	exit.Reason, exit.At = reason, e.At
	if e.Code >= 0 {
		exit.Code = &e.Code
	}
	if e.At.Before(e.Started) {
		exit.At = e.Started
	}
	return Record{Run: e.Run, Exit: exit}
}

// signed is what a signal means that was sent through the engine. Where SIGKILL is the stop signal, only a stop tells.
func signed(signal, stopSignal string) Signs {
	sent, stop := signalNumber(signal), signalNumber(stopSignal)
	return Signs{Decided: sent == stop && stop != 9, Killed: sent == 9}
}

// with is all that both say.
func (s Signs) with(t Signs) Signs {
	return Signs{s.Decided || t.Decided, s.Killed || t.Killed, s.OOM || t.OOM}
}

// signalNumber reads 15, TERM and SIGTERM, by the numbers of Linux; empty is SIGTERM, and 0 what is not known.
func signalNumber(s string) int {
	s = strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	switch s {
	case "HUP":
		return 1
	case "INT":
		return 2
	case "QUIT":
		return 3
	case "KILL":
		return 9
	case "USR1":
		return 10
	case "USR2":
		return 12
	case "", "TERM":
		return 15
	case "WINCH":
		return 28
	case "RTMIN+3":
		return 37
	}
	return 0
}
