package daemon

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"devstack/daemon/api"
	"devstack/procs"
)

// sendSignal sends a signal to processes. One that does not run is said; when none does, that is a failure.
type sendSignal struct {
	d   *Daemon
	req api.SignalRequest
}

func (s *sendSignal) run(ctx context.Context) *api.Result {
	sig, err := procs.ParseSignal(s.req.Signal)
	if err != nil {
		return usage("signal", err.Error(), "use a name such as SIGUSR2, SIGHUP or SIGTERM")
	}
	if len(s.req.Names) == 0 {
		return usage("names", "signal needs names", "devstack signal "+s.req.Signal+" all")
	}
	_, picked, refused := s.d.processesOnly(s.req.Names, "signal")
	if refused != nil {
		return refused
	}
	notes, failures, sent := []string{}, []api.Failure{}, 0
	for _, p := range picked.processes {
		err := s.d.procs.Signal(ctx, p.ID, sig)
		switch {
		case err == nil:
			sent++
		case errors.Is(err, syscall.ESRCH):
			notes = append(notes, fmt.Sprintf("%s (id %d) is %s and got no signal", p.Name, p.ID, p.Status))
		default:
			failures = append(failures, api.Failure{Resource: p.Name, Exit: api.ExitBug, Message: err.Error()})
		}
	}
	r := s.d.conclude(failures, nil, notes)
	switch {
	case len(failures) > 0:
		r.Error = "cannot send the signal to every process"
	case sent == 0:
		r.Exit, r.Error, r.Hint = api.ExitProcess, "cannot send the signal: no process that you named is running", "devstack ps"
	}
	return r
}

// reset sets the counters of processes to zero. Nothing is started or stopped by it.
type reset onNames

func (r *reset) run(ctx context.Context) *api.Result {
	_, s, refused := r.d.processesOnly(r.req.Names, "reset")
	if refused != nil {
		return refused
	}
	r.d.procs.ResetIDs(s.ids()...)
	r.d.procs.Settled(ctx)
	return r.d.conclude(nil, nil, []string{})
}

// flush empties the log files of processes. Whoever follows them goes on.
type flush onNames

func (f *flush) run(context.Context) *api.Result {
	st, s, refused := f.d.processesOnly(f.req.Names, "flush")
	if refused != nil {
		return refused
	}
	failures := []api.Failure{}
	for _, p := range s.processes {
		for _, app := range st.Apps {
			if app.Name != p.Name {
				continue
			}
			if err := procs.Flush(app, p.Instance, f.d.home.StateDir); err != nil {
				failures = append(failures, api.Failure{Resource: p.Name, Exit: api.ExitBug, Message: err.Error()})
			}
		}
	}
	r := f.d.conclude(failures, nil, []string{})
	if len(failures) > 0 {
		r.Error = "cannot empty every log"
	}
	return r
}
