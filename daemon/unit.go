package daemon

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	keeper "devstack/procs/keeper/protocol"
)

const (
	// signEvery is the pause between two signs of life, or half of what the service manager allows if that is less: a
	// daemon that hangs is noticed and replaced within half a minute, and the watchdog's time must not run out meanwhile.
	signEvery = 10 * time.Second
	// extendBy is how long the service manager lets a stack go on starting, or stopping, after each sign of life.
	extendBy = time.Minute
	// tellEvery is the shortest pause between two notifications: of a burst of changes the last one is told.
	tellEvery = 200 * time.Millisecond
)

// unit tells the service manager that runs the keeper how the stack is. Nil does nothing: nobody wants to know.
//
// READY=1 is sent when everything wanted is ready for the first time in this daemon's life; of a unit that is active the
// service manager takes no notice of another one. STATUS= follows every change. WATCHDOG=1 says that the daemon supervises,
// and EXTEND_TIMEOUT_USEC= that it still works on what is not ready.
type unit struct {
	send  func(context.Context, string) error
	log   *slog.Logger
	every time.Duration // between two signs of life
	wake  chan struct{} // capacity 1

	mu     sync.Mutex
	now    progress
	status string // as last told
	ready  bool   // told
	sign   bool   // a sign of life is due
}

// newUnit is nil without a service manager.
func newUnit(s *keeper.Service, send func(context.Context, string) error, log *slog.Logger) *unit {
	if s == nil {
		return nil
	}
	every := signEvery
	if s.WatchdogUSec > 0 {
		every = min(every, time.Duration(s.WatchdogUSec)*time.Microsecond/2)
	}
	return &unit{send: send, log: log, every: every, wake: make(chan struct{}, 1)}
}

// signs is when the loop that supervises has to give a sign of life; without a unit never.
func (u *unit) signs() (signs <-chan time.Time, stop func()) {
	if u == nil {
		return nil, func() {}
	}
	t := time.NewTicker(u.every)
	return t.C, t.Stop
}

// alive gives a sign of life. The loop that judges gates calls it, and nobody else may: each of its rounds takes the locks
// of the daemon, of the manager of processes and of the containers, so a daemon that is stuck in any of them stays silent,
// and so does one whose loop has ended. A goroutine that only sends WATCHDOG=1 would go on in both cases.
func (u *unit) alive() {
	if u == nil {
		return
	}
	u.mu.Lock()
	u.sign = true
	u.mu.Unlock()
	u.nudge()
}

// is notes how far the stack has come.
func (u *unit) is(now progress) {
	if u == nil {
		return
	}
	u.mu.Lock()
	u.now = now
	u.mu.Unlock()
	u.nudge()
}

func (u *unit) nudge() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// message is what there is to tell now; empty: nothing.
func (u *unit) message() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var lines []string
	if u.now.ready && !u.ready {
		u.ready = true
		lines = append(lines, "READY=1")
	}
	if u.now.status != u.status {
		u.status = u.now.status
		lines = append(lines, "STATUS="+u.status)
	}
	if u.sign {
		u.sign = false
		lines = append(lines, "WATCHDOG=1")
		if !u.now.ready {
			lines = append(lines, "EXTEND_TIMEOUT_USEC="+strconv.FormatInt((u.every+extendBy).Microseconds(), 10))
		}
	}
	return strings.Join(lines, "\n")
}

// run sends until ctx ends. It is not the loop that supervises, so that one never waits for a keeper that hangs.
func (u *unit) run(ctx context.Context) {
	if u == nil {
		return
	}
	for {
		select {
		case <-u.wake:
		case <-ctx.Done():
			return
		}
		text := u.message()
		if text == "" {
			continue
		}
		if err := u.send(ctx, text); err != nil && ctx.Err() == nil {
			u.log.Warn("cannot notify the service manager", "err", err)
		}
		select {
		case <-time.After(tellEvery):
		case <-ctx.Done():
			return
		}
	}
}
