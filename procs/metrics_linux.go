package procs

import (
	"time"

	"devstack/procs/proc"
)

// sampler reads process trees from /proc. It is used by one goroutine.
type sampler struct {
	table  proc.Reader
	before map[process]time.Duration // CPU time at the last look
	now    map[process]time.Duration
}

// process identifies a process for ever; a pid alone is used again.
type process struct {
	pid   int
	start uint64
}

func newSampler() *sampler {
	return &sampler{before: map[process]time.Duration{}, now: map[process]time.Duration{}}
}

// endRound forgets processes that no sample of this round has seen.
func (t *sampler) endRound() {
	t.before, t.now = t.now, t.before
	clear(t.now)
}

// sample looks at the tree of one root; false if the root is gone or its pid is another process now.
func (t *sampler) sample(root int, start uint64) (usage, bool) {
	u := usage{children: []int{}, each: map[int]int64{}}
	for pids := []int{root}; len(pids) > 0; {
		pid := pids[0]
		pids = pids[1:]
		row, times, ok := t.table.Stat(pid)
		if !ok || pid == root && start != 0 && row.Start != start {
			if pid == root {
				return usage{}, false
			}
			continue
		}
		p, cpu := process{pid, row.Start}, times.Own
		before, known := t.before[p]
		t.now[p] = cpu
		if pid == root {
			u.fresh = !known
		} else {
			u.children = append(u.children, pid)
		}
		u.cpu += cpu - before
		resident, _ := t.table.Memory(pid)
		u.memory += resident
		u.each[pid] = resident
		pids = append(pids, t.table.Children(pid)...)
	}
	return u, true
}
