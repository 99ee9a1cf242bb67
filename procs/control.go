package procs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"devstack/procs/keeper"
	"devstack/stack"
)

// StartIDs is Start for single instances; unknown ids are ignored.
func (m *Manager) StartIDs(ids ...int) { m.sendTo(Start{}, "started", ids) }

// StopIDs is Stop for single instances.
func (m *Manager) StopIDs(ids ...int) { m.sendTo(Stop{}, "stopped", ids) }

// RestartIDs is Restart for single instances.
func (m *Manager) RestartIDs(ids ...int) { m.sendTo(Restart{}, "restarted", ids) }

// ResetIDs sets the counters of single instances to zero; nothing is started or stopped by it.
func (m *Manager) ResetIDs(ids ...int) { m.sendTo(Reset{}, "reset", ids) }

func (m *Manager) sendTo(ev Event, cause string, ids []int) {
	for _, s := range m.byID(ids...) {
		s.send(ev, cause)
	}
}

// Reload gives one instance a definition, its own copy of app, and runs it anew with it; its siblings keep theirs.
// Where two launches can serve side by side, the new one takes over once it has been ready for a second, or the old one
// stays; snapshots tell which (Successor, Retiring, Rejected). Else it is stopped first. A stopped instance is run.
func (m *Manager) Reload(id int, app stack.App) {
	for _, s := range m.byID(id) {
		s.inbox.put(func() { s.reload(app.Instance(s.instance)) })
	}
}

// Signal sends a signal to the process group of an instance. syscall.ESRCH: it does not run.
func (m *Manager) Signal(ctx context.Context, id int, sig syscall.Signal) error {
	found := m.byID(id)
	if len(found) == 0 {
		return fmt.Errorf("cannot signal process %d: %w", id, syscall.ESRCH)
	}
	s := found[0]
	p := s.snapshot()
	if p.Pid == nil {
		return fmt.Errorf("cannot signal %s, it is %s: %w", s.name, p.Status, syscall.ESRCH)
	}
	return m.opts.Keeper.Signal(ctx, keeper.SignalReq{Key: s.key(p.Generation), Signal: int(sig)})
}

// Flush empties the log files of an app's n-th instance, rotated ones included. Whoever follows them goes on.
func Flush(app stack.App, n int, stateDir string) error {
	app = app.Instance(n)
	var failed []error
	for _, path := range []string{app.OutFile, app.ErrorFile, app.LogFile} {
		if path != "" && path != os.DevNull {
			failed = append(failed, keeper.EmptyLog(stateDir, path))
		}
	}
	return errors.Join(failed...)
}

// ParseSignal reads SIGUSR2, USR2 or sigusr2.
func ParseSignal(name string) (syscall.Signal, error) { return parseSignal(name) }

// byID are the instances with these ids.
func (m *Manager) byID(ids ...int) []*supervisor {
	return slices.DeleteFunc(m.wanted(), func(s *supervisor) bool { return !slices.Contains(ids, s.id) })
}
