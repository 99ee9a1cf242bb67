package procs

import (
	"fmt"
	"time"
)

// usage is what a process tree uses.
type usage struct {
	memory   int64         // bytes, resident
	cpu      time.Duration // spent since the sampler's last look
	children []int
	fresh    bool // the first look at this tree: cpu says nothing
}

// measure looks at every process tree once a second. It asks the known pids for their children and never walks the
// whole process table, which would cost more than everything else here together.
func (m *Manager) measure() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	trees := newSampler()
	last := time.Now()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		elapsed := now.Sub(last)
		last = now
		for _, s := range m.supervisors() {
			s.measure(trees, elapsed)
		}
		trees.endRound()
	}
}

// measure shows what the instance uses and reports a tree that exceeds its limit.
func (s *supervisor) measure(trees *sampler, elapsed time.Duration) {
	s.mu.Lock()
	pid, start, gen, limit := s.view.Pid, s.launched.StartTime, s.view.Generation, s.maxMem
	s.mu.Unlock()
	if pid == nil {
		return
	}
	u, ok := trees.sample(*pid, start)
	s.mu.Lock()
	if s.view.Pid != pid || s.view.Generation != gen {
		s.mu.Unlock()
		return
	}
	s.view.MemoryBytes, s.view.CPUPercent, s.view.Children = nil, nil, []int{}
	if ok {
		s.view.MemoryBytes, s.view.Children = &u.memory, u.children
		if !u.fresh {
			s.view.CPUPercent = new(100 * float64(u.cpu) / float64(elapsed))
		}
	}
	s.mu.Unlock()
	if ok && limit > 0 && u.memory > limit {
		s.send(MemoryExceeded{gen}, fmt.Sprintf("memory: %d MiB exceed %d MiB", u.memory>>20, limit>>20))
	}
}
