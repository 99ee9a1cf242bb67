package daemon

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"devstack/daemon/api"
	"devstack/procs"
)

// intend makes the next intent out of the present one. When it returns, the keeper has it, and a daemon that dies now has a
// successor that goes on with it: so it comes before every effect. The disk gets it meanwhile, see kept. A refusal means
// that nothing has changed.
func (d *Daemon) intend(change func(*intent)) *api.Result {
	d.intending.Lock()
	defer d.intending.Unlock()
	next := d.wanted().clone()
	change(&next)
	next.SavedAt = time.Now()
	blob, err := next.encode()
	if err == nil {
		err = d.keeper.Stash(d.ctx, blob)
	}
	if err != nil {
		return refusal(api.Failure{Resource: "daemon", Exit: api.ExitBug, Message: "cannot hand what is wanted to the keeper: " + err.Error()})
	}
	d.mu.Lock()
	d.intent = next
	d.mu.Unlock()
	d.file.keep(next.lasting)
	d.changed.fire()
	return nil
}

// wanted is the present intent. Nobody may change what it shares: see intend.
func (d *Daemon) wanted() intent {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.intent
}

// kept waits until the intent is on disk, so that an answer outlives a reboot, or says why it would not.
func (d *Daemon) kept() (notes []string) {
	if d.file == nil {
		return nil
	}
	if err := d.file.kept(d.ctx); err != nil && d.ctx.Err() == nil {
		return []string{"what is stopped and scaled is not on disk, so a reboot would forget it: " + err.Error()}
	}
	return nil
}

// saveNow is `devstack save`.
func (d *Daemon) saveNow() (api.Saved, *api.Error) {
	if d.wanted().Stack == nil {
		return api.Saved{}, unknownName(nil, "")
	}
	if refused := d.intend(func(*intent) {}); refused != nil {
		return api.Saved{}, &api.Error{Exit: refused.Exit, Message: "cannot save: " + refused.Error}
	}
	if err := d.file.kept(d.ctx); err != nil {
		return api.Saved{}, &api.Error{Exit: api.ExitBug, Message: "cannot save: " + err.Error()}
	}
	return d.wanted().saved(intentPath(d.home.StateDir)), nil
}

// saved is what of an intent lasts, as `devstack save` says it.
func (i intent) saved(path string) api.Saved {
	return api.Saved{
		Path: path, SavedAt: i.SavedAt, Stopped: orEmpty(slices.Sorted(maps.Keys(i.Stopped))),
		StoppedInstances: i.StoppedInstances, Started: orEmpty(slices.Sorted(maps.Keys(i.Started))), Instances: i.Instances,
	}
}

// followServices notes in the intent what others stop, and what they start again, until ctx ends.
func (d *Daemon) followServices(ctx context.Context) {
	for {
		changed := d.changed.next()
		engine, want := d.currentEngine(), d.wanted()
		if engine != nil && want.Stack != nil {
			now := engine.Stopped()
			if !maps.Equal(byOthers(now), byOthers(want.StoppedServices)) {
				if refused := d.intend(func(next *intent) { next.stoppedByOthers(now) }); refused != nil && ctx.Err() == nil {
					d.log.Warn("cannot note what others have stopped", "err", refused.Error)
				}
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// takeIntent makes what the keeper knows to be wanted the intent. What it does not know yet, the disk may.
func (d *Daemon) takeIntent(blob []byte) (err error) {
	if d.intent, err = decodeIntent(blob); err == nil && len(blob) > 0 {
		return nil
	}
	if d.intent.lasting, d.lost = readIntent(d.home.StateDir); d.lost != nil {
		d.log.Warn("nothing is known to be stopped or scaled", "err", d.lost)
		d.file.unusable = true
	}
	return err
}

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
	if err := d.takeIntent(blob); err != nil {
		// Nobody knows what the running processes are any more: they are ended, and the next up begins anew.
		d.log.Error("cannot read what is wanted", "err", err)
		return d.procs.Restore(procs.Taken{Running: running})
	}
	want := d.intent
	if want.Stack == nil {
		return nil
	}
	past := d.loadHistory()
	if want.Version == 0 { // an earlier devstackd had that in its history
		want.StoppedServices = past.Stopped
	}
	d.intent, d.watched = want, past.At // from here on the history is saved, and exits are acked only after that
	d.file.keep(want.lasting)
	taken := procs.Taken{Apps: want.Stack.Apps, Saved: past.Processes, Running: running, Wish: want.wish}
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
		d.resumeContainers(ctx, want, past.At)
	}
	return nil
}
