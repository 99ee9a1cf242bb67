package keeper

import "golang.org/x/sys/unix"

// Runs says whether the process that a Launched names still runs. One that has ended and was not reaped does not.
func Runs(pid int, start uint64) bool {
	now := StartTime(pid)
	return now != 0 && now == start
}

// StartTime is Launched.StartTime of a process; 0: it does not run.
func StartTime(pid int) uint64 {
	const zombie = 5
	k, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(k.Proc.P_pid) != pid || k.Proc.P_stat == zombie {
		return 0
	}
	return startOf(k)
}
