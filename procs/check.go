package procs

import (
	"context"

	"devstack/probe"
)

// Check asks the healthcheck of the process with the given id once, now, within its own timeout. checked is false where
// there is nothing to ask: no healthcheck, no launch, or no such process. The answer changes nothing by itself.
func (m *Manager) Check(ctx context.Context, id int) (r probe.Result, checked bool) {
	for _, s := range m.supervisors() {
		if s.snapshot().ID == id {
			return s.check(ctx)
		}
	}
	return r, false
}

func (s *supervisor) check(ctx context.Context) (r probe.Result, checked bool) {
	ask := make(chan probe.Probe, 1)
	s.inbox.put(func() {
		r := s.run(s.machine.Gen)
		if r.app.Healthcheck == nil || !s.machine.live() {
			close(ask)
			return
		}
		hc := *r.app.Healthcheck
		p := s.probeOf(r)
		ask <- probe.Func(func(ctx context.Context) probe.Result {
			if c, ok := p.(interface{ close() }); ok {
				defer c.close()
			}
			ctx, cancel := context.WithTimeout(ctx, hc.Timeout)
			defer cancel()
			return p.Check(ctx)
		})
	})
	select {
	case p := <-ask:
		if p == nil {
			return r, false
		}
		return p.Check(ctx), true
	case <-s.ctx.Done():
		return r, false
	case <-ctx.Done():
		return r, false
	}
}
