package procs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is the kernel's unit of CPU times in /proc, the same on every Linux that Go runs on.
const clockTick = time.Second / 100

// sampler reads process trees from /proc. It is used by one goroutine.
type sampler struct {
	pageSize int64
	buf      []byte
	before   map[process]time.Duration // CPU time at the last look
	now      map[process]time.Duration
}

// process identifies a process for ever; a pid alone is used again.
type process struct {
	pid   int
	start uint64
}

func newSampler() *sampler {
	return &sampler{
		pageSize: int64(os.Getpagesize()), buf: make([]byte, 4096),
		before: map[process]time.Duration{}, now: map[process]time.Duration{},
	}
}

// endRound forgets processes that no sample of this round has seen.
func (t *sampler) endRound() {
	t.before, t.now = t.now, t.before
	clear(t.now)
}

// sample looks at the tree of one root; false if the root is gone or its pid is another process now.
func (t *sampler) sample(root int, start uint64) (usage, bool) {
	u := usage{children: []int{}}
	for pids := []int{root}; len(pids) > 0; {
		pid := pids[0]
		pids = pids[1:]
		p, cpu, ok := t.stat(pid)
		if !ok || pid == root && start != 0 && p.start != start {
			if pid == root {
				return usage{}, false
			}
			continue
		}
		before, known := t.before[p]
		t.now[p] = cpu
		if pid == root {
			u.fresh = !known
		} else {
			u.children = append(u.children, pid)
		}
		u.cpu += cpu - before
		u.memory += t.resident(pid)
		pids = append(pids, t.childrenOf(pid)...)
	}
	return u, true
}

// stat reads the identity and the CPU time of a process.
func (t *sampler) stat(pid int) (process, time.Duration, bool) {
	data := t.read("/proc/" + strconv.Itoa(pid) + "/stat")
	i := bytes.LastIndexByte(data, ')') // the name before it may hold anything
	if i < 0 {
		return process{}, 0, false
	}
	fields := bytes.Fields(data[i+1:])
	if len(fields) < 20 || fields[0][0] == 'Z' {
		return process{}, 0, false
	}
	user, err1 := strconv.ParseInt(string(fields[11]), 10, 64)
	system, err2 := strconv.ParseInt(string(fields[12]), 10, 64)
	start, err3 := strconv.ParseUint(string(fields[19]), 10, 64)
	if errors.Join(err1, err2, err3) != nil {
		return process{}, 0, false
	}
	return process{pid, start}, time.Duration(user+system) * clockTick, true
}

func (t *sampler) resident(pid int) int64 {
	fields := bytes.Fields(t.read("/proc/" + strconv.Itoa(pid) + "/statm"))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * t.pageSize
}

// childrenOf asks each thread for the children that it has forked.
func (t *sampler) childrenOf(pid int) []int {
	folder := "/proc/" + strconv.Itoa(pid) + "/task"
	tasks, err := os.Open(folder)
	if err != nil {
		return nil
	}
	names, _ := tasks.Readdirnames(-1)
	tasks.Close()
	var pids []int
	for _, tid := range names {
		for _, f := range bytes.Fields(t.read(folder + "/" + tid + "/children")) {
			if child, err := strconv.Atoi(string(f)); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// read returns a small file, empty if it cannot be read; valid until the next call. Plain system calls, because these
// files are opened by the hundred and os.File would register each of them with the poller.
func (t *sampler) read(path string) []byte {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	total := 0
	for {
		n, err := unix.Read(fd, t.buf[total:])
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || err != nil && !errors.Is(err, io.EOF) {
			return t.buf[:total]
		}
		if total += n; total == len(t.buf) {
			t.buf = append(t.buf, make([]byte, len(t.buf))...)
		}
	}
}
