package native

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"devstack/infra"
	keeper "devstack/procs/keeper/protocol"
	"devstack/procs/proc"
)

// servers starts and ends the servers of one project directory, and finds them again. The records on disk are the truth about
// them; other drivers, of other daemons and commands, may change these at the same time.
type servers struct {
	layout    layout
	templates templates
	keeper    launcher
	log       *slog.Logger
	work      *infra.Background
	lives     lives
	events    events
	logs      logs
	changing  sync.Mutex // held from the reading of a record until it is written again
}

// find is one record, after a look at its process, or infra.ErrNotFound.
func (s *servers) find(ctx context.Context, id string) (record, error) {
	r, err := s.layout.load(id)
	if err != nil {
		return r, err
	}
	return s.settled(ctx, r), nil
}

// all are the records of a project, oldest first, after a look at their processes. A damaged one is moved aside, and the
// server of which it may have told is ended: it is made anew, on its data, by whoever wants it.
func (s *servers) all(ctx context.Context, project string) ([]record, error) {
	all, damaged, err := s.layout.all(project)
	if err == nil && len(damaged) > 0 {
		all, err = s.withoutDamaged(ctx, project)
	}
	for n, r := range all {
		all[n] = s.settled(ctx, r)
	}
	return all, err
}

func (s *servers) withoutDamaged(ctx context.Context, project string) ([]record, error) {
	s.changing.Lock() // of two who look at once, one waits: each look whether a place is locked locks it for a moment
	defer s.changing.Unlock()
	all, damaged, err := s.layout.all(project)
	if err != nil || len(damaged) == 0 {
		return all, err
	}
	for _, path := range damaged {
		s.log.Error("cannot use the record of a service: it is made anew", "err", errDamaged, "moved_to", path+".unusable")
		if err := os.Rename(path, path+".unusable"); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	places, err := s.layout.services(project)
	if err != nil {
		return nil, err
	}
	used := slices.DeleteFunc(places, func(p place) bool { return !p.locked() })
	all, _, err = s.layout.all(project) // again: a launch is recorded before it takes its lock
	for _, p := range used {
		if err == nil && !slices.ContainsFunc(all, func(r record) bool { return s.layout.of(r) == p }) {
			err = p.waitUnlocked(ctx)
		}
	}
	return all, err
}

// settled is a record after a look at its process: what ended while nobody watched has ended.
func (s *servers) settled(ctx context.Context, r record) record {
	if !r.mayRun() || s.lives.of(r) != nil {
		return r
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	now, err := s.layout.load(r.ID)
	if err != nil {
		return r
	}
	if now.Generation != r.Generation || !now.mayRun() || s.lives.of(now) != nil {
		return now
	}
	was := now.State
	row, known := s.keeper.row(ctx, now.key())
	if was == starting && known && row.Exit == nil {
		now.began(row.Launched)
	} else if was == starting { // the server of a launch that nobody could record has written its pid itself
		if pid, at := s.layout.of(now).pid(now.Definition.Kind.family()); pid != 0 && at.UnixNano() >= now.Generation {
			now.began(keeper.Launched{Pid: pid, StartTime: proc.StartTime(pid), At: at})
		}
	}
	alive := s.layout.alive(now)
	if !alive {
		now.ended(cmp.Or(row.Exit, s.layout.of(now).orderly(now)))
	}
	if s.keeper.conn == nil || alive && now.State == was {
		return now
	}
	s.keep(now)
	if !alive {
		s.keeper.ack(ctx, now.key())
	}
	return now
}

// change changes one record.
func (s *servers) change(id string, f func(*record)) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	r, err := s.layout.load(id)
	if err != nil {
		return err
	}
	f(&r)
	return s.layout.save(r)
}

// keep saves a record where there is nobody to tell of a failure: the truth is looked up again next time.
func (s *servers) keep(r record) {
	if err := s.layout.save(r); err != nil {
		s.log.Warn("cannot record what became of a service", "service", r.Service, "err", err)
	}
}

// create records a server and makes its data directory, if there is none.
func (s *servers) create(ctx context.Context, r record) error {
	v, err := newServer(r, s.layout.of(r))
	if err != nil {
		return err
	}
	if err := s.makeData(ctx, v); err != nil {
		return err
	}
	return s.layout.save(r)
}

// makeData makes the data directory of a service that has none yet.
func (s *servers) makeData(ctx context.Context, v *server) error {
	if isDir(v.at.data()) {
		return nil
	}
	if v.Definition.Kind != postgres {
		return v.user.private(v.at.data())
	}
	if err := v.makeDatabase(ctx, s.templates); err != nil {
		return err
	}
	s.work.Run(func(ctx context.Context) {
		if err := v.sync(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("cannot sync a new database", "service", v.Service, "err", err)
		}
	})
	return nil
}

// start launches the server. One that runs is no error.
func (s *servers) start(ctx context.Context, id string) error {
	r, err := s.find(ctx, id)
	if err != nil || r.State == running {
		return err
	}
	if s.keeper.conn == nil {
		return errors.New("cannot start a native service without the daemon")
	}
	if err := s.layout.of(r).waitUnlocked(ctx); err != nil {
		return err
	}
	v, err := newServer(r, s.layout.of(r))
	if err != nil {
		return err
	}
	if err := s.makeData(ctx, v); err != nil {
		return err
	}
	launch, err := v.prepare(ctx)
	if err != nil {
		return err
	}
	return s.launch(ctx, v.record, launch)
}

func (s *servers) launch(ctx context.Context, r record, launch keeper.Launch) error {
	r.State, r.Stopped, r.Generation, r.Pid = starting, false, time.Now().UnixNano(), 0
	launch.Key = r.key()
	l, _ := s.lives.begin(r, true)
	if err := s.layout.save(r); err != nil {
		s.lives.end(r, l)
		return err // the disk is full: nobody would find the server again
	}
	// Whoever gives up now would not know whether it runs.
	launched, err := s.keeper.conn.Launch(context.WithoutCancel(ctx), launch)
	if err != nil {
		s.lives.end(r, l)
		if errors.Is(err, keeper.ErrGone) {
			return err // nobody knows whether it runs: the record stays "starting" until somebody looks
		}
		r.Stopped = true
		r.ended(nil)
		s.keep(r)
		return err
	}
	r.began(launched)
	if err = s.layout.save(r); err != nil {
		proc.Process{Pid: r.Pid, Start: r.Start}.Signal(syscall.SIGKILL)
	} else {
		s.events.tell(r.Project, r.history()...)
	}
	s.watch(r, l)
	return err
}

// killTime is how long a killed server may take to be gone.
const killTime = 5 * time.Second

// stop asks the server to end, if gently, kills it after the grace period, and returns when nothing of it runs any more. That
// it was asked is recorded before it is: whoever sees its end knows why.
func (s *servers) stop(ctx context.Context, id string, gently bool) error {
	r, err := s.find(ctx, id)
	if errors.Is(err, infra.ErrNotFound) {
		return nil
	}
	if err != nil || r.State != running {
		return err
	}
	l := s.follow(ctx, r)
	if err := s.change(id, func(now *record) { now.Stopped = now.Stopped || now.mayRun() }); err != nil {
		s.log.Warn("cannot record that a service is stopped", "service", r.Service, "err", err)
	}
	steps := []struct {
		signal   syscall.Signal
		patience time.Duration
	}{{r.Definition.Kind.family().stop, r.Definition.Grace}, {syscall.SIGKILL, killTime}}
	if !gently {
		steps = steps[1:]
	}
	for _, step := range steps {
		proc.Process{Pid: r.Pid, Start: r.Start}.Signal(step.signal)
		select {
		case <-l.over:
			return s.layout.of(r).waitUnlocked(ctx)
		case <-time.After(step.patience):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("cannot end the server (pid %d): it survives SIGKILL", r.Pid)
}

// endAdopted stops a project's servers that an earlier keeper has launched.
func (s *servers) endAdopted(ctx context.Context, project string) error {
	all, err := s.all(ctx, project)
	for _, r := range slices.Backward(all) {
		if _, own := s.keeper.row(ctx, r.key()); !own {
			err = errors.Join(err, s.stop(ctx, r.ID, true))
		}
	}
	return err
}

// remove kills the server if it runs, and forgets it.
func (s *servers) remove(ctx context.Context, id string) error {
	if err := s.stop(ctx, id, false); err != nil {
		return err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	r, err := s.layout.load(id)
	if errors.Is(err, infra.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Remove(s.layout.recordPath(r.Project, id)); err != nil {
		return err
	}
	s.events.tell(r.Project, infra.EngineEvent{At: time.Now(), Container: id, Service: r.Service, Action: "destroy"})
	return nil
}
