package proc

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const zombie = 5

// Read returns the row of one process; false if the process is gone or a zombie, whose row is returned nevertheless.
func Read(pid int) (Process, bool) {
	k, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(k.Proc.P_pid) != pid {
		return Process{}, false
	}
	return row(k), k.Proc.P_stat != zombie
}

// Table lists every process but zombies, by pid.
func Table() map[int]Process {
	table := map[int]Process{}
	rows, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return table
	}
	for i := range rows {
		if k := &rows[i]; k.Proc.P_stat != zombie {
			table[int(k.Proc.P_pid)] = row(k)
		}
	}
	return table
}

func row(k *unix.KinfoProc) Process {
	start := uint64(k.Proc.P_starttime.Sec)*1e6 + uint64(k.Proc.P_starttime.Usec)
	return Process{Pid: int(k.Proc.P_pid), Parent: int(k.Eproc.Ppid), Group: int(k.Eproc.Pgid), Start: start}
}

// Name is the short name of a process's program, at most 16 characters; "?" if it is gone.
func Name(pid int) string {
	k, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(k.Proc.P_pid) != pid {
		return "?"
	}
	return unix.ByteSliceToString(k.Proc.P_comm[:])
}

// Variable returns a variable of a process's environment, "" if it has none or is not ours to read.
func Variable(pid int, name string) string {
	args, err := unix.SysctlRaw("kern.procargs2", pid)
	if err != nil {
		return ""
	}
	return find(args, name)
}

// VariableAfterExec is Variable.
func VariableAfterExec(pid int, name string) string { return Variable(pid, name) }

// Signal signals exactly this process, unless its pid is given away at this moment. One that is gone is no error.
func (p Process) Signal(sig syscall.Signal) {
	if now, _ := Read(p.Pid); now.Start == p.Start {
		_ = syscall.Kill(p.Pid, sig)
	}
}
