package procs

import "context"

// Settled returns when every instance has taken in all that was asked of it before, or ctx ends. Snapshots then tell
// what came of it; no process is waited for.
func (m *Manager) Settled(ctx context.Context) {
	for _, s := range m.supervisors() {
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
