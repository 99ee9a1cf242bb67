package daemon

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"devstack/daemon/api"
	"devstack/daemon/preflight"
)

// Resurrect is Run for a daemon whose keeper is a service: with nothing to take over it brings the stack up by itself, as it
// was wanted last, with its own environment as the caller's. What waiting can cure is waited for; for anything else the
// keeper ends with the reason. A stack that is up and not ready stays, is supervised, and may become ready later.
func Resurrect(ctx context.Context, log *slog.Logger, req api.UpRequest) error {
	req.Resurrect = true
	return run(ctx, log, &req)
}

// environ is what the files are read anew with, asked being what a keeper that is a service was started for, or nil: the caller's environment or, where the keeper is a service, the unit's. A
// person's shell knows nothing of the unit's environment file, and what it has instead would restart everything.
func environ(asked *api.UpRequest, callers []string) []string {
	if asked == nil {
		return callers
	}
	return asked.Environment
}

// asUnit is an up by hand as the unit means it.
func asUnit(asked *api.UpRequest, req api.UpRequest) api.UpRequest {
	if asked == nil {
		return req
	}
	req.Environment, req.NoInfra = asked.Environment, asked.NoInfra
	req.Profile = cmp.Or(req.Profile, asked.Profile)
	req.Project = cmp.Or(req.Project, asked.Project)
	return req
}

// bootPauses are between two attempts to bring the stack up.
const (
	firstBootPause = time.Second
	lastBootPause  = 30 * time.Second
)

// bootStep is what follows an attempt.
type bootStep int

const (
	bootDone  bootStep = iota // the stack is up, ready or not, or somebody has ended it
	bootFails                 // waiting cannot cure it
	bootAgain                 // nothing was started, or not every service: later it may work
)

// afterBoot judges an attempt: what is missing in the files, the environment or the machine stays missing. An engine, an image,
// a service or room on a disk may come. With --no-infra services are somebody else's, and gates wait for them.
func afterBoot(r *api.Result, noInfra bool) bootStep {
	services := func(f api.Failure) bool { return f.Exit == api.ExitEngine }
	stays := func(f api.Failure) bool { return f.Exit != api.ExitEngine && f.Resource != preflight.DiskSpace }
	switch {
	case r.Exit == api.ExitDone, r.Exit == api.ExitInterrupted:
		return bootDone
	case r.State == nil && len(r.Failures) > 0 && !slices.ContainsFunc(r.Failures, stays):
		return bootAgain
	case r.State == nil:
		return bootFails
	case !noInfra && slices.ContainsFunc(r.Failures, services):
		return bootAgain
	}
	return bootDone
}

// boot brings the stack up, as often as it takes, unless `down` comes first.
type boot struct {
	d   *Daemon
	req api.UpRequest
}

func (b *boot) run(ctx context.Context) {
	untilDown := b.d.actionContext()
	if refused := b.d.intend(func(next *intent) { next.Booting = true }); refused != nil && ctx.Err() == nil {
		b.d.log.Error("cannot note that the stack starts", "err", refused.Error)
	}
	defer b.end(ctx)
	for pause := firstBootPause; ; pause = min(2*pause, lastBootPause) {
		r := (&up{d: b.d, req: b.req}).run(untilDown)
		if r.Exit != api.ExitDone {
			b.d.log.Warn("the stack is not ready", "err", allReasons(r))
		}
		want := b.d.wanted()
		runs := want.Stack != nil
		switch step := afterBoot(r, b.req.NoInfra); {
		case step == bootFails && !runs:
			b.fail(r)
			return
		case step != bootAgain: // a daemon before this one may have brought up what the files now refuse: it stays
			return
		case runs && len(want.Services) > 0: // what is up stays as it is: only services are tried again
			b.req.Resurrect, b.req.Names = false, want.Services
		case runs:
			return
		}
		b.d.systemd.starts("not started yet: " + strings.ReplaceAll(r.Error, "\n", "; "))
		select {
		case <-time.After(pause):
		case <-untilDown.Done():
			return
		}
	}
}

// fail ends the keeper, and with it the unit, for a reason that its user has to read.
func (b *boot) fail(r *api.Result) {
	b.d.mu.Lock()
	gone := b.d.gone
	b.d.gone = true
	b.d.mu.Unlock()
	if gone {
		return
	}
	text := allReasons(r)
	if r.Hint != "" {
		text += "\nnext:  " + strings.ReplaceAll(r.Hint, "\n", "\n       ")
	}
	b.d.background.Go(func() { // boot is in the background itself
		b.d.end(func(ctx context.Context) error { return b.d.keeper.Fail(ctx, text, int(r.Exit)) })
	})
}

// end notes that the next daemon has nothing left to do of it.
func (b *boot) end(ctx context.Context) {
	if !b.d.wanted().Booting { // down was run
		return
	}
	if refused := b.d.intend(func(next *intent) { next.Booting = false }); refused != nil && ctx.Err() == nil {
		b.d.log.Error("cannot note the end of the start", "err", refused.Error)
	}
}
