package keeper

import (
	"log/slog"
	"sync"
	"syscall"
	"time"

	"devstack/procs/keeper/logs"
	"devstack/procs/keeper/protocol"
)

const (
	drainTime   = 2 * time.Second // for pipes that survivors of SIGKILL hold open, and for the log files
	orderlyTime = time.Minute     // how long a daemon may take, at least, to stop what runs in its order
)

// shutdown is the end of the keeper and of what it runs.
type shutdown struct {
	project  string
	log      *slog.Logger
	launches *launches
	sockets  *heldSockets
	daemon   *supervisor
	logs     *logs.Recorder
	release  func()         // gives up what other processes find the keeper by
	finished chan struct{}  // closed when it is complete
	working  sync.WaitGroup // who waits for a daemon to stop everything, and who ends what runs

	mu     sync.Mutex // guards what follows
	asked  bool       // SIGTERM or SIGINT has come
	begun  bool
	over   bool            // nothing runs any more, the logs are on disk
	onOver []func()        // answers to those who asked for it
	hurry  []chan struct{} // one per stop ladder: halve what is left of the grace
	failed *FailedError    // why Run returns an error
}

// signalled is the answer to SIGTERM and SIGINT. The first one lets the daemon stop what runs in order, dependents
// first. A daemon that cannot, dies meanwhile or takes too long leaves that to the keeper, which ends everything at once;
// so does the second signal. Each further one halves what is left of the grace times.
func (e *shutdown) signalled() {
	s := e.daemon.current()
	e.mu.Lock()
	orderly := !e.asked && !e.begun && s != nil && s.orderly.Load()
	e.asked = true
	e.mu.Unlock()
	if !orderly {
		if !e.begin(nil) {
			e.hurryUp()
		}
		return
	}
	limit := max(orderlyTime, e.launches.longestGrace()+10*time.Second)
	e.tellStopping(limit)
	s.out.add(&protocol.Message{Verb: protocol.End})
	e.working.Go(func() {
		select {
		case <-s.ended:
		case <-time.After(limit):
			e.log.Warn("the daemon does not get done", "daemon", s.pid)
		case <-e.finished:
		}
		e.begin(nil)
	})
}

// begin begins the end and returns at once; false if it has begun before. done, if not nil, is called when
// nothing runs any more and the logs are on disk; the daemon that asked then exits by itself. Servers go on then: the daemon
// has ended those that it wanted to.
func (e *shutdown) begin(done func()) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if done != nil {
		if e.over {
			done()
		} else {
			e.onOver = append(e.onOver, done)
		}
	}
	if e.begun {
		return false
	}
	e.begun = true
	e.daemon.close()
	limit := drainTime
	var running []*launch
	for _, l := range e.launches.close() {
		if done == nil || e.asked || !l.server {
			running = append(running, l)
			limit = max(limit, l.grace.Timeout+drainTime)
		}
	}
	e.sockets.close()
	ladders := make([]chan struct{}, len(running))
	for i := range ladders {
		ladders[i] = make(chan struct{}, 1)
	}
	e.hurry = ladders
	e.working.Go(func() {
		e.tellStopping(limit)
		e.endLaunches(running, ladders)
		killMarked(ofLaunches(e.project)) // what launches left behind that exited before
		e.logs.Drain(drainTime)
		e.leave()
		close(e.finished)
	})
	return true
}

// begins reports whether the end has begun, or is asked for.
func (e *shutdown) begins() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.begun || e.asked
}

func (e *shutdown) tellStopping(limit time.Duration) {
	if err := tellStopping(limit); err != nil {
		e.log.Warn("cannot notify the service manager", "err", err)
	}
}

// hurryUp halves what is left of every grace time.
func (e *shutdown) hurryUp() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, h := range e.hurry {
		select {
		case h <- struct{}{}:
		default:
		}
	}
}

// endLaunches climbs all stop ladders side by side, those of servers when nothing needs them any more.
func (e *shutdown) endLaunches(running []*launch, ladders []chan struct{}) {
	for _, servers := range []bool{false, true} {
		var all sync.WaitGroup
		for i, l := range running {
			if l.server == servers {
				all.Go(func() { e.endLaunch(l, ladders[i]) })
			}
		}
		all.Wait()
	}
}

// endLaunch: signal or message, grace, SIGKILL; then whatever descends from it.
func (e *shutdown) endLaunch(l *launch, hurry <-chan struct{}) {
	req := protocol.SignalReq{Key: l.key, Signal: l.grace.Signal}
	if req.Signal == 0 {
		req.Signal = int(syscall.SIGTERM)
	}
	if l.grace.OverIPC && l.channel != nil {
		req.Message = `"shutdown"`
	}
	deadline := time.Now().Add(l.grace.Timeout)
	if err := e.launches.signal(req); err != nil {
		e.log.Warn("cannot ask to end", "app", l.key.App, "instance", l.key.Instance, "gen", l.key.Generation, "err", err)
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
	_ = e.launches.signal(protocol.SignalReq{Key: l.key, Signal: int(syscall.SIGKILL), Tree: true})
	select {
	case <-l.ended:
	case <-time.After(5 * time.Second):
		e.log.Error("cannot kill: the kernel does not let go", "app", l.key.App, "instance", l.key.Instance, "gen", l.key.Generation)
	}
}

// leave lets the daemon go, then what other processes find the keeper by.
func (e *shutdown) leave() {
	s := e.daemon.current()
	e.mu.Lock()
	asked := len(e.onOver) > 0
	e.over = true
	for _, done := range e.onOver {
		done()
	}
	e.mu.Unlock()
	if s != nil {
		if asked {
			select {
			case <-s.ended:
			case <-time.After(leaveTime):
			}
		}
		e.daemon.end(s, syscall.SIGTERM)
	}
	e.release()
}

// FailedError is returned by Run when the daemon has ended the keeper because the stack cannot run.
type FailedError struct {
	Text string
	Code int // the exit code that the daemon wants for it
}

func (e *FailedError) Error() string { return e.Text }

// fail notes why Run is to return an error; the first reason stays.
func (e *shutdown) fail(text string, code int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if text != "" && e.failed == nil {
		e.failed = &FailedError{Text: text, Code: code}
	}
}

// failure is what Run returns.
func (e *shutdown) failure() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failed == nil {
		return nil
	}
	return e.failed
}
