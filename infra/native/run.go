package native

import (
	"context"
	"slices"
	"time"

	"devstack/infra"
	keeper "devstack/procs/keeper/protocol"
)

// run is one life of a server, from just before its launch until its end is recorded.
type run struct {
	key     keeper.Key
	own     bool             // the present keeper's child: it will tell the exit code
	exit    chan keeper.Exit // capacity 1
	over    chan struct{}    // closed when the end is recorded and told
	stopped bool             // we have asked it to end; guarded by Driver.mu
}

// watched says whether a run of this very life is followed.
func (d *Driver) watched(r record) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	own := d.runs[r.ID]
	return own != nil && own.key == r.key()
}

// newRun registers a life, so that its exit is awaited before the process even runs.
func (d *Driver) newRun(r record, own bool) *run {
	life := &run{key: r.key(), own: own, exit: make(chan keeper.Exit, 1), over: make(chan struct{})}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.runs[r.ID] = life
	return life
}

func (d *Driver) forget(r record, life *run) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.runs[r.ID] == life {
		delete(d.runs, r.ID)
	}
}

// follow is the run of a server that runs; one that nobody follows yet is followed from now on.
func (d *Driver) follow(ctx context.Context, r record) *run {
	d.mu.Lock()
	life := d.runs[r.ID]
	d.mu.Unlock()
	if life != nil && life.key == r.key() {
		return life
	}
	row, known := d.row(ctx, r.key())
	life = d.newRun(r, known)
	if known && row.Exit != nil {
		life.exit <- *row.Exit
	}
	d.watch(r, life)
	return life
}

// watch waits for the end of a process and does what follows from it.
func (d *Driver) watch(r record, life *run) {
	d.spawn(func() { d.cutWhile(r, life) })
	d.spawn(func() {
		if waitEnd(d.ctx, r.Pid, r.Start) != nil {
			return // closed
		}
		exit := d.exitOf(life)
		d.acting.Lock()
		now, err := d.layout.load(r.ID)
		if err != nil || now.Generation != r.Generation {
			now = r // removed meanwhile
		}
		d.mu.Lock()
		byUs := life.stopped
		d.mu.Unlock()
		if exit == nil {
			exit = d.orderly(r)
		}
		if now.State != exited || byUs { // else another driver has seen the end first
			now.ended(exit, byUs)
		}
		if err == nil {
			d.keep(now)
		}
		d.forget(r, life)
		d.acting.Unlock()
		if life.own {
			d.ack(life.key)
		}
		d.tell(r.Project, now.history()...)
		close(life.over)
	})
}

// exitTime is how long the keeper may take to tell of the end of its own child.
const exitTime = 2 * time.Second

// exitOf is how a life has ended; nil: nobody knows.
func (d *Driver) exitOf(life *run) *keeper.Exit {
	if !life.own {
		return nil
	}
	select {
	case e := <-life.exit:
		return &e
	case <-time.After(exitTime):
	case <-d.ctx.Done():
	}
	row, _ := d.row(d.ctx, life.key)
	return row.Exit
}

// Exited takes the keeper's word that a server has ended, and acks it; false: the launch is none of a server. An end that
// this driver does not follow stays with the keeper until somebody looks at the service.
func (d *Driver) Exited(e keeper.Exit) bool {
	if !Owns(e.Key) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, life := range d.runs {
		if life.key == e.Key {
			select {
			case life.exit <- e:
			default:
			}
		}
	}
	return true
}

// history are the events of a record's last life, as Docker would have told them.
func (r record) history() []infra.EngineEvent {
	event := func(at time.Time, action string) infra.EngineEvent {
		return infra.EngineEvent{At: at, Container: r.ID, Service: r.Service, Action: action}
	}
	var out []infra.EngineEvent
	if r.State == running {
		return append(out, event(r.StartedAt, "start"))
	}
	if r.State != exited {
		return nil
	}
	if r.Asked || r.Stopped {
		kill := event(r.FinishedAt, "kill")
		kill.Signal = "15"
		out = append(out, kill)
	}
	die := event(r.FinishedAt, "die")
	die.ExitCode = r.ExitCode
	out = append(out, die)
	if r.Stopped {
		out = append(out, event(r.FinishedAt, "stop"))
	}
	return out
}

// subscriber is one reader of events.
type subscriber struct {
	project string
	queue   []infra.EngineEvent // guarded by Driver.mu
	wake    chan struct{}       // capacity 1
}

// tell lets every reader of the project know. Nobody waits for one.
func (d *Driver) tell(project string, events ...infra.EngineEvent) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for s := range d.subscribers {
		if s.project != project {
			continue
		}
		s.queue = append(s.queue, events...)
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// Events tells from the records what was the last to happen, and then, without until, what happens.
func (d *Driver) Events(ctx context.Context, project string, since, until time.Time) (<-chan infra.EngineEvent, error) {
	s := &subscriber{project: project, wake: make(chan struct{}, 1)}
	if until.IsZero() {
		d.mu.Lock()
		d.subscribers[s] = true
		d.mu.Unlock()
	}
	all, err := d.records(ctx, project)
	if err != nil {
		d.unsubscribe(s)
		return nil, err
	}
	var past []infra.EngineEvent
	for _, r := range all {
		r = d.settled(ctx, r)
		if until.IsZero() && r.State == running {
			d.follow(ctx, r)
		}
		past = append(past, r.history()...)
	}
	// What this very look has found out is told, too, though it may be noted as a little later than until.
	past = slices.DeleteFunc(past, func(e infra.EngineEvent) bool { return e.At.Before(since) })
	slices.SortStableFunc(past, func(a, b infra.EngineEvent) int { return a.At.Compare(b.At) })
	out := make(chan infra.EngineEvent)
	d.mu.Lock()
	s.queue = append(past, s.queue...)
	d.mu.Unlock()
	d.spawn(func() {
		defer close(out)
		defer d.unsubscribe(s)
		d.deliver(ctx, s, out, until.IsZero())
	})
	return out, nil
}

func (d *Driver) unsubscribe(s *subscriber) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.subscribers, s)
}

func (d *Driver) deliver(ctx context.Context, s *subscriber, out chan<- infra.EngineEvent, live bool) {
	for {
		d.mu.Lock()
		batch := s.queue
		s.queue = nil
		d.mu.Unlock()
		for _, event := range batch {
			select {
			case out <- event:
			case <-ctx.Done():
				return
			case <-d.ctx.Done():
				return
			}
		}
		if len(batch) > 0 {
			continue
		}
		if !live {
			return
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		case <-d.ctx.Done():
			return
		}
	}
}
