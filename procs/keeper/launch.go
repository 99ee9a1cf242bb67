package keeper

import (
	"devstack/procs/proc"

	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"devstack/procs/keeper/sockets"

	"devstack/procs/keeper/ipc"

	"devstack/procs/keeper/logs"

	"devstack/procs/keeper/protocol"
)

// launch is one process that the daemon asked for, from fork until its exit is acked.
type launch struct {
	key      protocol.Key
	grace    protocol.Grace
	launched protocol.Launched
	holds    bool         // sockets that it listens on outlive it
	server   bool         // it outlives a keeper that its daemon asked to end
	channel  *ipc.Channel // nil without IPC
	streams  []*logs.Stream
	ended    chan struct{} // closed when exit is set

	// guarded by keeper.mu
	ready     bool
	listening []protocol.Address // what it has reported that it listens on
	drained   bool
	released  bool // it claims nothing any more
	exit      *protocol.Exit
}

func (l *launch) claim() sockets.Claim {
	return sockets.Claim{Instance: l.key.Instance, Generation: l.key.Generation}
}

// launch starts a process, or leaves nothing behind.
func (k *keeper) launch(req protocol.Launch) (protocol.Launched, error) {
	if len(req.Argv) == 0 {
		return protocol.Launched{}, fmt.Errorf("cannot launch %s: no command: %w", req.Key.App, syscall.EINVAL)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ending {
		return protocol.Launched{}, fmt.Errorf("cannot launch %s: the keeper is ending: %w", req.Key.App, syscall.ESHUTDOWN)
	}
	if k.launches[req.Key] != nil {
		return protocol.Launched{}, fmt.Errorf("cannot launch %s: generation %d was launched before: %w",
			req.Key.App, req.Key.Generation, syscall.EEXIST)
	}
	if req.Server != nil {
		return k.launchServer(req)
	}
	defer k.held.Sweep(req.Key.App) // what was bound for a launch that fails
	born, err := k.held.Born(req)
	if err != nil {
		return protocol.Launched{}, fmt.Errorf("cannot launch %s: %w", req.Key.App, err)
	}
	return k.launchWith(req, born)
}

// launchWith starts a process that is born with sockets. k.mu is held.
func (k *keeper) launchWith(req protocol.Launch, born []*sockets.Held) (protocol.Launched, error) {
	l := &launch{key: req.Key, grace: req.Grace, holds: req.Hold != nil, ended: make(chan struct{})}
	stdio, err := k.openStdio(req)
	if err != nil {
		return protocol.Launched{}, fmt.Errorf("cannot launch %s: %w", req.Key.App, err)
	}
	pid, err := k.start(req, &syscall.ProcAttr{
		Dir:   req.Dir,
		Env:   launchEnv(req, k.opts.ID, born),
		Files: stdio.childFiles(born),
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}, func(status syscall.WaitStatus) { k.exited(l, status) })
	stdio.closeChildEnds()
	if err != nil {
		stdio.closeOwnEnds()
		return protocol.Launched{}, explainExec(req, err)
	}
	l.launched = protocol.Launched{Pid: pid, StartTime: startOf(pid), At: time.Now()}
	k.launches[l.key] = l
	k.journal.launched(l.key, l.launched)
	for _, s := range born {
		l.launched.Held = append(l.launched.Held, s.Address)
	}
	if l.holds && req.Hold.Bind != 0 {
		born[0].Claims[l.claim()] = true
	}
	k.readStdio(l, req, stdio)
	return l.launched, nil
}

// startOf is the start of a child that may have ended: as long as it was not reaped it has a row.
func startOf(pid int) uint64 {
	p, _ := proc.Read(pid)
	return p.Start
}

// exited is called by the reaper. It waits for launch to have recorded the process.
func (k *keeper) exited(l *launch, status syscall.WaitStatus) {
	e := &protocol.Exit{Key: l.key, Code: -1, At: time.Now()}
	switch {
	case status.Exited():
		e.Code = status.ExitStatus()
	case status.Signaled():
		e.Signal = int(status.Signal())
	default:
		e.Unknown = true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.launches[l.key] != l {
		return // it never became what was asked for
	}
	l.exit = e
	close(l.ended)
	k.journal.exited(*e)
	k.notify(&protocol.Message{Verb: protocol.Exited, Exit: e})
}

// settleTime is how long the end of a tree waits for its last output to be on disk.
const settleTime = time.Second

// settle waits until what the launch wrote before it exited is on disk, so that its last lines can be read and the
// next launch's come after them. It waits no longer than limit: the disk may be full.
func (l *launch) settle(limit time.Duration) {
	select {
	case <-l.ended:
	default:
		return // it still runs
	}
	over := time.After(limit)
	for _, s := range l.streams {
		if !s.Settle(over) {
			return
		}
	}
}

// launchEnv is the launch's environment with the keeper's own variables; whatever Node or systemd put into the
// environment of the shell that ran `devstack up` must not reach it.
func launchEnv(req protocol.Launch, project string, born []*sockets.Held) []string {
	env := slices.DeleteFunc(slices.Clone(req.Env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return protocol.IsServiceVariable(name) || slices.Contains([]string{
			protocol.MarkerEnv, protocol.HeldEnv, "NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE",
			"LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "LISTEN_PIDFDID",
		}, name)
	})
	env = append(env, protocol.MarkerEnv+"="+req.Key.Marker(project))
	if req.IPC {
		env = append(env, fmt.Sprintf("NODE_CHANNEL_FD=%d", sockets.FirstFD+len(born)), "NODE_CHANNEL_SERIALIZATION_MODE=json")
	}
	return append(env, sockets.HeldEnv(req, born)...)
}

// explainExec names what was missing: exec and chdir fail with the same number.
func explainExec(req protocol.Launch, err error) error {
	if req.Dir != "" {
		fi, dirErr := os.Stat(req.Dir)
		if dirErr != nil {
			return fmt.Errorf("cannot start %s in %s: %w", req.Key.App, req.Dir, dirErr)
		}
		if !fi.IsDir() {
			return fmt.Errorf("cannot start %s in %s: %w", req.Key.App, req.Dir, syscall.ENOTDIR)
		}
	}
	return fmt.Errorf("cannot start %s: %s: %w", req.Key.App, req.Argv[0], err)
}

// runningList is the answer to List, oldest launch first.
func (k *keeper) runningList() []protocol.Running {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := make([]protocol.Running, 0, len(k.launches))
	for _, l := range k.launches {
		list = append(list, protocol.Running{
			Key: l.key, Launched: l.launched, Ready: l.ready, Listening: slices.Clone(l.listening), Drained: l.drained, Exit: l.exit,
		})
	}
	slices.SortFunc(list, func(a, b protocol.Running) int { return a.Launched.At.Compare(b.Launched.At) })
	return list
}

// ack forgets an exited launch.
func (k *keeper) ack(key protocol.Key) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.launches[key]
	if l == nil {
		return nil
	}
	if l.exit == nil {
		return fmt.Errorf("cannot ack %s: it still runs: %w", key.App, syscall.EBUSY)
	}
	delete(k.launches, key)
	return nil
}

// signal serves SignalReq. Tree works for launches that have exited or were acked, too.
func (k *keeper) signal(req protocol.SignalReq) error {
	k.mu.Lock()
	l := k.launches[req.Key]
	k.mu.Unlock()
	if req.Message != "" {
		if l == nil || l.channel == nil {
			return fmt.Errorf("cannot send to %s: no IPC channel: %w", req.Key.App, syscall.ENOTCONN)
		}
		return l.channel.Send(req.Message)
	}
	sig, pid := syscall.Signal(req.Signal), 0
	err := error(syscall.ESRCH)
	if l != nil {
		pid = l.launched.Pid
		err = k.children.signalGroup(pid, sig)
	}
	if req.Tree {
		k.tree.signal(&sweep{marker: req.Key.Marker(k.opts.ID), session: pid, grouped: err == nil, sig: sig})
		if l != nil && sig == syscall.SIGKILL {
			l.settle(settleTime)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot signal %s: %w", req.Key.App, err)
	}
	return nil
}
