package native

import (
	"context"
	"slices"
	"sync"
	"time"

	"devstack/infra"
)

// events are told to everybody who reads those of a project.
type events struct {
	mu      sync.Mutex // guards readers and the queue of each
	readers map[*reader]bool
}

// reader is one reader of a project's events.
type reader struct {
	project string
	queue   []infra.EngineEvent
	wake    chan struct{} // capacity 1: there is something in the queue
}

func (e *events) subscribe(project string) *reader {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := &reader{project: project, wake: make(chan struct{}, 1)}
	e.readers[r] = true
	return r
}

func (e *events) unsubscribe(r *reader) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.readers, r)
}

// tell lets every reader of the project know. Nobody waits for one.
func (e *events) tell(project string, told ...infra.EngineEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for r := range e.readers {
		if r.project != project {
			continue
		}
		r.queue = append(r.queue, told...)
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// next are the events since the last call; it waits for the first one. False: ctx has ended.
func (e *events) next(ctx context.Context, r *reader) ([]infra.EngineEvent, bool) {
	select {
	case <-r.wake:
	case <-ctx.Done():
		return nil, false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	told := r.queue
	r.queue = nil
	return told, true
}

// tellEvents tells from the records what was the last to happen, and then, if live, what happens.
func (s *servers) tellEvents(ctx context.Context, project string, since time.Time, live bool) (<-chan infra.EngineEvent, error) {
	r := s.events.subscribe(project) // first: what happens during the look is told after it
	all, err := s.all(ctx, project)
	if err != nil {
		s.events.unsubscribe(r)
		return nil, err
	}
	var past []infra.EngineEvent
	for _, one := range all {
		if live && one.State == running {
			s.follow(ctx, one)
		}
		past = append(past, one.history()...)
	}
	// What this very look has found out is told, too, though it may be noted as a little later than until.
	past = slices.DeleteFunc(past, func(e infra.EngineEvent) bool { return e.At.Before(since) })
	slices.SortStableFunc(past, func(a, b infra.EngineEvent) int { return a.At.Compare(b.At) })
	return infra.Stream(ctx, s.work, func(ctx context.Context, out chan<- infra.EngineEvent) {
		defer s.events.unsubscribe(r)
		for told, more := past, live; infra.Send(ctx, out, told...) && more; {
			told, more = s.events.next(ctx, r)
		}
	}), nil
}
