package ecs

// step is a size of processor that Fargate has, and the memory that it has with it, in MiB: from, to, and the steps
// between. 256 has 512 as well, which is no step.
type step struct{ cpu, from, to, by int }

// steps are Fargate's sizes, in 1024ths of a processor.
var steps = []step{
	{256, 1024, 2048, 1024},
	{512, 1024, 4096, 1024},
	{1024, 2048, 8192, 1024},
	{2048, 4096, 16384, 1024},
	{4096, 8192, 30720, 1024},
	{8192, 16384, 61440, 4096},
	{16384, 32768, 122880, 8192},
}

// fargate is the smallest size that has as much processor and memory as is asked, the smallest processor first. It is
// false when there is none.
func fargate(cpu, memory int) (taskCPU, taskMemory int, ok bool) {
	for _, s := range steps {
		if s.cpu < cpu || s.to < memory {
			continue
		}
		if s.cpu == 256 && memory <= 512 {
			return 256, 512, true
		}
		for m := s.from; m <= s.to; m += s.by {
			if m >= memory {
				return s.cpu, m, true
			}
		}
	}
	return 0, 0, false
}

// Service Connect's proxy runs in the task; these are AWS's least figures for it.
const (
	proxyCPU    = 256
	proxyMemory = 64
)
