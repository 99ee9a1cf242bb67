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

// environ is what the files are read anew with: the caller's environment or, where the keeper is a service, the unit's. A
// person's shell knows nothing of the unit's environment file, and what it has instead would restart everything.
func (d *Daemon) environ(callers []string) []string {
	if d.asked == nil {
		return callers
	}
	return d.asked.Environment
}

// asUnit is an up by hand as the unit means it.
func (d *Daemon) asUnit(req api.UpRequest) api.UpRequest {
	if d.asked == nil {
		return req
	}
	req.Environment, req.NoInfra = d.asked.Environment, d.asked.NoInfra
	req.Profile = cmp.Or(req.Profile, d.asked.Profile)
	req.Project = cmp.Or(req.Project, d.asked.Project)
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

// bootIfAsked begins with what this daemon was started for, unless an earlier one has done it.
func (d *Daemon) bootIfAsked(ctx context.Context) {
	d.mu.Lock()
	due := d.asked != nil && d.intent.Down == nil && (d.intent.Stack == nil || d.intent.Booting)
	d.mu.Unlock()
	if !due || !d.enter() { // counted in: a daemon at work does not retire
		return
	}
	d.background.Go(func() {
		d.boot(ctx, *d.asked)
		if ctx.Err() == nil {
			d.leave()
		}
	})
}

// boot brings the stack up, as often as it takes, unless `down` comes first.
func (d *Daemon) boot(ctx context.Context, req api.UpRequest) {
	untilDown := d.actionContext()
	if refused := d.intend(func(next *intent) { next.Booting = true }); refused != nil && ctx.Err() == nil {
		d.log.Error("cannot note that the stack starts", "err", refused.Error)
	}
	defer d.endBoot(ctx)
	for pause := firstBootPause; ; pause = min(2*pause, lastBootPause) {
		r := d.up(untilDown, req)
		if r.Exit != api.ExitDone {
			d.log.Warn("the stack is not ready", "err", allReasons(r))
		}
		services, runs := d.wantedServices()
		switch step := afterBoot(r, req.NoInfra); {
		case step == bootFails && !runs:
			d.failBoot(r)
			return
		case step != bootAgain: // a daemon before this one may have brought up what the files now refuse: it stays
			return
		case runs && len(services) > 0: // what is up stays as it is: only services are tried again
			req.Resurrect, req.Names = false, services
		case runs:
			return
		}
		d.says("not started yet: " + strings.ReplaceAll(r.Error, "\n", "; "))
		select {
		case <-time.After(pause):
		case <-untilDown.Done():
			return
		}
	}
}

// failBoot ends the keeper, and with it the unit, for a reason that its user has to read.
func (d *Daemon) failBoot(r *api.Result) {
	d.mu.Lock()
	gone := d.gone
	d.gone = true
	d.mu.Unlock()
	if gone {
		return
	}
	text := allReasons(r)
	if r.Hint != "" {
		text += "\nnext:  " + strings.ReplaceAll(r.Hint, "\n", "\n       ")
	}
	d.background.Go(func() { // boot is in the background itself
		if err := d.keeper.Fail(d.ctx, text, int(r.Exit)); err != nil && d.ctx.Err() == nil {
			d.log.Error("cannot end the keeper", "err", err)
		}
		close(d.ended)
	})
}

// allReasons is everything that stands in the way, a line each.
func allReasons(r *api.Result) string {
	text := r.Error
	if r.State == nil && len(r.Failures) == 1 { // a refusal: its error is that reason
		return text
	}
	for _, f := range r.Failures {
		text += "\n  " + f.Resource + ": " + f.Message
	}
	return text
}

// endBoot notes that the next daemon has nothing left to do of it.
func (d *Daemon) endBoot(ctx context.Context) {
	if !d.wanted().Booting { // down was run
		return
	}
	if refused := d.intend(func(next *intent) { next.Booting = false }); refused != nil && ctx.Err() == nil {
		d.log.Error("cannot note the end of the start", "err", refused.Error)
	}
}

// wantedServices are the services of the stack that runs, if one does.
func (d *Daemon) wantedServices() (services []string, runs bool) {
	want := d.wanted()
	return want.Services, want.Stack != nil
}

// says is what the service manager shows while there is no stack.
func (d *Daemon) says(status string) {
	d.mu.Lock()
	d.starting = status
	d.mu.Unlock()
	d.changed.fire()
}

// endInOrder is the answer to a keeper that was told to end by a signal: processes in reverse order. Containers stay; the
// servers that it has launched the keeper ends itself, when this daemon has left.
func (d *Daemon) endInOrder() {
	if !d.enter() {
		return // it is on its way
	}
	want := d.wanted()
	d.down(d.ctx, api.DownRequest{KeepInfra: true})
	if err := d.endAdopted(want); err != nil {
		d.log.Error("cannot end the servers", "err", err)
	}
	d.leave()
}

// endAdopted ends servers that have outlived the keeper that launched them: they are nobody's children.
func (d *Daemon) endAdopted(want intent) error {
	if want.Stack == nil || want.driver() == driverNone {
		return nil
	}
	return d.drivers(want.Environment).endAdopted(d.ctx, want.driver(), want.Stack.Project) // down has closed the driver before
}
