package procs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	keeper "devstack/procs/keeper/protocol"
	"devstack/procs/node"
	"devstack/view"
)

// performAll carries out the effects of a step in order. It returns the event that says that one has failed, if that
// concerns the machine; else nil.
func (s *supervisor) performAll(effects []Effect) (failed Event) {
	for _, e := range effects {
		if ev := s.perform(e); ev != nil {
			failed = ev
		}
	}
	return failed
}

func (s *supervisor) perform(e Effect) (failed Event) {
	switch e := e.(type) {
	case Launch:
		return s.launch(e.Gen)
	case Signal:
		s.control.signal(e)
	case KillTree:
		s.control.killTree(e.Gen)
	case Drain:
		if !s.control.drain(s.known(e.Gen)) {
			s.send(Drained(e), "cannot be asked")
		}
	case Promote:
		s.promote(s.known(e.Gen))
	case SetTimer:
		s.setTimer(e)
	case StopTimer:
		s.known(e.Gen).stopTimer()
	case Record:
		l := s.known(e.Exit.Gen)
		lines, files := lastLinesSince(l.app, l.logStart, s.m.opts.StateDir, ExitLines)
		s.exitCause = s.shown.exited(e, lines, files)
	}
	return nil
}

func (s *supervisor) launch(gen int64) Event {
	l := s.known(gen)
	beside := gen != s.machine.Gen
	if beside && s.next != nil {
		l.app = *s.next
	}
	l.logStart = logStartOf(l.app)
	if !beside {
		s.show() // never the new pid with the old state
		s.shown.showLaunch(l)
	}
	hold, err := s.request(l, beside)
	if err != nil {
		s.shown.change(func(p *Process) {
			if beside {
				p.SuccessorError = err.Error()
			} else {
				p.LastError = view.Text(err.Error())
			}
		})
		s.log.Warn("launch failed", "gen", gen, "err", err)
		return LaunchFailed{Gen: gen, Permanent: permanent(err)}
	}
	l.at = time.Now()
	if !beside {
		s.shown.showLaunch(l)
		s.shown.change(func(p *Process) { p.LastError = "" })
	}
	s.log.Info("launched", "gen", gen, "pid", l.launched.Pid)
	l.readiness.begin()
	if hold != nil && hold.Bind != 0 && !l.app.RunsNode() { // nobody tells us when it listens
		s.inbox.put(func() { s.listening(gen, keeper.Address{Port: hold.Bind}) })
	}
	return nil
}

// request has the keeper make a launch. hold says which sockets the launch may hold; nil: none.
func (s *supervisor) request(l *launch, beside bool) (hold *keeper.Hold, err error) {
	req, err := launchRequest(l.app, s.control.key(l.gen), s.id, s.m.opts.Shim)
	if err != nil {
		return nil, err
	}
	if beside && req.Hold != nil && l.app.RunsNode() {
		req.Env = append(req.Env, node.Successor)
	}
	l.launched, err = s.m.opts.Keeper.Launch(s.ctx, req)
	return req.Hold, err
}

// permanent says whether a launch that failed would fail again.
func permanent(err error) bool {
	errnos := []syscall.Errno{
		syscall.ENOENT, syscall.EACCES, syscall.ENOTDIR, syscall.ENOEXEC, syscall.EPERM, syscall.ELOOP, syscall.EINVAL,
	}
	return slices.ContainsFunc(errnos, func(errno syscall.Errno) bool { return errors.Is(err, errno) })
}

// promote makes a launch the one that the instance shows.
func (s *supervisor) promote(l *launch) {
	s.control.accept(l)
	s.define(l.app, false)
	s.shown.setHash(l.app.Hash)
	s.shown.showLaunch(l)
}

func (s *supervisor) setTimer(e SetTimer) {
	after := e.After
	if e.Jitter {
		after = s.m.jitter(after)
	}
	if e.Timer == RestartTimer {
		s.shown.change(func(p *Process) { p.NextRestartAt = new(time.Now().Add(after)) })
	}
	s.known(e.Gen).setTimer(after, func() { s.send(Elapsed{Gen: e.Gen, Timer: e.Timer}, string(e.Timer)) })
}

// spread varies a delay by up to a fifth in both directions.
func spread(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// signalName is SIGKILL for 9.
func signalName(n int) string {
	if name := unix.SignalName(syscall.Signal(n)); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", n)
}
