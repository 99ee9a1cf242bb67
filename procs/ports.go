package procs

import (
	"slices"
	"sync"
	"time"

	"devstack/view"
)

// portCache keeps what was found about listening ports; looking anew costs a walk through every process's descriptors.
type portCache struct {
	mu     sync.Mutex // guards every field below it
	at     time.Time  // of the last look
	byPid  map[int][]view.Address
	finder portFinder
}

// portsMaxAge is how old the ports in a snapshot may be.
const portsMaxAge = time.Second

// SnapshotWithPorts is Snapshot with the ports that each process tree listens on, at most a second old. What a process
// began to listen on within that second may be missing.
func (m *Manager) SnapshotWithPorts() []Process {
	return m.withPorts(m.measured(func(p Process) bool { return p.MemoryBytes == nil }))
}

// SnapshotWithPortsNow is SnapshotWithPorts with the trees and the ports as they are at this moment, which costs more.
func (m *Manager) SnapshotWithPortsNow() []Process {
	m.ports.forget()
	return m.withPorts(m.measured(func(Process) bool { return true }))
}

// measured is Snapshot with the trees of those processes measured now that are stale.
func (m *Manager) measured(stale func(Process) bool) []Process {
	trees, list := newSampler(), []Process{}
	for _, s := range m.instances.all() {
		p := s.shown.get()
		if pid, start, gen, _ := s.shown.tree(); pid != nil && gen == p.Generation && stale(p) {
			if tree, ok := trees.sample(*pid, start); ok {
				p.Children, p.MemoryBytes = tree.children, &tree.memory
			}
		}
		list = append(list, p)
	}
	return list
}

// withPorts adds to processes what their trees listen on.
func (m *Manager) withPorts(list []Process) []Process {
	trees := make([][]int, len(list))
	for i, p := range list {
		if p.Pid != nil {
			trees[i] = append([]int{*p.Pid}, p.Children...)
		}
	}
	byPid := m.ports.find(slices.Concat(trees...))
	for i := range list {
		list[i].Ports = []view.Address{}
		for _, pid := range trees[i] {
			for _, port := range byPid[pid] {
				if !slices.Contains(list[i].Ports, port) {
					list[i].Ports = append(list[i].Ports, port)
				}
			}
		}
		slices.SortFunc(list[i].Ports, func(a, b view.Address) int { return a.Port - b.Port })
	}
	return list
}

// forget makes the next find look anew.
func (c *portCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byPid = nil
}

func (c *portCache) find(pids []int) map[int][]view.Address {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byPid == nil || time.Since(c.at) > portsMaxAge || slices.ContainsFunc(pids, func(pid int) bool { return !c.finder.knows(pid) }) {
		c.byPid, c.at = c.finder.listening(pids), time.Now()
	}
	return c.byPid
}
