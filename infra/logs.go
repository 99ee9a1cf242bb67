package infra

import (
	"context"
	"time"
)

// Logs are a service's lines, oldest first: the last tail of them (-1: all) from since on. With follow it goes on, also across
// restarts and new containers, until ctx ends; without, the channel closes at the end. No container is no error.
func (i *Infra) Logs(ctx context.Context, service string, tail int, since time.Time, follow bool) (<-chan LogLine, error) {
	if _, _, known, _ := i.look(service); !known {
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
			run, last, any := i.copyLines(ctx, service, options, out)
			if !follow {
				return
			}
			if any {
				// The engine's since is inclusive.
				options.Since = last.Add(1)
			}
			options.Tail = -1
			if !i.runsAgain(ctx, service, run) {
				return
			}
		}
	})
	if !ok {
		close(out)
	}
	return out, nil
}

// copyLines sends the lines of the present container. It returns the run that it began with and the time of the last line.
func (k *keeping) copyLines(ctx context.Context, service string, o LogOptions, out chan<- LogLine) (run Run, last time.Time, any bool) {
	m, c, _, _ := k.look(service)
	if c.ID == "" {
		return m.Run, last, false
	}
	lines, err := k.driver.Logs(ctx, c.ID, o)
	if err != nil {
		k.log.Debug("cannot read the lines of a container", "service", service, "err", err)
		return m.Run, last, false
	}
	for l := range lines {
		select {
		case out <- l:
			last, any = l.Time, true
		case <-ctx.Done():
			return m.Run, last, any
		}
	}
	return m.Run, last, any
}

// runsAgain waits for a run of the service after the one whose lines have just ended.
func (k *keeping) runsAgain(ctx context.Context, service string, ended Run) bool {
	for {
		m, _, known, changed := k.look(service)
		if !known {
			return false
		}
		if m.State == "running" && m.Run != ended {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
