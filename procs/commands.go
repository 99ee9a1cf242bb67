package procs

import (
	"context"
	"fmt"
	"slices"
	"syscall"

	"devstack/probe"
	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
)

// StartIDs runs instances unless they run; unknown ids are ignored. A restart delay ends at once.
func (m *Manager) StartIDs(ids ...int) { sendTo(m.instances.withIDs(ids...), Start{}, "started") }

// StopIDs ends instances, and what they are about to become.
func (m *Manager) StopIDs(ids ...int) { sendTo(m.instances.withIDs(ids...), Stop{}, "stopped") }

// RestartIDs ends and runs instances; it runs stopped ones, too.
func (m *Manager) RestartIDs(ids ...int) { sendTo(m.instances.withIDs(ids...), Restart{}, "restarted") }

// ResetIDs sets the counters of instances to zero; nothing is started or stopped by it.
func (m *Manager) ResetIDs(ids ...int) { sendTo(m.instances.withIDs(ids...), Reset{}, "reset") }

func sendTo(list []*supervisor, ev Event, cause string) {
	for _, s := range list {
		s.send(ev, cause)
	}
}

// Reload gives one instance a definition, its own copy of app, and runs it anew with it; its siblings keep theirs.
// Where two launches can serve side by side, the new one takes over once it has been ready for a second, or the old one
// stays; snapshots tell which (Successor, Retiring, Rejected). Else it is stopped first. A stopped instance is run.
func (m *Manager) Reload(id int, app stack.App) {
	for _, s := range m.instances.withIDs(id) {
		s.inbox.put(func() { s.reload(app.Instance(s.instance)) })
	}
}

// Signal sends a signal to the process group of an instance. syscall.ESRCH: it does not run.
func (m *Manager) Signal(ctx context.Context, id int, sig syscall.Signal) error {
	found := m.instances.withIDs(id)
	if len(found) == 0 {
		return fmt.Errorf("cannot signal process %d: %w", id, syscall.ESRCH)
	}
	s := found[0]
	p := s.shown.get()
	if p.Pid == nil {
		return fmt.Errorf("cannot signal %s, it is %s: %w", s.name, p.Status, syscall.ESRCH)
	}
	return m.opts.Keeper.Signal(ctx, keeper.SignalReq{Key: s.control.key(p.Generation), Signal: int(sig)})
}

// Settled returns when every instance has taken in all that was asked of it before, or ctx ends. Snapshots then tell
// what came of it; no process is waited for.
func (m *Manager) Settled(ctx context.Context) {
	for _, s := range m.instances.all() {
		taken := make(chan struct{})
		s.inbox.put(func() { close(taken) })
		select {
		case <-taken:
		case <-s.ctx.Done():
		case <-ctx.Done():
			return
		}
	}
}

// Check asks the process with the given id once, now, what its readiness rests on: its healthcheck, within its own timeout, or
// whether it listens. checked is false where there is nothing to ask, no launch, or no such process. The answer changes nothing
// by itself.
func (m *Manager) Check(ctx context.Context, id int) (r probe.Result, checked bool) {
	all := m.instances.all()
	i := slices.IndexFunc(all, func(s *supervisor) bool { return s.id == id })
	if i < 0 {
		return r, false
	}
	s := all[i]
	ask := make(chan func() probe.Result, 1)
	s.inbox.put(func() {
		l := s.known(s.machine.Gen)
		switch {
		case !s.machine.live() || l.app.Healthcheck == nil && !awaitsPort(l.app):
			close(ask)
			return
		case l.app.Healthcheck == nil:
			ask <- l.checkPort()
			return
		}
		timeout := l.app.Healthcheck.Timeout
		check, done := l.readiness.healthcheck()
		ask <- func() probe.Result {
			defer done()
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			return check.Check(ctx)
		}
	})
	select {
	case look := <-ask:
		if look == nil {
			return r, false
		}
		return look(), true
	case <-s.ctx.Done():
	case <-ctx.Done():
	}
	return r, false
}
