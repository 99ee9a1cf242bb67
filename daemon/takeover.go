package daemon

import (
	"context"
	"fmt"

	"devstack/daemon/api"
	"devstack/procs"
)

// takeOver asks the keeper what is running and what is wanted, and goes on from there. Nobody else uses d yet.
func (d *Daemon) takeOver(ctx context.Context) error {
	running, err := d.keeper.List(ctx)
	if err != nil {
		return fmt.Errorf("cannot learn what is running: %w", err)
	}
	running = onlyProcesses(running)
	blob, err := d.keeper.Fetch(ctx)
	if err != nil {
		return fmt.Errorf("cannot fetch what is wanted: %w", err)
	}
	if d.intent, err = decodeIntent(blob); err != nil || len(blob) == 0 { // what the keeper does not know, the disk may
		if d.intent.lasting, d.lost = readIntent(d.home.StateDir); d.lost != nil {
			d.log.Warn("nothing is known to be stopped or scaled", "err", d.lost)
			d.file.unusable = true
		}
	}
	if err != nil {
		// Nobody knows what the running processes are any more: they are ended, and the next up begins anew.
		d.log.Error("cannot read what is wanted", "err", err)
		return d.procs.Restore(procs.Taken{Running: running})
	}
	want := d.wanted()
	if want.Stack == nil {
		return nil
	}
	past := d.history.load()
	if want.Version == 0 { // an earlier devstackd had that in its history
		want.StoppedServices = past.Stopped
	}
	d.intent = want // from here on the history is saved, and exits are acked only after that
	d.file.keep(want.lasting)
	taken := procs.Taken{Apps: want.Stack.Apps, Saved: past.Processes, Running: running, Wish: want.wish, Gates: want.unproven}
	if err := d.procs.Restore(taken); err != nil {
		d.log.Error("cannot restore the processes' history", "err", err)
		taken.Saved = nil
		if err := d.procs.Restore(taken); err != nil {
			return err
		}
	}
	d.procs.Settled(ctx) // no client is told what was true before
	d.log.Info("took over", "processes", len(running), "project", want.Stack.Project)
	if want.Down == nil {
		(&resume{d: d, watched: past.At, answers: past.Services}).run(ctx)
	}
	return nil
}

// goOn goes on with a down that an earlier daemon has begun, or else begins with what this one was started for, unless an
// earlier one has done it.
func (d *Daemon) goOn(ctx context.Context) {
	want := d.wanted()
	booting := d.asked != nil && (want.Stack == nil || want.Booting)
	if want.Down == nil && !booting || !d.enter() { // counted in: a daemon at work does not retire
		return
	}
	d.background.Go(func() {
		if want.Down == nil {
			(&boot{d: d, req: *d.asked}).run(ctx)
		} else if r := (&down{d: d, req: *want.Down}).run(ctx); r.Exit != api.ExitDone {
			d.log.Error("cannot go on with down", "err", allReasons(r))
		}
		if want.Down != nil || ctx.Err() == nil {
			d.leave()
		}
	})
}
