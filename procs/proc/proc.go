// Package proc reads the process table of this machine, and signals processes that are not children of the caller. A pid
// is given again; together with the time of the start it names a process for ever.
package proc

import (
	"bytes"
	"time"
)

// Process is a row of the process table.
type Process struct {
	Pid, Parent, Group int
	Session            int    // 0 on macOS, which does not tell
	Start              uint64 // in a unit of the kernel's
}

// Times are the CPU time that a process has used, and that of its ended children.
type Times struct{ Own, Children time.Duration }

// Runs reports whether the process with this pid and this start still runs. One that has ended and was not reaped does not.
func Runs(pid int, start uint64) bool {
	p, ok := Read(pid)
	return ok && p.Start == start
}

// StartTime is when a process was started; 0: it does not run.
func StartTime(pid int) uint64 {
	p, ok := Read(pid)
	if !ok {
		return 0
	}
	return p.Start
}

// find returns the value of a variable in a block of NUL-separated ones, "" if it is not there.
func find(environ []byte, name string) string {
	prefix := []byte(name + "=")
	for len(environ) > 0 {
		entry, rest, _ := bytes.Cut(environ, []byte{0})
		if v, ok := bytes.CutPrefix(entry, prefix); ok {
			return string(v)
		}
		environ = rest
	}
	return ""
}
