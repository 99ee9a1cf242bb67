package proc

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is the kernel's unit of CPU times in /proc, the same on every Linux that Go runs on.
const clockTick = time.Second / 100

// Reader reads /proc with one buffer. It is used by one goroutine.
type Reader struct{ buf []byte }

// Read returns the row of one process; false if the process is gone or a zombie, whose row is returned nevertheless.
func Read(pid int) (Process, bool) {
	p, _, ok := new(Reader).Stat(pid)
	return p, ok
}

// Table lists every process but zombies, by pid.
func Table() map[int]Process {
	table := map[int]Process{}
	var r Reader
	for _, name := range names("/proc") {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, _, ok := r.Stat(pid); ok {
				table[pid] = p
			}
		}
	}
	return table
}

// Stat is Read, with the CPU times.
func (r *Reader) Stat(pid int) (Process, Times, bool) {
	stat := r.read(path(pid, "stat"))
	// The command in it may hold anything, so fields are counted from its closing bracket.
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(f) < 20 {
		return Process{}, Times{}, false
	}
	number := func(i int) int { n, _ := strconv.Atoi(string(f[i])); return n }
	start, _ := strconv.ParseUint(string(f[19]), 10, 64)
	p := Process{Pid: pid, Parent: number(1), Group: number(2), Session: number(3), Start: start}
	t := Times{Own: time.Duration(number(11)+number(12)) * clockTick, Children: time.Duration(number(13)+number(14)) * clockTick}
	return p, t, f[0][0] != 'Z' && f[0][0] != 'X'
}

// Memory is what a process has in memory, and how much of that it shares with others, in bytes.
func (r *Reader) Memory(pid int) (resident, shared int64) {
	f := bytes.Fields(r.read(path(pid, "statm")))
	if len(f) < 3 {
		return 0, 0
	}
	resident, _ = strconv.ParseInt(string(f[1]), 10, 64)
	shared, _ = strconv.ParseInt(string(f[2]), 10, 64)
	page := int64(os.Getpagesize())
	return resident * page, shared * page
}

// Children are the pids that each thread of a process has forked.
func (r *Reader) Children(pid int) (pids []int) {
	tasks := path(pid, "task")
	for _, tid := range names(tasks) {
		for _, f := range bytes.Fields(r.read(tasks + "/" + tid + "/children")) {
			if child, err := strconv.Atoi(string(f)); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// Name is the short name of a process's program, at most 15 characters; "?" if it is gone.
func Name(pid int) string {
	if name := bytes.TrimSpace(new(Reader).read(path(pid, "comm"))); len(name) > 0 {
		return string(name)
	}
	return "?"
}

// Variable returns a variable of a process's environment, "" if it has none or is not ours to read.
func Variable(pid int, name string) string {
	return find(new(Reader).read(path(pid, "environ")), name)
}

// VariableAfterExec is Variable for a process that may be inside execve at this moment: then its environment is empty, and so
// is its command line, which tells it from a process that has erased its environment. Never for a kernel thread.
func VariableAfterExec(pid int, name string) string {
	var r Reader
	for range 1000 {
		if v := Variable(pid, name); v != "" {
			return v
		}
		if _, err := os.Stat(path(pid, "cmdline")); err != nil || len(r.read(path(pid, "cmdline"))) > 0 {
			return Variable(pid, name) // execve may have ended between the two looks
		}
		time.Sleep(time.Millisecond) // no event tells of its end
	}
	return ""
}

// Signal signals exactly this process, even if its pid was given away since. One that is gone is no error.
func (p Process) Signal(sig syscall.Signal) {
	fd, err := unix.PidfdOpen(p.Pid, 0)
	if err == unix.ENOSYS {
		_ = syscall.Kill(p.Pid, sig)
		return
	}
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if now, ok := Read(p.Pid); ok && now.Start == p.Start {
		_ = unix.PidfdSendSignal(fd, sig, nil, 0)
	}
}

func path(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

func names(dir string) []string {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	found, _ := d.Readdirnames(-1)
	return found
}

// read returns a file, empty if it cannot be read; valid until the next call. Plain system calls, because these files are
// opened by the hundred and os.File would register each of them with the poller.
func (r *Reader) read(path string) []byte {
	if r.buf == nil {
		r.buf = make([]byte, 4096)
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	total := 0
	for {
		n, err := unix.Read(fd, r.buf[total:])
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || err != nil {
			return r.buf[:total]
		}
		if total += n; total == len(r.buf) {
			r.buf = append(r.buf, make([]byte, len(r.buf))...)
		}
	}
}
