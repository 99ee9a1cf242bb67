package procs

import (
	"slices"
	"time"

	"devstack/probe"
	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
)

// launch is what a supervisor knows about one launch. During a reload it has two. The supervisor's goroutine alone uses it.
type launch struct {
	gen       int64
	app       stack.App // the definition that it was launched with
	launched  keeper.Launched
	at        time.Time // by the monotonic clock; zero: made by an earlier daemon
	logStart  logStart
	listening []keeper.Address // held sockets that it listens on
	satisfied probe.Kind       // what its readiness is to rest on has come about; it may still have to listen
	beside    bool             // its tree listens on a socket that it does not pass on
	readiness readiness
	timer     *time.Timer // that the machine has set; nil: it has set none yet
	release   *time.Timer // until sockets that only earlier launches listened on are closed; nil: not set
}

// setTimer replaces the launch's one timer.
func (l *launch) setTimer(after time.Duration, elapsed func()) {
	l.stopTimer()
	l.timer = time.AfterFunc(after, elapsed)
}

func (l *launch) stopTimer() {
	if l.timer != nil {
		l.timer.Stop()
	}
}

// end stops everything that would still happen because of the launch.
func (l *launch) end() {
	l.stopTimer()
	l.readiness.stop()
	if l.release != nil {
		l.release.Stop()
	}
}

// pid is the process of the launch; nil: there is none yet, or no such launch.
func (l *launch) pid() *int {
	if l == nil {
		return nil
	}
	return orNull(l.launched.Pid)
}

// exit is the end of the launch, as the keeper saw it.
func (l *launch) exit(e keeper.Exit) Exited {
	return Exited{Gen: l.gen, Code: e.Code, Signal: e.Signal, Unknown: e.Unknown, Uptime: l.uptime(e.At)}
}

// uptime is measured by the monotonic clock where this daemon made the launch itself, else until now by the wall clock.
func (l *launch) uptime(now time.Time) time.Duration {
	if l.at.IsZero() {
		return max(now.Sub(l.launched.At), 0)
	}
	return time.Since(l.at)
}

// listensAt takes in that the launch listens on a held socket.
func (l *launch) listensAt(at keeper.Address) {
	if !slices.Contains(l.listening, at) {
		l.listening = append(l.listening[:len(l.listening):len(l.listening)], at)
	}
}

// listens says whether a launch listens where others connect to it: on its port, or anywhere if it has none.
func (l *launch) listens() bool { return slices.ContainsFunc(l.listening, l.serves) }

// born says whether a launch was born with a socket that others connect to: connections may wait in it.
func (l *launch) born() bool { return slices.ContainsFunc(l.launched.Held, l.serves) }

// serves says whether others connect to a launch at an address.
func (l *launch) serves(a keeper.Address) bool { return l.app.Port == 0 || a.Port == l.app.Port }

// mustListen says whether a launch is not ready before it has itself listened: others answer on its socket, too, or
// connections wait in it.
func (l *launch) mustListen(m Machine) bool {
	switch {
	case !l.app.HoldsSockets():
		return false
	case awaitsPort(l.app) || l.gen == m.Heir.Gen && m.Listens:
		return true
	case l.app.Port != 0 && l.app.Count() > 1:
		return true
	}
	return l.born()
}
