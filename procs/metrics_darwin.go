package procs

import (
	"time"

	gopsutil "github.com/shirou/gopsutil/v4/process"
)

// sampler reads process trees through gopsutil. It is used by one goroutine.
type sampler struct {
	before map[process]time.Duration
	now    map[process]time.Duration
}

// process identifies a process for ever; a pid alone is used again.
type process struct {
	pid   int
	start int64
}

func newSampler() *sampler {
	return &sampler{before: map[process]time.Duration{}, now: map[process]time.Duration{}}
}

func (t *sampler) endRound() {
	t.before, t.now = t.now, t.before
	clear(t.now)
}

// sample looks at the tree of one root; false if the root is gone.
func (t *sampler) sample(root int, _ uint64) (usage, bool) {
	top, err := gopsutil.NewProcess(int32(root))
	if err != nil {
		return usage{}, false
	}
	u := usage{children: []int{}, each: map[int]int64{}}
	for tree := []*gopsutil.Process{top}; len(tree) > 0; {
		p := tree[0]
		tree = tree[1:]
		start, err1 := p.CreateTime()
		times, err2 := p.Times()
		memory, err3 := p.MemoryInfo()
		if err1 != nil || err2 != nil || err3 != nil {
			continue
		}
		id := process{int(p.Pid), start}
		cpu := time.Duration((times.User + times.System) * float64(time.Second))
		before, known := t.before[id]
		t.now[id] = cpu
		if p == top {
			u.fresh = !known
		} else {
			u.children = append(u.children, int(p.Pid))
		}
		u.cpu += cpu - before
		u.memory += int64(memory.RSS)
		u.each[int(p.Pid)] = int64(memory.RSS)
		if children, err := p.Children(); err == nil {
			tree = append(tree, children...)
		}
	}
	return u, true
}
