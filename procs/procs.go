// Package procs supervises the stack's processes. What happens next to a process is decided by pure functions: Machine.Step,
// and resume in a new daemon. One goroutine per instance feeds the machine and performs its effects through the keeper. The
// package promises that no instance ever runs twice, that no descendant of a stopped or crashed process survives, and that
// every exit is counted once, also across a kill -9 of the daemon.
package procs

import "devstack/view"

// Process is a snapshot of one instance: what everybody sees of it, without UptimeMS, and what the daemon's decisions need
// besides. Ports are only filled by SnapshotWithPorts.
type Process struct {
	view.ProcessDetails
	Hash    string // of the definition that its next launch has; that of a reload until then is the old one's
	Ended   bool   // stopped by itself
	Leaving bool   // no longer wanted: it is gone as soon as it has ended
	Late    bool   // launching for longer than listen_timeout

	// A reload under way, or how the last one went.
	Overlaps       bool      // it would run the new launch beside the old one
	Newest         int64     // the highest generation so far
	Retiring       int64     // generation of a launch on its way out: replaced, or a successor that failed; 0: none
	Rejected       Rejection // zero: the last reload did not fail
	SuccessorError string    // why the last successor could not even start
}

// LastExit is the newest exit; nil before the first.
func (p Process) LastExit() *view.ExitRecord {
	if n := len(p.Exits); n > 0 {
		return &p.Exits[n-1]
	}
	return nil
}
