package infra

import (
	"context"
	"time"
)

// Logs are a service's lines, oldest first: the last tail of them (-1: all) from since on. With follow it goes on, also across
// restarts and new containers, until ctx ends; without, the channel closes at the end. No container is no error.
func (i *Infra) Logs(ctx context.Context, service string, tail int, since time.Time, follow bool) (<-chan LogLine, error) {
	i.mu.Lock()
	known := i.tracked[service] != nil
	i.mu.Unlock()
	if !known {
		return nil, unknown(service)
	}
	out := make(chan LogLine, 64)
	ok := i.spawn(func() {
		defer close(out)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(i.ctx, cancel)()
		options := LogOptions{Tail: tail, Since: since, Follow: follow}
		for ctx.Err() == nil {
			last, ok := i.copyLines(ctx, service, options, out)
			if !follow {
				return
			}
			if ok {
				// The engine's since is inclusive.
				options.Since = last.Add(1)
			}
			options.Tail = -1
			if !i.runsAgain(ctx, service) {
				return
			}
		}
	})
	if !ok {
		close(out)
	}
	return out, nil
}

// copyLines sends the lines of the present container and returns the time of the last one.
func (i *Infra) copyLines(ctx context.Context, service string, o LogOptions, out chan<- LogLine) (last time.Time, any bool) {
	i.mu.Lock()
	id := ""
	if t := i.tracked[service]; t != nil {
		id = t.container.ID
	}
	i.mu.Unlock()
	if id == "" {
		return last, false
	}
	lines, err := i.driver.Logs(ctx, id, o)
	if err != nil {
		i.log.Debug("cannot read the lines of a container", "service", service, "err", err)
		return last, false
	}
	for l := range lines {
		select {
		case out <- l:
			last, any = l.Time, true
		case <-ctx.Done():
			return last, any
		}
	}
	return last, any
}

// runsAgain waits until a container of the service was started after the one whose lines just ended.
func (i *Infra) runsAgain(ctx context.Context, service string) bool {
	for seenDown := false; ; {
		i.mu.Lock()
		t, changed := i.tracked[service], i.changed
		up := t != nil && t.gate != nil
		i.mu.Unlock()
		if t == nil {
			return false
		}
		if up && seenDown {
			return true
		}
		seenDown = seenDown || !up
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
