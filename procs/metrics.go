package procs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"devstack/procs/proc"
)

// usage is what a process tree uses.
type usage struct {
	memory   int64         // bytes, resident
	cpu      time.Duration // spent since the sampler's last look
	children []int
	fresh    bool          // the first look at this tree: cpu says nothing
	each     map[int]int64 // bytes by pid
}

// exceeds says in words that a tree is above its limit, and what of it is large: at most three processes.
func (u usage) exceeds(limit int64, nameOf func(pid int) string) string {
	pids := slices.SortedFunc(maps.Keys(u.each), func(a, b int) int { return cmp.Or(cmp.Compare(u.each[b], u.each[a]), cmp.Compare(a, b)) })
	var largest []string
	for _, pid := range pids[:min(3, len(pids))] {
		largest = append(largest, fmt.Sprintf("%s (pid %d) %d MiB", nameOf(pid), pid, u.each[pid]>>20))
	}
	return fmt.Sprintf("%d MiB exceed max_memory_restart of %d MiB: %s", u.memory>>20, limit>>20, strings.Join(largest, ", "))
}

// measure looks at every process tree once a second until ctx ends. It asks the known pids for their children and never
// walks the whole process table, which would cost more than everything else here together.
func measure(ctx context.Context, all func() []*supervisor) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	trees := newSampler()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		elapsed := now.Sub(last)
		last = now
		for _, s := range all() {
			measureTree(s, trees, elapsed)
		}
		trees.endRound()
	}
}

// measureTree shows what an instance uses and reports a tree that exceeds its limit.
func measureTree(s *supervisor, trees *sampler, elapsed time.Duration) {
	pid, start, gen, limit := s.shown.tree()
	if pid == nil {
		return
	}
	var used *usage
	if u, ok := trees.sample(*pid, start); ok {
		used = &u
	}
	if s.shown.showUsage(pid, gen, used, elapsed) && used != nil && limit > 0 && used.memory > limit {
		s.send(MemoryExceeded{gen}, used.exceeds(limit, proc.Name))
	}
}
