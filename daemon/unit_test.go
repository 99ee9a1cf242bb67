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

func TestUnitMessages(t *testing.T) {
	u := newUnit(&keeper.Service{WatchdogUSec: 4_000_000}, nil, slog.New(slog.DiscardHandler))
	if u.every != 2*time.Second {
		t.Errorf("a sign every %s", u.every)
	}
	for i, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, ""},
		{func() { u.alive() }, "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=62000000"},
		{func() { u.is(progress{status: "0/1 processes ready"}) }, "STATUS=0/1 processes ready"},
		{func() { u.is(progress{status: "0/1 processes ready"}) }, ""},
		{func() { u.is(progress{ready: true, status: "1/1 processes ready"}); u.alive() }, "READY=1\nSTATUS=1/1 processes ready\nWATCHDOG=1"},
		{func() { u.alive() }, "WATCHDOG=1"},
		{func() { u.is(progress{status: "0/1 processes ready"}); u.alive() }, "STATUS=0/1 processes ready\nWATCHDOG=1\nEXTEND_TIMEOUT_USEC=62000000"},
		{func() { u.is(progress{ready: true, status: "1/1 processes ready"}) }, "STATUS=1/1 processes ready"}, // the unit is active
		{func() {}, ""},
	} {
		step.do()
		if got := u.message(); got != step.want {
			t.Errorf("step %d: %q, not %q", i, got, step.want)
		}
	}
}

func TestUnitSignsAreOftenEnough(t *testing.T) {
	for _, tc := range []struct {
		watchdog int64
		every    time.Duration
	}{{0, signEvery}, {60_000_000, signEvery}, {20_000_000, signEvery}, {1_000_000, 500 * time.Millisecond}} {
		if got := newUnit(&keeper.Service{WatchdogUSec: tc.watchdog}, nil, nil).every; got != tc.every {
			t.Errorf("watchdog %d: every %s, not %s", tc.watchdog, got, tc.every)
		}
	}
}

// Without a service manager everything is allowed and nothing happens.
func TestNoUnit(t *testing.T) {
	u := newUnit(nil, func(context.Context, string) error { return errors.New("told") }, nil)
	u.alive()
	u.is(progress{ready: true})
	u.run(t.Context())
	if signs, stop := u.signs(); u != nil || signs != nil || stop == nil {
		t.Errorf("unit %+v", u)
	}
}

// A burst of changes is one notification, and a keeper that hangs keeps nobody from saying how things are.
func TestUnitCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		hang := make(chan struct{})
		u := newUnit(&keeper.Service{}, func(_ context.Context, text string) error {
			told = append(told, text)
			if len(told) == 1 {
				<-hang
			}
			return nil
		}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		go u.run(ctx)
		u.is(progress{status: "1"})
		synctest.Wait()
		for _, status := range []string{"2", "3", "4"} {
			u.is(progress{status: status})
			u.alive()
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
