package keeper

import (
	"sync"
	"syscall"
)

// children forks, reaps and signals. One mutex covers a fork and its record, a wait and its removal, and every
// signal: so no child exits unrecorded, and no signal ever reaches a process that merely inherited a number.
type children struct {
	mu    sync.Mutex
	alive map[int]func(syscall.WaitStatus) // by pid, until reaped
}

// start forks and execs; exited is called once, after the process was reaped, on the reaper's goroutine.
func (c *children) start(path string, argv []string, attr *syscall.ProcAttr, exited func(syscall.WaitStatus)) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return 0, err
	}
	c.alive[pid] = exited
	return pid, nil
}

// adopt records a process that was our child before an upgrade.
func (c *children) adopt(pid int, exited func(syscall.WaitStatus)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive[pid] = exited
}

// reap collects everything that has exited, orphans that were reparented to the keeper included.
func (c *children) reap() {
	for {
		var status syscall.WaitStatus
		c.mu.Lock()
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		exited := c.alive[pid]
		delete(c.alive, pid)
		c.mu.Unlock()
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if exited != nil {
			exited(status)
		}
	}
}

// signalGroup signals the process group that an unreaped child leads, or returns ESRCH.
func (c *children) signalGroup(pid int, sig syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.alive[pid] == nil {
		return syscall.ESRCH
	}
	return syscall.Kill(-pid, sig)
}
