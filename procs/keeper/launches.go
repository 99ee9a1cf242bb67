package keeper

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"devstack/procs/keeper/ipc"
	"devstack/procs/keeper/logs"
	"devstack/procs/keeper/protocol"
	"devstack/procs/keeper/sockets"
	"devstack/procs/proc"
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

	// guarded by launches.mu
	ready     bool
	listening []protocol.Address // what it has reported that it listens on
	drained   bool
	exit      *protocol.Exit

	released bool // it claims nothing any more; guarded by heldSockets.mu
}

// launches is every process that the daemon asked for, from fork until its exit is acked.
type launches struct {
	project  string
	log      *slog.Logger
	null     *os.File
	children *children
	tree     *tree
	logs     *logs.Recorder
	journal  *journal
	notify   func(*protocol.Message) // tells the daemon
	listen   func(*launch)           // reads a launch's IPC channel to its end

	listening sync.WaitGroup // one per open IPC channel

	mu      sync.Mutex               // guards what follows, and what each launch says; a fork and its record are one step
	byKey   map[protocol.Key]*launch // running, or exited and not acked
	talking map[*launch]bool         // whose IPC channel is open
	closed  bool                     // the keeper is ending: nothing is launched any more
}

// launch starts a process that is born with sockets, or leaves nothing behind.
func (ls *launches) launch(req protocol.Launch, born []*sockets.Held) (protocol.Launched, error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if err := ls.refusal(req); err != nil {
		return protocol.Launched{}, err
	}
	if req.Server != nil {
		return ls.launchServer(req)
	}
	return ls.launchWith(req, born)
}

// mayLaunch returns why a launch would be refused.
func (ls *launches) mayLaunch(req protocol.Launch) error {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.refusal(req)
}

// refusal is mayLaunch for who holds ls.mu.
func (ls *launches) refusal(req protocol.Launch) error {
	switch {
	case len(req.Argv) == 0:
		return fmt.Errorf("cannot launch %s: no command: %w", req.Key.App, syscall.EINVAL)
	case ls.closed:
		return fmt.Errorf("cannot launch %s: the keeper is ending: %w", req.Key.App, syscall.ESHUTDOWN)
	case ls.byKey[req.Key] != nil:
		return fmt.Errorf("cannot launch %s: generation %d was launched before: %w", req.Key.App, req.Key.Generation, syscall.EEXIST)
	}
	return nil
}

// launchWith starts a process that is born with sockets. ls.mu is held.
func (ls *launches) launchWith(req protocol.Launch, born []*sockets.Held) (protocol.Launched, error) {
	l := &launch{key: req.Key, grace: req.Grace, holds: req.Hold != nil, ended: make(chan struct{})}
	stdio, err := openStdio(ls.null, req)
	if err != nil {
		return protocol.Launched{}, fmt.Errorf("cannot launch %s: %w", req.Key.App, err)
	}
	pid, err := ls.children.startLaunch(req, &syscall.ProcAttr{
		Dir:   req.Dir,
		Env:   launchEnv(req, ls.project, born),
		Files: stdio.childFiles(born),
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}, func(status syscall.WaitStatus) { ls.exited(l, status) })
	stdio.closeChildEnds()
	if err != nil {
		stdio.closeOwnEnds()
		return protocol.Launched{}, explainExec(req, err)
	}
	l.launched = protocol.Launched{Pid: pid, StartTime: startOf(pid), At: time.Now()}
	ls.byKey[l.key] = l
	ls.journal.launched(l.key, l.launched)
	for _, s := range born {
		l.launched.Held = append(l.launched.Held, s.Address)
	}
	ls.readStdio(l, req, stdio)
	return l.launched, nil
}

// startOf is the start of a child that may have ended: as long as it was not reaped it has a row.
func startOf(pid int) uint64 {
	p, _ := proc.Read(pid)
	return p.Start
}

// exited is called by the reaper. It waits for launch to have recorded the process.
func (ls *launches) exited(l *launch, status syscall.WaitStatus) {
	e := &protocol.Exit{Key: l.key, Code: -1, At: time.Now()}
	switch {
	case status.Exited():
		e.Code = status.ExitStatus()
	case status.Signaled():
		e.Signal = int(status.Signal())
	default:
		e.Unknown = true
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.byKey[l.key] != l {
		return // it never became what was asked for
	}
	l.exit = e
	close(l.ended)
	ls.journal.exited(*e)
	ls.notify(&protocol.Message{Verb: protocol.Exited, Exit: e})
}

// list is the answer to List, oldest launch first.
func (ls *launches) list() []protocol.Running {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	list := make([]protocol.Running, 0, len(ls.byKey))
	for _, l := range ls.byKey {
		list = append(list, protocol.Running{
			Key: l.key, Launched: l.launched, Ready: l.ready, Listening: slices.Clone(l.listening), Drained: l.drained, Exit: l.exit,
		})
	}
	slices.SortFunc(list, func(a, b protocol.Running) int { return a.Launched.At.Compare(b.Launched.At) })
	return list
}

// ack forgets an exited launch.
func (ls *launches) ack(key protocol.Key) error {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.byKey[key]
	if l == nil {
		return nil
	}
	if l.exit == nil {
		return fmt.Errorf("cannot ack %s: it still runs: %w", key.App, syscall.EBUSY)
	}
	delete(ls.byKey, key)
	return nil
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

// signal serves SignalReq. Tree works for launches that have exited or were acked, too.
func (ls *launches) signal(req protocol.SignalReq) error {
	ls.mu.Lock()
	l := ls.byKey[req.Key]
	ls.mu.Unlock()
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
		err = ls.children.signalGroup(pid, sig)
	}
	if req.Tree {
		ls.tree.signal(&sweep{marker: req.Key.Marker(ls.project), session: pid, grouped: err == nil, sig: sig})
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

// heard records what a launch has said, and tells the daemon.
func (ls *launches) heard(m *protocol.Message, record func()) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	record()
	ls.notify(m)
}

// runs reports whether a launch runs.
func (ls *launches) runs(key protocol.Key) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.byKey[key]
	return l != nil && l.exit == nil
}

// siblingHolds reports whether another launch of the same app runs whose sockets are held.
func (ls *launches) siblingHolds(l *launch) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, other := range ls.byKey {
		if other != l && other.key.App == l.key.App && other.holds && other.exit == nil {
			return true
		}
	}
	return false
}

// open returns the launches whose IPC channel is open, and the channels.
func (ls *launches) open() (who []*launch, channels []*ipc.Channel) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for l := range ls.talking {
		who, channels = append(who, l), append(channels, l.channel)
	}
	return who, channels
}

// closeChannels makes who reads them end.
func (ls *launches) closeChannels() {
	_, channels := ls.open()
	for _, c := range channels {
		c.Close()
	}
}

// longestGrace is the longest time that a launch may take to end.
func (ls *launches) longestGrace() (longest time.Duration) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.byKey {
		longest = max(longest, l.grace.Timeout)
	}
	return longest
}

// close keeps further launches from being made, and returns those that run.
func (ls *launches) close() (running []*launch) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.closed = true
	for _, l := range ls.byKey {
		if l.exit == nil {
			running = append(running, l)
		}
	}
	return running
}
