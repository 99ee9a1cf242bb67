package native

import (
	"cmp"
	"context"
	"slices"
	"time"

	"devstack/procs/keeper"
)

// life is one run of a server, from just before its launch until its end is recorded.
type life struct {
	key  keeper.Key
	own  bool             // the present keeper's child: it will tell how it ends
	exit chan keeper.Exit // capacity 1
	over chan struct{}    // closed when the end is recorded and told
}

// newLife begins to follow a launch, so that its exit is awaited before the process even runs; false: it is followed already.
func (s *servers) newLife(r record, own bool) (*life, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lives[r.ID]; l != nil && l.key == r.key() {
		return l, false
	}
	l := &life{key: r.key(), own: own, exit: make(chan keeper.Exit, 1), over: make(chan struct{})}
	s.lives[r.ID] = l
	return l, true
}

// followed is the life of a record's last launch; nil: nobody follows it.
func (s *servers) followed(r record) *life {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lives[r.ID]; l != nil && l.key == r.key() {
		return l
	}
	return nil
}

func (s *servers) forget(r record, l *life) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lives[r.ID] == l {
		delete(s.lives, r.ID)
	}
}

// follow is the life of a server that runs; one that nobody follows yet is followed from now on.
func (s *servers) follow(ctx context.Context, r record) *life {
	if l := s.followed(r); l != nil {
		return l
	}
	row, known := s.row(ctx, r.key())
	l, fresh := s.newLife(r, known)
	if !fresh {
		return l
	}
	if row.Exit != nil {
		l.exit <- *row.Exit
	}
	s.watch(r, l)
	return l
}

// watch waits for the end of a process and does what follows from it.
func (s *servers) watch(r record, l *life) {
	s.work.run(func() { s.cutWhile(r, l) })
	s.work.run(func() {
		if waitEnd(s.work.ctx, r.Pid, r.Start) != nil {
			return // closed
		}
		now := s.recordEnd(r, s.exitOf(l))
		s.forget(r, l)
		if l.own {
			s.ack(l.key)
		}
		s.events.tell(r.Project, now.history()...)
		close(l.over)
	})
}

// recordEnd is a record after its end. Another driver may have been the first to see it, have removed the record, or even
// have launched the server again: then what it has written stays.
func (s *servers) recordEnd(r record, exit *keeper.Exit) record {
	exit = cmp.Or(exit, s.place(r).orderly(r))
	s.changing.Lock()
	defer s.changing.Unlock()
	now, err := s.layout.load(r.ID)
	if err != nil || now.Generation != r.Generation {
		r.ended(exit)
		return r
	}
	if now.mayRun() {
		now.ended(exit)
		s.keep(now)
	}
	return now
}

// exitTime is how long the keeper may take to tell of the end of its own child.
const exitTime = 2 * time.Second

// exitOf is how a life has ended; nil: nobody knows.
func (s *servers) exitOf(l *life) *keeper.Exit {
	if !l.own {
		return nil
	}
	select {
	case e := <-l.exit:
		return &e
	case <-time.After(exitTime):
	case <-s.work.ctx.Done():
	}
	row, _ := s.row(s.work.ctx, l.key)
	return row.Exit
}

// exited hands the keeper's word to the life that has ended; false: the launch is none of a server.
func (s *servers) exited(e keeper.Exit) bool {
	if !Owns(e.Key) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lives {
		if l.key == e.Key {
			select {
			case l.exit <- e:
			default:
			}
		}
	}
	return true
}

// row is what the keeper knows about a launch; false: it is none of its own.
func (s *servers) row(ctx context.Context, key keeper.Key) (keeper.Running, bool) {
	if s.keeper == nil {
		return keeper.Running{}, false
	}
	list, err := s.keeper.List(ctx)
	if err != nil {
		s.log.Warn("cannot ask the keeper for its servers", "err", err)
	}
	n := slices.IndexFunc(list, func(r keeper.Running) bool { return r.Key == key })
	if n < 0 {
		return keeper.Running{}, false
	}
	return list[n], true
}

// ack lets the keeper forget an exit that is recorded.
func (s *servers) ack(key keeper.Key) {
	if err := s.keeper.Ack(s.work.ctx, key); err != nil && s.work.ctx.Err() == nil {
		s.log.Warn("cannot tell the keeper that an exit is known", "service", key.App, "err", err)
	}
}
