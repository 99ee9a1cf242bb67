package keeper

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a row of the process table; pid and start together name a process for ever.
type process struct {
	pid, parent, group, session int
	start                       uint64
}

// orphansStay: every descendant stays one, because the keeper is a subreaper. Nobody else's environment is looked at.
const orphansStay = true

// becomeSubreaper makes orphans of every launch children of the keeper instead of init's.
func becomeSubreaper() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// selfPath is our executable, even if another one has taken its place on disk.
func selfPath() (string, error) { return "/proc/self/exe", nil }

func startTime(pid int) uint64 {
	p, _ := readProcess(pid)
	return p.start
}

// processTable lists every process but zombies.
func processTable() map[int]process {
	table := map[int]process{}
	d, err := os.Open("/proc")
	if err != nil {
		return table
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := readProcess(pid); ok {
			table[pid] = p
		}
	}
	return table
}

// readProcess reads /proc/PID/stat; false if the process is gone or a zombie. The command in it may hold anything,
// so fields are counted from its closing bracket.
func readProcess(pid int) (process, bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, false
	}
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(f) < 20 {
		return process{}, false
	}
	num := func(i int) int { n, _ := strconv.Atoi(string(f[i])); return n }
	start, _ := strconv.ParseUint(string(f[19]), 10, 64)
	return process{pid: pid, parent: num(1), group: num(2), session: num(3), start: start}, f[0][0] != 'Z' && f[0][0] != 'X'
}

// marker returns the launch marker in a process's environment, "" if it has none or is not ours to read.
func marker(pid int) string {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return ""
	}
	return markerIn(env)
}

// markerAfterExec is marker for a process that may be inside execve at this moment: then its environment is empty, and
// so is its command line, which tells it from a process that has erased its environment. Never for a kernel thread.
func markerAfterExec(pid int) string {
	for range 1000 {
		if m := marker(pid); m != "" {
			return m
		}
		line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		if err != nil || len(line) > 0 {
			return marker(pid) // execve may have ended between the two looks
		}
		time.Sleep(time.Millisecond) // no event tells of its end
	}
	return ""
}

// signalProcess signals exactly the process of the table's row, even if its pid was given away since.
func signalProcess(p process, sig syscall.Signal) {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err == unix.ENOSYS {
		_ = syscall.Kill(p.pid, sig)
		return
	}
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if now, ok := readProcess(p.pid); ok && now.start == p.start {
		_ = unix.PidfdSendSignal(fd, sig, nil, 0)
	}
}
