package native

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	keeper "devstack/procs/keeper/protocol"
)

// life is one run of a server, from just before its launch until its end is recorded.
type life struct {
	key  keeper.Key
	own  bool             // the present keeper's child: it will tell how it ends
	exit chan keeper.Exit // capacity 1
	over chan struct{}    // closed when the end is recorded and told
}

// lives are the servers that are followed.
type lives struct {
	mu   sync.Mutex       // guards byID
	byID map[string]*life // by container
}

// begin follows a launch, so that its exit is awaited before the process even runs; false: it is followed already.
func (v *lives) begin(r record, own bool) (*life, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if l := v.byID[r.ID]; l != nil && l.key == r.key() {
		return l, false
	}
	l := &life{key: r.key(), own: own, exit: make(chan keeper.Exit, 1), over: make(chan struct{})}
	v.byID[r.ID] = l
	return l, true
}

// of is the life of a record's last launch; nil: nobody follows it.
func (v *lives) of(r record) *life {
	v.mu.Lock()
	defer v.mu.Unlock()
	if l := v.byID[r.ID]; l != nil && l.key == r.key() {
		return l
	}
	return nil
}

func (v *lives) end(r record, l *life) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.byID[r.ID] == l {
		delete(v.byID, r.ID)
	}
}

// exited hands the keeper's word to the life that has ended; false: the launch is none of a server.
func (v *lives) exited(e keeper.Exit) bool {
	if !Owns(e.Key) {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, l := range v.byID {
		if l.key == e.Key {
			select {
			case l.exit <- e:
			default:
			}
		}
	}
	return true
}

// follow is the life of a server that runs; one that nobody follows yet is followed from now on.
func (s *servers) follow(ctx context.Context, r record) *life {
	if l := s.lives.of(r); l != nil {
		return l
	}
	row, known := s.keeper.row(ctx, r.key())
	l, fresh := s.lives.begin(r, known)
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
	s.work.Run(func(ctx context.Context) { s.logs.keepSmall(ctx, s.layout.of(r).log(), l.over) })
	s.work.Run(func(ctx context.Context) {
		if waitEnd(ctx, r.Pid, r.Start) != nil {
			return // closed
		}
		now := s.recordEnd(r, s.exitOf(ctx, l))
		s.lives.end(r, l)
		if l.own {
			s.keeper.ack(ctx, l.key)
		}
		s.events.tell(r.Project, now.history()...)
		close(l.over)
	})
}

// recordEnd is a record after its end. Another driver may have been the first to see it, have removed the record, or even
// have launched the server again: then what it has written stays.
func (s *servers) recordEnd(r record, exit *keeper.Exit) record {
	exit = cmp.Or(exit, s.layout.of(r).orderly(r))
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
func (s *servers) exitOf(ctx context.Context, l *life) *keeper.Exit {
	if !l.own {
		return nil
	}
	select {
	case e := <-l.exit:
		return &e
	case <-time.After(exitTime):
	case <-ctx.Done():
	}
	row, _ := s.keeper.row(ctx, l.key)
	return row.Exit
}

// launcher is the keeper, as servers ask it.
type launcher struct {
	conn *keeper.Conn // nil: nothing can be started, and who has the keeper may know more than we
	log  *slog.Logger
}

// row is what the keeper knows about a launch; false: it is none of its own.
func (k launcher) row(ctx context.Context, key keeper.Key) (keeper.Running, bool) {
	if k.conn == nil {
		return keeper.Running{}, false
	}
	list, err := k.conn.List(ctx)
	if err != nil {
		k.log.Warn("cannot ask the keeper for its servers", "err", err)
	}
	n := slices.IndexFunc(list, func(r keeper.Running) bool { return r.Key == key })
	if n < 0 {
		return keeper.Running{}, false
	}
	return list[n], true
}

// ack lets the keeper forget an exit that is recorded.
func (k launcher) ack(ctx context.Context, key keeper.Key) {
	if err := k.conn.Ack(ctx, key); err != nil && ctx.Err() == nil {
		k.log.Warn("cannot tell the keeper that an exit is known", "service", key.App, "err", err)
	}
}
