package procs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"devstack/procs/keeper"
	"devstack/procs/node"
	"devstack/view"
)

// perform carries out one effect. It returns the event that says that it failed, if that concerns the policy.
func (s *supervisor) perform(e Effect) Event {
	switch e := e.(type) {
	case Launch:
		return s.launch(e.Gen)
	case Signal:
		s.signal(e)
	case KillTree:
		req := keeper.SignalReq{Key: s.key(e.Gen), Signal: int(syscall.SIGKILL), Tree: true}
		if err := s.m.opts.Keeper.Signal(s.ctx, req); err != nil {
			s.log.Warn("cannot end what the launch left behind", "gen", e.Gen, "err", err)
		}
	case Drain:
		s.drain(e.Gen)
	case Promote:
		s.promote(e.Gen)
	case SetTimer:
		s.setTimer(e)
	case StopTimer:
		s.run(e.Gen).stopTimer()
	case Record:
		s.record(e)
	}
	return nil
}

func (s *supervisor) key(gen int64) keeper.Key {
	return keeper.Key{App: s.name, Instance: s.instance, Generation: gen}
}

func (s *supervisor) launch(gen int64) Event {
	r := s.run(gen)
	main := gen == s.machine.Gen
	if !main && s.next != nil {
		r.app = *s.next
	}
	r.logStart = logStartOf(r.app)
	s.mu.Lock()
	id := s.view.ID
	s.mu.Unlock()
	if main {
		s.show(s.machine) // never the new pid with the old state
		s.showRun(r)
	}
	req, err := launchOf(r.app, s.key(gen), id, s.m.opts.Shim)
	if err != nil {
		return s.launchFailed(gen, err)
	}
	if !main && req.Hold != nil && r.app.RunsNode() {
		req.Env = append(req.Env, node.Successor)
	}
	r.launched, err = s.m.opts.Keeper.Launch(s.ctx, req)
	if err != nil {
		return s.launchFailed(gen, err)
	}
	r.at = time.Now()
	if main {
		s.showRun(r)
		s.mu.Lock()
		s.view.LastError = ""
		s.mu.Unlock()
	}
	s.log.Info("launched", "gen", gen, "pid", r.launched.Pid)
	s.watch(r)
	if req.Hold != nil && req.Hold.Bind != 0 && !r.app.RunsNode() { // nobody tells us when it listens
		s.inbox.put(func() { s.listening(gen, keeper.Address{Port: req.Hold.Bind}) })
	}
	return nil
}

func (s *supervisor) launchFailed(gen int64, err error) Event {
	permanent := false
	for _, errno := range []syscall.Errno{
		syscall.ENOENT, syscall.EACCES, syscall.ENOTDIR, syscall.ENOEXEC, syscall.EPERM, syscall.ELOOP, syscall.EINVAL,
	} {
		permanent = permanent || errors.Is(err, errno)
	}
	s.mu.Lock()
	if gen == s.machine.Gen {
		s.view.LastError = view.Text(err.Error())
	} else {
		s.view.SuccessorError = err.Error()
	}
	s.mu.Unlock()
	s.log.Warn("launch failed", "gen", gen, "err", err)
	return LaunchFailed{Gen: gen, Permanent: permanent}
}

// accept lets a successor take connections from the socket that it shares.
func (s *supervisor) accept(r *run) {
	if !r.app.RunsNode() || !r.app.HoldsSockets() {
		return
	}
	if err := s.m.opts.Keeper.Signal(s.ctx, keeper.SignalReq{Key: s.key(r.gen), Message: node.Accept}); err != nil {
		s.log.Warn("cannot tell the new process to accept", "gen", r.gen, "err", err)
	}
}

// drain asks over IPC. A program that does not know how to is signalled at once: it drains by itself, or not at all.
func (s *supervisor) drain(gen int64) {
	if s.run(gen).app.RunsNode() {
		err := s.m.opts.Keeper.Signal(s.ctx, keeper.SignalReq{Key: s.key(gen), Message: node.Drain})
		if err == nil {
			return
		}
		s.log.Warn("cannot ask the old process to drain", "gen", gen, "err", err)
	}
	s.send(Drained{gen}, "cannot be asked")
}

// signal falls back from the IPC message to kill_signal: a process that closed its channel must stop as well.
func (s *supervisor) signal(e Signal) {
	req := keeper.SignalReq{Key: s.key(e.Gen), Message: node.Shutdown}
	if e.Shutdown {
		err := s.m.opts.Keeper.Signal(s.ctx, req)
		if err == nil {
			return
		}
		s.log.Warn("cannot send shutdown over IPC, sending a signal", "gen", e.Gen, "err", err)
	}
	req = keeper.SignalReq{Key: s.key(e.Gen), Signal: int(e.Signal)}
	if err := s.m.opts.Keeper.Signal(s.ctx, req); err != nil && !errors.Is(err, syscall.ESRCH) {
		s.log.Warn("cannot signal", "gen", e.Gen, "err", err)
	}
}

func (s *supervisor) setTimer(e SetTimer) {
	r := s.run(e.Gen)
	r.stopTimer()
	after := e.After
	if e.Jitter {
		after = s.m.jitter(after)
	}
	if e.Timer == RestartTimer {
		s.mu.Lock()
		s.view.NextRestartAt = new(time.Now().Add(after))
		s.mu.Unlock()
	}
	r.timer = time.AfterFunc(after, func() {
		s.send(Elapsed{Gen: e.Gen, Timer: e.Timer}, string(e.Timer))
	})
}

// spread varies a delay by up to a fifth in both directions.
func spread(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

func (s *supervisor) record(e Record) {
	r := s.run(e.Exit.Gen)
	exit := view.ExitRecord{
		Exit: exitOf(e, time.Now()), UptimeMS: e.Exit.Uptime.Milliseconds(),
		LastLines: lastLinesSince(r.app, r.logStart, ExitLines),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case e.Beside && e.Reason == view.Crash:
		exit.Cause = "a reload had started it"
	case e.Beside:
		exit.Cause = "a reload"
	default:
		exit.Cause, s.stopCause = view.Text(s.stopCause), ""
	}
	s.exitCause = ending(exit)
	s.view.Exits, s.view.Exit = appendBounded(s.view.Exits, exit, maxExits), &exit.Exit
}

// exitOf is an exit as it is seen.
func exitOf(e Record, at time.Time) view.Exit {
	exit := view.Exit{Reason: e.Reason, At: at}
	switch {
	case e.Exit.Signal != 0:
		exit.Signal = view.Text(signalName(e.Exit.Signal))
	case !e.Exit.Unknown:
		exit.Code = &e.Exit.Code
	}
	return exit
}

// appendBounded appends and keeps the newest.
func appendBounded[T any](list []T, item T, limit int) []T {
	list = append(list[:len(list):len(list)], item)
	return list[max(0, len(list)-limit):]
}

// ending says how a launch ended, for people: "crash: exit code 1", "watch: SIGTERM, after src/server.js changed".
func ending(e view.ExitRecord) string {
	how := "exit code unknown"
	switch {
	case e.Signal != "":
		how = string(e.Signal)
	case e.Code != nil:
		how = fmt.Sprintf("exit code %d", *e.Code)
	}
	if e.Cause != "" && e.Reason != view.Manual {
		how += ", after " + strings.TrimPrefix(string(e.Cause), string(e.Reason)+": ")
	}
	return fmt.Sprintf("%s: %s", e.Reason, how)
}

// signalName is SIGKILL for 9.
func signalName(n int) string {
	if name := unix.SignalName(syscall.Signal(n)); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", n)
}
