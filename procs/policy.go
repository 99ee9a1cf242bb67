package procs

import (
	"fmt"
	"math"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"devstack/probe"
	"devstack/stack"
)

// maxBackoff is the longest that a growing restart delay gets.
const maxBackoff = 15 * time.Second

// Policy is what an app's definition says about restarting and stopping it.
type Policy struct {
	OneShot       bool
	Autorestart   bool
	MaxRestarts   int // -1: no limit
	MinUptime     time.Duration
	RestartDelay  *time.Duration // nil: growing, from BackoffBase
	BackoffBase   time.Duration
	StopExitCodes []int
	ListenTimeout time.Duration
	AnyPort       bool // nothing tells when it is ready but the first port that it opens
	Overlap       bool // a reload may run the new launch beside the old one, on the same socket

	KillSignal          syscall.Signal
	KillTimeout         time.Duration
	ShutdownWithMessage bool
}

// policyOf never fails: the loader has checked kill_signal; an unknown name means SIGTERM.
func policyOf(app stack.App) Policy {
	sig, err := ParseSignal(app.KillSignal)
	if err != nil {
		sig = syscall.SIGTERM
	}
	p := Policy{
		OneShot:       app.OneShot,
		Autorestart:   app.Autorestart,
		MaxRestarts:   app.MaxRestarts,
		MinUptime:     app.MinUptime,
		RestartDelay:  app.RestartDelay,
		BackoffBase:   app.BackoffBase,
		StopExitCodes: app.StopExitCodes,
		ListenTimeout: app.ListenTimeout,

		KillSignal:          sig,
		KillTimeout:         app.KillTimeout,
		ShutdownWithMessage: app.ShutdownWithMessage,
	}
	p.AnyPort = expected(app) == probe.Unchecked
	p.Overlap = app.HoldsSockets()
	if hc := app.Healthcheck; hc != nil {
		// Whoever accepts first would answer for the new one.
		p.Overlap = p.Overlap && (app.RunsNode() || hc.HTTP == "" && hc.TCP == "")
		p.ListenTimeout = max(p.ListenTimeout, hc.StartPeriod)
	}
	return p
}

// restartDelay is the wait before the restart after so many unstable exits in a row. Without a fixed delay the first
// restart comes at once.
func (p Policy) restartDelay(unstable int) time.Duration {
	switch {
	case p.RestartDelay != nil:
		return *p.RestartDelay
	case unstable <= 1:
		return 0
	}
	return p.backoff(unstable - 1)
}

// backoff grows by half each time, from BackoffBase (default 100 ms) to maxBackoff; n starts at 1.
func (p Policy) backoff(n int) time.Duration {
	base := p.BackoffBase
	if base <= 0 {
		base = 100 * time.Millisecond
	}
	d := float64(base) * math.Pow(1.5, float64(n-1))
	return time.Duration(min(d, float64(maxBackoff)))
}

// ParseSignal reads SIGTERM, TERM or sigterm.
func ParseSignal(name string) (syscall.Signal, error) {
	name = strings.ToUpper(name)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if sig := unix.SignalNum(name); sig != 0 {
		return sig, nil
	}
	return 0, fmt.Errorf("unknown signal %q", name)
}
