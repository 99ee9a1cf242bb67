package daemon

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"devstack/daemon/api"
	"devstack/procs"
)

// signal sends a signal to processes. One that does not run is said; when none does, that is a failure.
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
