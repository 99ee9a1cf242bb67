package procs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	keeper "devstack/procs/keeper/protocol"
)

// firstSavePause and lastSavePause bound the pauses before a failed save is tried again.
const (
	firstSavePause = time.Second
	lastSavePause  = 30 * time.Second
)

// saver writes the state down after every change and acks exits only afterwards, so that an exit is counted exactly
// once whenever the daemon dies. Changes that come while a save runs, or in the pause of three times as long after it,
// share the next one: of a burst of 200 changes, few are worth a file of their own. A save that fails is tried again
// until it works; that is said once.
type saver struct {
	save func() error
	acks func(context.Context, keeper.Key) error
	warn func(app, message string)
	log  *slog.Logger

	failures int           // in a row; only run uses it, and flush after run has ended
	dirty    chan struct{} // capacity 1: something has changed since the last save began

	mu      sync.Mutex   // guards pending
	pending []keeper.Key // exits to ack after the next save
}

func (v *saver) changed() {
	select {
	case v.dirty <- struct{}{}:
	default:
	}
}

// ack lets the keeper forget a launch as soon as everything up to now is saved.
func (v *saver) ack(k keeper.Key) {
	v.mu.Lock()
	v.pending = append(v.pending, k)
	v.mu.Unlock()
	v.changed()
}

// run saves until ctx ends. What has changed since the last save is left to flush.
func (v *saver) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.dirty:
		}
		if ctx.Err() != nil {
			v.changed()
			return
		}
		pause := v.once(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// flush saves what has changed, once, after run has ended.
func (v *saver) flush() {
	select {
	case <-v.dirty:
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	v.once(ctx)
}

// once saves, acks what that has made known, and says how long to wait before the next save.
func (v *saver) once(ctx context.Context) (pause time.Duration) {
	v.mu.Lock()
	keys := v.pending
	v.pending = nil
	v.mu.Unlock()
	began := time.Now()
	if err := v.save(); err != nil {
		v.failed(err, keys)
		return min(firstSavePause<<min(v.failures-1, 10), lastSavePause)
	}
	v.failures = 0
	pause = 3 * time.Since(began)
	for _, k := range keys {
		if err := v.acks(ctx, k); err != nil && ctx.Err() == nil {
			v.log.Warn("cannot ack an exit", "app", k.App, "gen", k.Generation, "err", err)
		}
	}
	return pause
}

// failed keeps what is to be acked, which the keeper remembers meanwhile, for the next attempt.
func (v *saver) failed(err error, keys []keeper.Key) {
	v.mu.Lock()
	v.pending = append(keys, v.pending...)
	v.mu.Unlock()
	v.changed()
	if v.failures++; v.failures == 1 {
		v.warn("", "the state of the processes cannot be saved, and that is tried again: "+err.Error())
	}
}
