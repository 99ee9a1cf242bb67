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

// systemd tells the service manager that runs the keeper how the stack is. Nil does nothing: nobody wants to know.
//
// READY=1 is sent when everything wanted is ready for the first time in this daemon's life; of a unit that is active the
// service manager takes no notice of another one. STATUS= follows every change. WATCHDOG=1 says that the daemon supervises,
// and EXTEND_TIMEOUT_USEC= that it still works on what is not ready.
type systemd struct {
	send  func(context.Context, string) error
	log   *slog.Logger
	every time.Duration // between two signs of life
	wake  chan struct{} // capacity 1

	mu       sync.Mutex // guards what follows
	starting string     // how far an up without a command has come that nothing runs of yet
	now      status
	told     string // the last STATUS=
	ready    bool   // READY=1 was told
	sign     bool   // a sign of life is due
}

// newSystemd is nil without a service manager.
func newSystemd(service *keeper.Service, send func(context.Context, string) error, log *slog.Logger) *systemd {
	if service == nil {
		return nil
	}
	every := signEvery
	if service.WatchdogUSec > 0 {
		every = min(every, time.Duration(service.WatchdogUSec)*time.Microsecond/2)
	}
	return &systemd{send: send, log: log, every: every, starting: "starting", wake: make(chan struct{}, 1)}
}

// signs is when the loop that supervises has to give a sign of life; without a unit never.
func (s *systemd) signs() (signs <-chan time.Time, stop func()) {
	if s == nil {
		return nil, func() {}
	}
	t := time.NewTicker(s.every)
	return t.C, t.Stop
}

// alive gives a sign of life. The loop that judges gates calls it, and nobody else may: each of its rounds takes the locks
// of the daemon, of the manager of processes and of the containers, so a daemon that is stuck in any of them stays silent,
// and so does one whose loop has ended. A goroutine that only sends WATCHDOG=1 would go on in both cases.
func (s *systemd) alive() {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.sign = true
	s.mu.Unlock()
	s.nudge()
}

// is notes how far the stack has come.
func (s *systemd) is(now status) {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.now = now
	s.mu.Unlock()
	s.nudge()
}

// idles notes that there is no stack.
func (s *systemd) idles() {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.now = status{line: s.starting}
	s.mu.Unlock()
	s.nudge()
}

// starts notes how far the start of a stack has come.
func (s *systemd) starts(line string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.starting = line
	s.mu.Unlock()
	s.idles()
}

func (s *systemd) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// message is what there is to tell now; empty: nothing.
func (s *systemd) message() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	if s.now.ready && !s.ready {
		s.ready = true
		lines = append(lines, "READY=1")
	}
	if s.now.line != s.told {
		s.told = s.now.line
		lines = append(lines, "STATUS="+s.told)
	}
	if s.sign {
		s.sign = false
		lines = append(lines, "WATCHDOG=1")
		if !s.now.ready {
			lines = append(lines, "EXTEND_TIMEOUT_USEC="+strconv.FormatInt((s.every+extendBy).Microseconds(), 10))
		}
	}
	return strings.Join(lines, "\n")
}

// run sends until ctx ends. It is not the loop that supervises, so that one never waits for a keeper that hangs.
func (s *systemd) run(ctx context.Context) {
	if s == nil {
		return
	}
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		text := s.message()
		if text == "" {
			continue
		}
		if err := s.send(ctx, text); err != nil && ctx.Err() == nil {
			s.log.Warn("cannot notify the service manager", "err", err)
		}
		select {
		case <-time.After(tellEvery):
		case <-ctx.Done():
			return
		}
	}
}
