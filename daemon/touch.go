package daemon

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
)

// reset sets the counters of processes to zero. Nothing is started or stopped by it.
func (d *Daemon) reset(ctx context.Context, req api.ActionRequest) *api.Result {
	_, s, refused := d.processesOnly(req.Names, "reset")
	if refused != nil {
		return refused
	}
	d.procs.ResetIDs(s.ids()...)
	d.procs.Settled(ctx)
	return d.conclude(nil, nil, []string{})
}

// signal sends a signal to processes. One that does not run is said; when none does, that is a failure.
func (d *Daemon) signal(ctx context.Context, req api.SignalRequest) *api.Result {
	sig, err := procs.ParseSignal(req.Signal)
	if err != nil {
		return usage("signal", err.Error(), "such as SIGUSR2, SIGHUP or SIGTERM")
	}
	if len(req.Names) == 0 {
		return usage("names", "signal needs names", "devstack signal "+req.Signal+" all")
	}
	_, s, refused := d.processesOnly(req.Names, "signal")
	if refused != nil {
		return refused
	}
	notes, failures, sent := []string{}, []api.Failure{}, 0
	for _, p := range s.processes {
		err := d.procs.Signal(ctx, p.ID, sig)
		switch {
		case err == nil:
			sent++
		case errors.Is(err, syscall.ESRCH):
			notes = append(notes, fmt.Sprintf("%s (id %d) is %s: nothing to signal", p.Name, p.ID, p.Status))
		default:
			failures = append(failures, api.Failure{Resource: p.Name, Exit: api.ExitBug, Message: err.Error()})
		}
	}
	r := d.conclude(failures, nil, notes)
	switch {
	case len(failures) > 0:
		r.Error = "not everything got the signal"
	case sent == 0:
		r.Exit, r.Error, r.Hint = api.ExitProcess, "nothing of it runs", "devstack ps"
	}
	return r
}

// flush empties the log files of processes. Whoever follows them goes on.
func (d *Daemon) flush(_ context.Context, req api.ActionRequest) *api.Result {
	st, s, refused := d.processesOnly(req.Names, "flush")
	if refused != nil {
		return refused
	}
	failures := []api.Failure{}
	for _, p := range s.processes {
		for _, app := range st.Apps {
			if app.Name != p.Name {
				continue
			}
			if err := procs.Flush(app, p.Instance, d.home.StateDir); err != nil {
				failures = append(failures, api.Failure{Resource: p.Name, Exit: api.ExitBug, Message: err.Error()})
			}
		}
	}
	r := d.conclude(failures, nil, []string{})
	if len(failures) > 0 {
		r.Error = "not every log could be emptied"
	}
	return r
}

// processesOnly is what words mean for commands that containers have no part in.
func (d *Daemon) processesOnly(words []string, command string) (*stack.Stack, selection, *api.Result) {
	st, s, refused := d.named(words)
	if refused == nil && len(s.services) > 0 {
		refused = usage("names", s.services[0]+" is a service; "+command+" is for apps", "")
	}
	return st, s, refused
}
