package daemon

import (
	"context"
	"maps"
	"slices"
	"time"

	"devstack/infra"
	"devstack/view"
)

// patienceAtStart is how long a new daemon lets its first clients wait until it knows about the containers.
const patienceAtStart = time.Second

// resume watches again the services that an earlier daemon has started. An engine that does not answer is asked again until it
// does: meanwhile nobody knows about the containers, and gates stay closed.
type resume struct {
	d       *Daemon
	project infra.Project
	watched time.Time // until then the engine's events are accounted for
	answers map[string]infra.Answer
}

// run returns when the services are known, or patienceAtStart is over.
func (r *resume) run(ctx context.Context) {
	want := r.d.wanted()
	var err error
	if r.project, err = projectOf(want); err != nil || r.project.Project == nil {
		return
	}
	if want.NoInfra {
		r.d.containers.set(infra.Watch(r.project, r.d.publish))
		return
	}
	resumed := make(chan struct{})
	r.d.background.Go(func() {
		defer close(resumed)
		r.untilDone(ctx)
	})
	select {
	case <-resumed:
	case <-time.After(patienceAtStart):
	}
}

func (r *resume) untilDone(ctx context.Context) {
	for pause := 100 * time.Millisecond; r.d.containers.get() == nil; pause = min(2*pause, 5*time.Second) {
		err := r.once(ctx)
		if err == nil {
			return
		}
		r.d.log.Warn("cannot watch the services yet", "err", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// once goes on with the services, also with a start or a stop of them that was under way.
func (r *resume) once(ctx context.Context) error {
	want := r.d.wanted()
	engine, err := r.d.containers.reconnect(ctx, want)
	if err != nil {
		return err
	}
	if err := engine.Resume(ctx, r.project, want.StoppedServices, r.answers, r.watched); err != nil {
		engine.Close()
		return err
	}
	r.d.containers.set(engine)
	for _, s := range engine.Snapshot() {
		var err error
		switch {
		case want.StoppedServices[s.Name] == view.ByDevstack && s.State == "running":
			err = engine.Stop(ctx, s.Name)
		case want.Raising[s.Name]:
			err = engine.Start(ctx, s.Name)
		}
		if err != nil {
			r.d.log.Warn("cannot go on with what a command has begun", "service", s.Name, "err", err)
		}
	}
	r.d.noteRaised(slices.Collect(maps.Keys(want.Raising)))
	return nil
}
