package keeper

import (
	"os"
	"sync"
	"syscall"
	"time"

	"devstack/procs/keeper/protocol"
)

// drainTime is how long a shutdown waits for pipes that survivors of SIGKILL hold open, and for the log files.
const drainTime = 2 * time.Second

// shutdown begins the end and returns at once; false if it has begun before. done, if not nil, is called when
// nothing runs any more and the logs are on disk; the daemon that asked then exits by itself. Servers go on then: the daemon
// has ended those that it wanted to.
func (k *keeper) shutdown(done func()) bool {
	k.mu.Lock()
	if done != nil {
		if k.over {
			done()
		} else {
			k.onOver = append(k.onOver, done)
		}
	}
	if k.ending {
		k.mu.Unlock()
		return false
	}
	k.ending = true
	limit := drainTime
	k.held.CloseAll() // who listens does so still; afterwards clients see that nobody is there
	var running []*launch
	for _, l := range k.launches {
		if l.exit == nil && (done == nil || k.signalled || !l.server) {
			running = append(running, l)
			limit = max(limit, l.grace.Timeout+drainTime)
		}
	}
	ladders := make([]chan struct{}, len(running))
	for i := range ladders {
		ladders[i] = make(chan struct{}, 1)
	}
	k.hurry = ladders
	k.mu.Unlock()
	k.working.Go(func() {
		k.tellStopping(limit)
		k.endLaunches(running, ladders)
		killMarked(ofLaunches(k.opts.ID)) // what launches left behind that exited before
		k.logs.Drain(drainTime)
		k.leave()
		close(k.finished)
	})
	return true
}

// hurryUp halves what is left of every grace time.
func (k *keeper) hurryUp() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, h := range k.hurry {
		select {
		case h <- struct{}{}:
		default:
		}
	}
}

// endLaunches climbs all stop ladders side by side, those of servers when nothing needs them any more.
func (k *keeper) endLaunches(running []*launch, ladders []chan struct{}) {
	for _, servers := range []bool{false, true} {
		var all sync.WaitGroup
		for i, l := range running {
			if l.server == servers {
				all.Go(func() { k.endLaunch(l, ladders[i]) })
			}
		}
		all.Wait()
	}
}

// endLaunch: signal or message, grace, SIGKILL; then whatever descends from it.
func (k *keeper) endLaunch(l *launch, hurry <-chan struct{}) {
	req := protocol.SignalReq{Key: l.key, Signal: l.grace.Signal}
	if req.Signal == 0 {
		req.Signal = int(syscall.SIGTERM)
	}
	if l.grace.OverIPC && l.channel != nil {
		req.Message = `"shutdown"`
	}
	deadline := time.Now().Add(l.grace.Timeout)
	if err := k.signal(req); err != nil {
		k.log.Warn("cannot ask to end", "app", l.key.App, "instance", l.key.Instance, "gen", l.key.Generation, "err", err)
	}
	for over := false; !over; {
		timer := time.NewTimer(time.Until(deadline))
		select {
		case <-l.ended:
			over = true
		case <-timer.C:
			over = true
		case <-hurry:
			deadline = time.Now().Add(time.Until(deadline) / 2)
		}
		timer.Stop()
	}
	_ = k.signal(protocol.SignalReq{Key: l.key, Signal: int(syscall.SIGKILL), Tree: true})
	select {
	case <-l.ended:
	case <-time.After(5 * time.Second):
		k.log.Error("cannot kill: the kernel does not let go", "app", l.key.App, "instance", l.key.Instance, "gen", l.key.Generation)
	}
}

// leave lets the daemon go and removes the socket; the locks end with the process.
func (k *keeper) leave() {
	k.mu.Lock()
	s := k.session
	asked := len(k.onOver) > 0
	k.over = true
	for _, done := range k.onOver {
		done()
	}
	k.mu.Unlock()
	if s != nil {
		if asked {
			select {
			case <-s.ended:
			case <-time.After(leaveTime):
			}
		}
		k.endDaemon(s, syscall.SIGTERM)
	}
	k.listener.Close()
	if err := k.place.Truncate(0); err != nil {
		k.log.Warn("cannot empty keeper.lock", "err", err)
	}
	if err := os.Remove(k.opts.Socket); err != nil && !os.IsNotExist(err) {
		k.log.Warn("cannot remove the API socket", "err", err)
	}
}
