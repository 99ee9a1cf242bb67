package procs

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"devstack/procs/keeper"
	"devstack/procs/node"
	"devstack/stack"
	"devstack/view"
)

// maxExits and maxProbes bound the histories of an instance.
const (
	maxExits  = 20
	maxProbes = 5
)

// supervisor runs one instance: one goroutine steps the machine and performs its effects, everything else puts
// things to do into its mailbox. Fields below the mailbox belong to that goroutine, those below mu to everyone.
type supervisor struct {
	m        *Manager
	name     string
	instance int
	id       int
	log      *slog.Logger
	inbox    *mailbox
	ctx      context.Context // ends the goroutine and the watchers; never a child
	cancel   context.CancelFunc
	wanted   bool // is in the file; guarded by Manager.mu

	app       stack.App
	machine   Machine
	runs      map[int64]*run // by generation: those that the machine knows
	next      *stack.App     // of the heir; nil: none
	cron      *time.Timer    // nil: cron_restart was never set
	cronDue   time.Time      // zero: never
	exitCause string         // of the last exit, in words
	saidFor   string         // the definition that sayUnheld has spoken of
	removing  bool

	mu       sync.Mutex
	view     Process
	kept     Machine // the machine that view was made from
	hash     string
	launched keeper.Launched // the one that serves
	logStart logStart        // its
	maxMem   int64

	stopCause string // of the stop under way, in words
}

// newSupervisor is the supervisor of the n-th instance of an app; app is the definition of that instance. m.mu is held.
func newSupervisor(m *Manager, app stack.App, n, id int) *supervisor {
	s := &supervisor{
		m: m, name: app.Name, instance: n, id: id, inbox: newMailbox(), wanted: true, app: app,
		log:    m.opts.Log.With("app", app.Name, "instance", n),
		runs:   map[int64]*run{},
		hash:   app.Hash,
		maxMem: app.MaxMemory,
	}
	waitingFor, judged := m.gates[app.Name]
	if !judged {
		waitingFor = dependencyNames(app)
	}
	s.machine = Machine{State: view.Stopped, Closed: len(waitingFor) > 0, Policy: policyOf(app), Newest: m.newest[instanceKey{app.Name, n}]}
	s.kept = s.machine
	s.ctx, s.cancel = context.WithCancel(m.ctx)
	s.view = Idle(app, n, id)
	s.view.WaitingFor = append(s.view.WaitingFor, waitingFor...)
	return s
}

// Idle is the n-th instance of an app that was never launched; app is the definition of that instance.
func Idle(app stack.App, n, id int) Process {
	return Process{ProcessDetails: view.ProcessDetails{
		Process: view.Process{
			Name: app.Name, Namespace: app.Namespace, Instance: n, ID: id, Status: view.Stopped, ReadyBy: readyBy(app),
			ExecMode: cmp.Or(app.ExecMode, "fork"), Watching: app.Watch.On, Ports: []view.Address{}, WaitingFor: []string{},
		},
		Children: []int{}, Exits: []view.ExitRecord{}, Probes: []view.Probe{}, Held: []view.Address{},
	}}
}

// dependencyNames is what an instance waits for until the first SetGate: unknown is closed.
func dependencyNames(app stack.App) []string {
	names := []string{}
	for _, d := range app.DependsOn {
		names = append(names, d.Name)
	}
	return names
}

func (s *supervisor) loop() {
	defer func() {
		for _, r := range s.runs {
			r.end()
		}
	}()
	defer func() { s.stopCron() }()
	s.armCron()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.inbox.arrived:
		}
		for _, do := range s.inbox.takeAll() {
			if s.ctx.Err() != nil {
				return
			}
			do()
		}
	}
}

// send is how an event reaches the machine; cause says why, in words for people.
func (s *supervisor) send(ev Event, cause string) {
	s.inbox.put(func() { s.step(ev, cause) })
}

// step feeds the machine, performs what it asks for, and tells what has changed.
func (s *supervisor) step(ev Event, cause string) {
	for ev != nil {
		before := s.machine
		next, effects := before.Step(ev)
		s.machine = next
		if next.State == view.Stopping && before.State != view.Stopping {
			s.mu.Lock()
			s.stopCause = cause
			s.mu.Unlock()
		}
		var follow Event
		for _, e := range effects {
			if failed := s.perform(e); failed != nil {
				follow = failed
			}
		}
		if _, exited := ev.(Exited); exited && cause == "" {
			cause = s.exitCause
		}
		s.publish(before, next, cause)
		s.tidy()
		ev, cause = follow, s.lastError()
	}
	if s.removing && s.machine.empty() {
		s.m.remove(s)
	}
}

// publish shows the machine to everyone and makes the manager write it down.
func (s *supervisor) publish(before, now Machine, cause string) {
	s.release(before, now)
	s.show(now)
	if before.State != now.State {
		s.notice(view.KindProcess, string(before.State), string(now.State), cause, "")
		s.log.Info("state", "gen", now.Gen, "from", before.State, "to", now.State, "cause", cause)
	}
	if before.Ready != now.Ready {
		s.sayUnheld(now) // first: whoever waits for ready hears nothing after it
		s.notice(view.KindReady, view.ReadyWord(before.Ready), view.ReadyWord(now.Ready), cause, "")
	}
	if step, gen := handover(before, now); step != "" {
		message := ""
		if r := s.runs[gen]; r != nil && r.launched.Pid != 0 {
			message = fmt.Sprintf("pid %d", r.launched.Pid)
		}
		s.notice(view.KindReload, "", step, "", message)
		s.log.Info("reload", "gen", gen, "step", step)
	}
	if now.Late && !before.Late {
		s.notice(view.KindWarning, "", "", "listen_timeout",
			fmt.Sprintf("%s is not ready after %s (ready by %s)", s.name, s.machine.Policy.ListenTimeout, readyBy(s.app)))
	}
	s.m.saver.changed()
}

// release lets the keeper close held sockets that a step has left without a use. All of an instance that has come to
// rest, before anybody is told: whoever has stopped an app finds its port closed. Those of earlier launches when a new one
// has served for a while, since it may open its second port later than its first. Those of a successor that failed.
func (s *supervisor) release(before, now Machine) {
	rejected := now.Rejected.Gen
	switch {
	case !s.app.HoldsSockets():
	case rejected != 0 && rejected != before.Rejected.Gen:
		s.giveUp(keeper.ReleaseReq{Only: rejected})
	case now.State == view.Stopped || now.State == view.Errored:
		if before.State != now.State {
			s.giveUp(keeper.ReleaseReq{})
		}
	case now.Ready && (!before.Ready || before.Gen != now.Gen):
		r := s.run(now.Gen)
		r.release = time.AfterFunc(openTime, func() { s.inbox.put(func() { s.giveUp(keeper.ReleaseReq{Before: r.gen}) }) })
	}
}

func (s *supervisor) giveUp(what keeper.ReleaseReq) {
	what.App, what.Instance = s.name, s.instance
	if err := s.m.opts.Keeper.Release(s.ctx, what); err != nil && s.ctx.Err() == nil {
		s.log.Warn("cannot close held sockets", "before", what.Before, "only", what.Only, "err", err)
	}
}

// show updates the snapshot from the machine.
func (s *supervisor) show(m Machine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = m
	v := &s.view
	v.Status, v.Ready, v.Late, v.Generation = m.State, m.Ready, m.Late, m.Gen
	v.Restarts, v.RestartsBy, v.UnstableRestarts = m.Restarts.Total(), m.Restarts, m.Unstable
	if !m.live() {
		v.Pid, v.StartedAt, v.MemoryBytes, v.CPUPercent, v.Children, v.Held = nil, nil, nil, nil, []int{}, []view.Address{}
	}
	v.Overlaps, v.Newest, v.Rejected, v.Retiring = m.overlaps(), max(m.Newest, m.Gen), m.Rejected, m.Retired.Gen
	v.Successor, v.RetiringPid = nil, s.pid(m.Retired.Gen)
	if m.Heir.Gen != 0 {
		v.Successor = &view.Successor{Pid: s.pid(m.Heir.Gen), Ready: m.Heir.Ready}
	}
	if m.State != view.WaitingRestart {
		v.NextRestartAt = nil
	}
}

// pid is the process of a launch; nil: there is none yet.
func (s *supervisor) pid(gen int64) *int {
	if r := s.runs[gen]; r != nil {
		return orNull(r.launched.Pid)
	}
	return nil
}

// orNull is nil for zero.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func (s *supervisor) notice(kind view.Kind, from, to, cause, message string) {
	s.m.opts.Publish(view.Event{
		Resource: s.name, Instance: s.instance, Kind: kind, From: from, To: to, Cause: cause, Message: message,
	})
}

// snapshot shares its lists with the view: they are replaced, never altered, and readers must not alter them, either.
// Every waiting action looks at all snapshots after every change, so 200 processes pay for each copy 200 times.
func (s *supervisor) snapshot() Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view
}

func (s *supervisor) lastError() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.view.LastError)
}

// exited takes the keeper's word for the end of a launch. What was counted before is acked again and no more.
func (s *supervisor) exited(e keeper.Exit) {
	switch gen := e.Key.Generation; {
	case gen == s.machine.Gen && s.machine.live(), gen == s.machine.Heir.Gen, gen == s.machine.Retired.Gen:
		s.step(s.exitEvent(e), "")
	}
	s.m.saver.ack(e.Key)
}

// exitEvent measures the uptime by the monotonic clock where this daemon made the launch itself.
func (s *supervisor) exitEvent(e keeper.Exit) Exited {
	r := s.run(e.Key.Generation)
	uptime := e.At.Sub(r.launched.At)
	if !r.at.IsZero() {
		uptime = time.Since(r.at)
	}
	return Exited{
		Gen: e.Key.Generation, Code: e.Code, Signal: e.Signal, Unknown: e.Unknown, Uptime: max(uptime, 0),
	}
}

// ipc takes one message of the process.
func (s *supervisor) ipc(line keeper.IPCLine) {
	gen := line.Key.Generation
	waits := gen == s.machine.Gen && s.machine.State == view.Launching || gen == s.machine.Heir.Gen && !s.machine.Heir.Ready
	if gen == 0 || !waits || !s.run(gen).app.WaitReady || !node.IsReady(line.Line) {
		return
	}
	s.readyByIPC(s.run(gen))
}

func (s *supervisor) readyByIPC(r *run) {
	s.satisfied(r.gen, "ipc")
	if r.app.Healthcheck != nil {
		s.watchHealth(r, true)
	}
}

// reload runs the instance anew with a definition of its own, beside the old one where both can serve.
func (s *supervisor) reload(app stack.App) {
	switch m := s.machine; {
	case m.Heir.Gen != 0 || m.Retired.Gen != 0:
		return // one is under way
	case m.overlaps():
		s.next = &app
	default:
		s.setHash(app.Hash)
		s.define(app, false)
	}
	s.step(Reload{}, "reloaded")
}

// define replaces the definition. Only a changed one restarts anything; the environment counts at the next launch.
func (s *supervisor) define(app stack.App, changed bool) {
	s.removing = false
	rearm := s.app.CronRestart != app.CronRestart
	s.app = app
	if rearm {
		s.armCron()
	}
	s.machine.Policy = policyOf(app)
	s.mu.Lock()
	s.view.Namespace, s.view.ReadyBy, s.view.ExecMode, s.view.Leaving = app.Namespace, readyBy(app), cmp.Or(app.ExecMode, "fork"), false
	s.view.Watching = app.Watch.On
	s.maxMem = app.MaxMemory
	s.mu.Unlock()
	if changed {
		s.step(Changed{}, "definition changed")
	}
}

// setGate tells the machine only what is new.
func (s *supervisor) setGate(waitingFor []string) {
	s.mu.Lock()
	s.view.WaitingFor = append([]string{}, waitingFor...)
	s.mu.Unlock()
	if open := len(waitingFor) == 0; open == s.machine.Closed {
		cause := "dependencies are ready"
		if !open {
			cause = "waits for " + strings.Join(waitingFor, ", ")
		}
		s.step(Gate{open}, cause)
	}
}

func (s *supervisor) leave() {
	s.removing = true
	s.mu.Lock()
	s.view.Leaving = true
	s.mu.Unlock()
	s.step(Leave{}, "no longer wanted")
}
