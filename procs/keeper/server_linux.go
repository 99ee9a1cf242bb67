package keeper

// Runs says whether the process that a Launched names still runs. One that has ended and was not reaped does not.
func Runs(pid int, start uint64) bool {
	p, ok := readProcess(pid)
	return ok && p.start == start
}

// StartTime is Launched.StartTime of a process; 0: it does not run.
func StartTime(pid int) uint64 {
	p, ok := readProcess(pid)
	if !ok {
		return 0
	}
	return p.start
}
