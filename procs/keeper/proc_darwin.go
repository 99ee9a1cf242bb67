package keeper

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is a row of the process table; pid and start together name a process for ever. macOS does not tell the
// session, so descendants are found by the launch marker alone.
type process struct {
	pid, parent, group, session int
	start                       uint64
}

// orphansStay is false: orphans become init's, and only their environment tells whose they are.
const orphansStay = false

// becomeSubreaper does nothing: macOS has no subreapers.
func becomeSubreaper() error { return nil }

func selfPath() (string, error) { return os.Executable() }

func startTime(pid int) uint64 {
	k, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return 0
	}
	return startOf(k)
}

func startOf(k *unix.KinfoProc) uint64 {
	return uint64(k.Proc.P_starttime.Sec)*1e6 + uint64(k.Proc.P_starttime.Usec)
}

func processTable() map[int]process {
	const zombie = 5
	table := map[int]process{}
	rows, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return table
	}
	for i := range rows {
		k := &rows[i]
		if k.Proc.P_stat == zombie {
			continue
		}
		pid := int(k.Proc.P_pid)
		table[pid] = process{pid: pid, parent: int(k.Eproc.Ppid), group: int(k.Eproc.Pgid), start: startOf(k)}
	}
	return table
}

func marker(pid int) string {
	args, err := unix.SysctlRaw("kern.procargs2", pid)
	if err != nil {
		return ""
	}
	return markerIn(args)
}

func markerAfterExec(pid int) string { return marker(pid) }

func signalProcess(p process, sig syscall.Signal) {
	if startTime(p.pid) == p.start {
		_ = syscall.Kill(p.pid, sig)
	}
}
