package procs

import "time"

func (m *Manager) measure() { <-m.ctx.Done() }

type portCache struct{ at time.Time }

// SnapshotWithPorts is Snapshot with the ports that each process tree listens on, at most a second old.
func (m *Manager) SnapshotWithPorts() []Process { return m.Snapshot() }
