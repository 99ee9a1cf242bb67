package procs

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"devstack/probe"
	keeper "devstack/procs/keeper/protocol"
	"devstack/procs/node"
	"devstack/stack"
	"devstack/view"
)

// supervisor runs one instance: one goroutine steps the machine and performs its effects, everybody else puts things to do
// into its mailbox.
type supervisor struct {
	m        *Manager
	name     string
	instance int
	id       int
	log      *slog.Logger
	inbox    *mailbox
	shown    *snapshot
	control  control
	ctx      context.Context // ends the goroutine and the watchers; never a child
	cancel   context.CancelFunc
	wanted   bool // is in the file; guarded by instances.mu

	// Only the goroutine of loop uses the fields below.
	app       stack.App
	machine   Machine
	launches  map[int64]*launch // by generation: those that the machine knows
	next      *stack.App        // of the heir; nil: none
	cron      cron
	exitCause string // of the last exit, in words
	saidFor   string // the hash of the definition that it has warned about: its port is not held
	removing  bool
}

// newSupervisor is the supervisor of the n-th instance of an app; app is the definition of that instance. The caller holds
// m.instances.mu.
func newSupervisor(m *Manager, app stack.App, n, id int) *supervisor {
	s := &supervisor{
		m: m, name: app.Name, instance: n, id: id, inbox: newMailbox(), wanted: true, app: app,
		log:      m.opts.Log.With("app", app.Name, "instance", n),
		launches: map[int64]*launch{},
	}
	waitingFor, judged := m.instances.gates[app.Name]
	if !judged {
		waitingFor = dependencyNames(app)
	}
	s.machine = Machine{
		State: view.Stopped, Closed: len(waitingFor) > 0, Policy: policyOf(app), Newest: m.instances.newest[instanceKey{app.Name, n}],
	}
	s.shown = newSnapshot(app, n, id, s.machine, waitingFor)
	s.ctx, s.cancel = context.WithCancel(m.ctx)
	s.control = control{ctx: s.ctx, keeper: m.opts.Keeper, app: app.Name, instance: n, log: s.log}
	s.cron.wake = func() {
		s.inbox.put(func() {
			if s.cron.passed(s.app) {
				s.step(CronDue{}, s.app.CronRestart)
			}
		})
	}
	return s
}

// dependencyNames is what an instance waits for until the first SetGate: a gate that nobody has judged yet is closed.
func dependencyNames(app stack.App) []string {
	names := []string{}
	for _, d := range app.DependsOn {
		names = append(names, d.Name)
	}
	return names
}

// loop does what the mailbox holds, in order, until ctx ends.
func (s *supervisor) loop() {
	defer func() {
		s.cron.stop()
		for _, l := range s.launches {
			l.end()
		}
	}()
	s.cron.arm(s.app)
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
			s.shown.setStopCause(cause)
		}
		follow := s.performAll(effects)
		var exit *view.Exit
		if _, exited := ev.(Exited); exited {
			cause, exit = s.exitCause, s.shown.get().Exit
		}
		s.publish(before, next, cause, exit)
		s.tidy()
		ev, cause = follow, s.shown.lastError()
	}
	if s.removing && s.machine.empty() {
		s.m.instances.remove(s, max(s.machine.Newest, s.machine.Gen))
		s.m.saver.changed()
	}
}

// tidy ends the watchers of launches that are not to be judged any more, and forgets those that are over.
func (s *supervisor) tidy() {
	m := s.machine
	if m.Heir.Gen == 0 {
		s.next = nil
	}
	for gen, l := range s.launches {
		if gen != m.Heir.Gen && (gen != m.Gen || m.State != view.Launching && m.State != view.Online) {
			l.readiness.stop()
		}
		if gen != m.Gen && gen != m.Heir.Gen && gen != m.Retired.Gen {
			l.end()
			delete(s.launches, gen)
		}
	}
}

// known is what is known about a launch. One that nothing is known about yet gets a record.
func (s *supervisor) known(gen int64) *launch {
	l := s.launches[gen]
	if l == nil {
		l = &launch{gen: gen, app: s.app}
		l.readiness = readiness{s: s, l: l, stop: func() {}}
		s.launches[gen] = l
	}
	return l
}

// publish shows the machine to everyone and makes the manager write it down. exit is the exit that has changed the machine;
// nil: something else has.
func (s *supervisor) publish(before, now Machine, cause string, exit *view.Exit) {
	s.release(before, now)
	s.show()
	if before.State != now.State {
		s.tell(view.Event{Kind: view.KindProcess, From: string(before.State), To: string(now.State), Cause: cause, Exit: exit})
		s.log.Info("state", "gen", now.Gen, "from", before.State, "to", now.State, "cause", cause)
	}
	if before.Ready != now.Ready {
		s.warnUnheld(now) // first: whoever waits for ready hears nothing after it
		s.tell(view.Event{Kind: view.KindReady, From: view.ReadyWord(before.Ready), To: view.ReadyWord(now.Ready), Cause: cause, Exit: exit})
	}
	if step, gen := handover(before, now); step != "" {
		message := ""
		if pid := s.launches[gen].pid(); pid != nil {
			message = fmt.Sprintf("pid %d", *pid)
		}
		s.tell(view.Event{Kind: view.KindReload, To: step, Message: message})
		s.log.Info("reload", "gen", gen, "step", step)
	}
	if now.Late && !before.Late {
		s.tell(view.Event{
			Kind: view.KindWarning, Cause: "listen_timeout",
			Message: fmt.Sprintf("%s is not ready after %s (ready by %s)", s.name, now.Policy.ListenTimeout, expected(s.app)),
		})
	}
	s.m.saver.changed()
}

func (s *supervisor) show() {
	m := s.machine
	s.shown.show(m, s.launches[m.Heir.Gen].pid(), s.launches[m.Retired.Gen].pid())
}

// release closes the held sockets that a step has left without a use, before anybody is told of the step.
func (s *supervisor) release(before, now Machine) {
	what, after, ok := released(before, now)
	switch {
	case !ok || !s.app.HoldsSockets():
	case after == 0:
		s.control.release(what)
	default:
		s.known(now.Gen).release = time.AfterFunc(after, func() { s.inbox.put(func() { s.control.release(what) }) })
	}
}

// warnUnheld says once of a definition why its port is not held.
func (s *supervisor) warnUnheld(now Machine) {
	if !now.Ready || s.instance > 0 || s.saidFor == s.app.Hash {
		return
	}
	if text := unheldWarning(s.app, now.Listens, s.known(now.Gen).beside); text != "" {
		s.saidFor = s.app.Hash
		s.tell(view.Event{Kind: view.KindWarning, Cause: "hold_port", Message: text})
	}
}

// tell publishes what happened to the instance.
func (s *supervisor) tell(e view.Event) {
	e.Resource, e.Instance = s.name, s.instance
	s.m.opts.Publish(e)
}

// exited takes the keeper's word for the end of a launch. An exit that was counted before is only acked again.
func (s *supervisor) exited(e keeper.Exit) {
	switch gen := e.Key.Generation; {
	case gen == s.machine.Gen && s.machine.live(), gen == s.machine.Heir.Gen, gen == s.machine.Retired.Gen:
		s.step(s.known(gen).exit(e), "")
	}
	s.m.saver.ack(e.Key)
}

// ipc takes one message of the process.
func (s *supervisor) ipc(line keeper.IPCLine) {
	gen := line.Key.Generation
	waits := gen == s.machine.Gen && s.machine.State == view.Launching || gen == s.machine.Heir.Gen && !s.machine.Heir.Ready
	if gen == 0 || !waits || !s.known(gen).app.WaitReady || !node.IsReady(line.Line) {
		return
	}
	s.known(gen).readiness.byIPC()
}

// listening takes the keeper's word that a launch listens on a held socket.
func (s *supervisor) listening(gen int64, at keeper.Address) {
	if gen != s.machine.Gen && gen != s.machine.Heir.Gen {
		return
	}
	l := s.known(gen)
	l.listensAt(at)
	if gen == s.machine.Gen {
		s.shown.change(func(p *Process) { p.Held = l.held() })
	}
	if !l.listens() {
		return
	}
	s.step(Listening{gen}, "")
	unsaid := l.satisfied == "" || l.satisfied == probe.Unchecked
	if unsaid && portCounts(l.app) && l.app.RunsNode() { // when others listen on what they were born with, nobody knows
		l.satisfied = probe.ListensOn(cmp.Or(l.app.Port, at.Port))
	}
	if l.satisfied != "" {
		s.ready(l)
	}
}

// satisfied is called when what a launch's readiness is to rest on has come about. It is ready if it need not listen, or does.
func (s *supervisor) satisfied(gen int64, by probe.Kind) {
	l := s.launches[gen]
	if l == nil || by == probe.Unchecked && l.satisfied != "" {
		return
	}
	l.satisfied = by
	if l.beside || !l.mustListen(s.machine) || l.listens() {
		s.ready(l)
	}
}

func (s *supervisor) ready(l *launch) {
	s.step(Ready{Gen: l.gen, By: l.satisfied, After: l.uptime(time.Now())}, string(l.satisfied))
}

// reload runs the instance anew with a definition of its own, beside the old one where both can serve.
func (s *supervisor) reload(app stack.App) {
	switch m := s.machine; {
	case m.Heir.Gen != 0 || m.Retired.Gen != 0:
		return // one is under way
	case m.overlaps():
		s.next = &app
	default:
		s.shown.setHash(app.Hash)
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
		s.cron.arm(app)
	}
	s.machine.Policy = policyOf(app)
	s.shown.showDefinition(app)
	if changed {
		s.step(Changed{}, "definition changed")
	}
}

// setGate tells the machine only what is new.
func (s *supervisor) setGate(waitingFor []string) {
	s.shown.change(func(p *Process) { p.WaitingFor = append([]string{}, waitingFor...) })
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
	s.shown.change(func(p *Process) { p.Leaving = true })
	s.step(Leave{}, "no longer wanted")
}
