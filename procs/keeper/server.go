package keeper

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"devstack/procs/files"
	"devstack/procs/keeper/protocol"
)

// launchServer starts a process that outlives the keeper: it has a lock instead of the marker, so that no keeper takes it for
// something left behind, and a file for its output instead of a pipe that would break. ls.mu is held.
func (ls *launches) launchServer(req protocol.Launch) (protocol.Launched, error) {
	lock, err := os.OpenFile(req.Server.Lock, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return protocol.Launched{}, fmt.Errorf("cannot launch %s: %w", req.Key.App, err)
	}
	defer lock.Close() // the server has a descriptor of its own, of the same lock
	if err := files.Take(lock); err != nil {
		return protocol.Launched{}, fmt.Errorf("cannot launch %s: cannot lock %s: %w", req.Key.App, req.Server.Lock, err)
	}
	output, err := os.OpenFile(req.Server.Output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return protocol.Launched{}, fmt.Errorf("cannot launch %s: %w", req.Key.App, err)
	}
	defer output.Close()
	attr := &syscall.ProcAttr{
		Dir:   req.Dir,
		Env:   protocol.WithoutServiceVariables(req.Env),
		Files: []uintptr{ls.null.Fd(), output.Fd(), output.Fd(), lock.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	if req.Server.UID != 0 {
		attr.Sys.Credential = &syscall.Credential{Uid: uint32(req.Server.UID), Gid: uint32(req.Server.GID)}
	}
	l := &launch{key: req.Key, grace: req.Grace, server: true, ended: make(chan struct{})}
	pid, err := ls.children.start(req.Argv[0], req.Argv, attr, func(status syscall.WaitStatus) { ls.exited(l, status) })
	if err != nil {
		return protocol.Launched{}, explainExec(req, err)
	}
	l.launched = protocol.Launched{Pid: pid, StartTime: startOf(pid), At: time.Now()}
	ls.byKey[l.key] = l
	ls.journal.launched(l.key, l.launched)
	return l.launched, nil
}
