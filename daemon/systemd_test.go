package daemon

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	keeper "devstack/procs/keeper/protocol"
)

func TestSystemdMessages(t *testing.T) {
	s := newSystemd(&keeper.Service{WatchdogUSec: 4_000_000}, nil, slog.New(slog.DiscardHandler))
	if s.every != 2*time.Second {
		t.Errorf("a sign every %s", s.every)
	}
	for i, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, ""},
		{func() { s.alive() }, "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=62000000"},
		{func() { s.is(status{line: "0/1 processes ready"}) }, "STATUS=0/1 processes ready"},
		{func() { s.is(status{line: "0/1 processes ready"}) }, ""},
		{func() { s.is(status{ready: true, line: "1/1 processes ready"}); s.alive() }, "READY=1\nSTATUS=1/1 processes ready\nWATCHDOG=1"},
		{func() { s.alive() }, "WATCHDOG=1"},
		{func() { s.is(status{line: "0/1 processes ready"}); s.alive() }, "STATUS=0/1 processes ready\nWATCHDOG=1\nEXTEND_TIMEOUT_USEC=62000000"},
		{func() { s.is(status{ready: true, line: "1/1 processes ready"}) }, "STATUS=1/1 processes ready"}, // the unit is active
		{func() {}, ""},
	} {
		step.do()
		if got := s.message(); got != step.want {
			t.Errorf("step %d: %q, not %q", i, got, step.want)
		}
	}
}

func TestSystemdSignsAreOftenEnough(t *testing.T) {
	for _, tc := range []struct {
		watchdog int64
		every    time.Duration
	}{{0, signEvery}, {60_000_000, signEvery}, {20_000_000, signEvery}, {1_000_000, 500 * time.Millisecond}} {
		if got := newSystemd(&keeper.Service{WatchdogUSec: tc.watchdog}, nil, nil).every; got != tc.every {
			t.Errorf("watchdog %d: every %s, not %s", tc.watchdog, got, tc.every)
		}
	}
}

// Without a service manager everything is allowed and nothing happens.
func TestNoSystemd(t *testing.T) {
	s := newSystemd(nil, func(context.Context, string) error { return errors.New("told") }, nil)
	s.alive()
	s.is(status{ready: true})
	s.run(t.Context())
	if signs, stop := s.signs(); s != nil || signs != nil || stop == nil {
		t.Errorf("systemd %+v", s)
	}
}

// A burst of changes is one notification, and a keeper that hangs keeps nobody from saying how things are.
func TestSystemdCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		hang := make(chan struct{})
		s := newSystemd(&keeper.Service{}, func(_ context.Context, text string) error {
			told = append(told, text)
			if len(told) == 1 {
				<-hang
			}
			return nil
		}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		go s.run(ctx)
		s.is(status{line: "1"})
		synctest.Wait()
		for _, line := range []string{"2", "3", "4"} {
			s.is(status{line: line})
			s.alive()
		}
		close(hang)
		synctest.Wait()
		<-time.After(tellEvery)
		synctest.Wait()
		cancel()
		synctest.Wait()
		if len(told) != 2 || told[0] != "STATUS=1" || told[1] != "STATUS=4\nWATCHDOG=1\nEXTEND_TIMEOUT_USEC=70000000" {
			t.Errorf("told %q", told)
		}
	})
}
