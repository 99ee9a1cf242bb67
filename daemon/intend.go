package daemon

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
)

// intend makes the next intent out of the present one. When it returns, the keeper has it, and a daemon that dies now has a
// successor that goes on with it: so it comes before every effect. The gates of what waits for anything that is to be run anew
// are closed then, before any process hears of it. The disk gets it meanwhile, see intentFile.notes. A refusal means that
// nothing has changed.
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
	d.gates.update()
	d.file.keep(next.lasting)
	d.changed.fire()
	return nil
}

// enact makes the next intent, and gives the manager its definitions of the named apps, or of all. Gates close before that and
// open after it.
func (d *Daemon) enact(change func(*intent), names ...string) (procs.Changes, *api.Result) {
	d.gates.hold()
	defer d.gates.release()
	var apps []stack.App
	refused := d.intend(func(next *intent) {
		change(next)
		apps = next.Stack.Apps
	})
	if refused != nil {
		return procs.Changes{}, refused
	}
	return d.procs.Apply(apps, names...), nil
}

// wanted is the present intent. Nobody may change what it shares: see intend.
func (d *Daemon) wanted() intent {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.intent
}

// noteRaised notes that services need not be brought up by the next daemon.
func (d *Daemon) noteRaised(services []string) {
	if len(services) == 0 {
		return
	}
	if refused := d.intend(func(next *intent) { next.raised(services...) }); refused != nil && d.ctx.Err() == nil {
		d.log.Warn("cannot note that services were brought up", "err", refused.Error)
	}
}

// followServices notes in the intent what others stop, and what they start again, and in the history what has answered, until
// ctx ends.
func (d *Daemon) followServices(ctx context.Context) {
	var saved map[string]infra.Answer
	for {
		changed := d.changed.next()
		engine, want := d.containers.engine(), d.wanted()
		if engine != nil && want.Stack != nil {
			if answers := engine.Answers(); !maps.Equal(answers, saved) {
				saved = answers
				d.procs.SaveSoon()
			}
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

// save answers `devstack save`.
func (s *server) save(w http.ResponseWriter, _ *http.Request) {
	saved, refused := save(s.d)
	answer(w, saved, refused)
}

func save(d *Daemon) (api.Saved, *api.Error) {
	if d.wanted().Stack == nil {
		return api.Saved{}, unknownName(nil, "")
	}
	if refused := d.intend(func(*intent) {}); refused != nil {
		return api.Saved{}, &api.Error{Exit: refused.Exit, Message: "cannot save: " + refused.Error}
	}
	if err := d.file.kept(d.ctx); err != nil {
		return api.Saved{}, &api.Error{Exit: api.ExitBug, Message: "cannot save: " + err.Error()}
	}
	return savedOf(d.wanted(), intentPath(d.home.StateDir)), nil
}

// savedOf is what of an intent lasts.
func savedOf(i intent, path string) api.Saved {
	return api.Saved{
		Path: path, SavedAt: i.SavedAt, Stopped: orEmpty(slices.Sorted(maps.Keys(i.Stopped))),
		StoppedInstances: i.StoppedInstances, Started: orEmpty(slices.Sorted(maps.Keys(i.Started))), Instances: i.Instances,
	}
}
