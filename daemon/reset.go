package daemon

import (
	"context"

	"devstack/daemon/api"
)

// reset sets the counters of processes to zero. Nothing is started or stopped by it.
type reset struct {
	d   *Daemon
	req api.ActionRequest
}

func (r *reset) run(ctx context.Context) *api.Result {
	_, s, refused := r.d.processesOnly(r.req.Names, "reset")
	if refused != nil {
		return refused
	}
	r.d.procs.ResetIDs(s.ids()...)
	r.d.procs.Settled(ctx)
	return r.d.conclude(nil, nil, []string{})
}
