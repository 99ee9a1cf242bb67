package procs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	keeper "devstack/procs/keeper/protocol"
)

// saver writes the state down after every change and acks exits only afterwards, so that an exit is counted exactly
// once whenever the daemon dies. Changes that come while a save runs, or in the pause of three times as long after it,
// share the next one: of a burst of 200 changes, few are worth a file of their own.
type saver struct {
	save func() error
	acks func(context.Context, keeper.Key) error
	log  *slog.Logger

	mu      sync.Mutex
	pending []keeper.Key
	dirty   chan struct{} // capacity 1
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

func (v *saver) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.dirty:
		}
		v.mu.Lock()
		keys := v.pending
		v.pending = nil
		v.mu.Unlock()
		began := time.Now()
		err := v.save()
		pause := 3 * time.Since(began)
		if err != nil {
			v.log.Error("cannot save the state", "err", err)
			v.mu.Lock()
			v.pending = append(keys, v.pending...) // with the next change; the keeper remembers meanwhile
			v.mu.Unlock()
			continue
		}
		for _, k := range keys {
			if err := v.acks(ctx, k); err != nil && ctx.Err() == nil {
				v.log.Warn("cannot ack an exit", "app", k.App, "gen", k.Generation, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
