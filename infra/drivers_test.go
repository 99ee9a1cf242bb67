package infra

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// What a driver streams ends with its reader's context and with the driver, and Close waits for it.
func TestStreamEndsWithItsReaderAndWithItsDriver(t *testing.T) {
	for name, end := range map[string]func(cancel context.CancelFunc, b *Background){
		"reader": func(cancel context.CancelFunc, _ *Background) { cancel() },
		"driver": func(_ context.CancelFunc, b *Background) { b.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := NewBackground()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				sent := 0
				out := Stream(ctx, b, func(ctx context.Context, out chan<- int) {
					for Send(ctx, out, sent) {
						sent++
					}
				})
				if first, second := <-out, <-out; first != 0 || second != 1 {
					t.Errorf("%d, then %d", first, second)
				}
				end(cancel, b)
				synctest.Wait()
				if _, open := <-out; open {
					t.Error("the stream goes on")
				}
				b.Close()
				if sent != 2 {
					t.Errorf("%d values were taken for 2", sent)
				}
			})
		})
	}
}

func TestNothingBeginsAfterClose(t *testing.T) {
	b := NewBackground()
	b.Close()
	if b.Run(func(context.Context) { t.Error("it runs") }) {
		t.Error("it says that it has begun")
	}
	if _, open := <-Stream(t.Context(), b, func(context.Context, chan<- int) { t.Error("it streams") }); open {
		t.Error("the stream is open")
	}
}

// Who closes a driver has nothing of it in the background any more.
func TestCloseWaitsForWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ended := NewBackground(), false
		b.Run(func(ctx context.Context) {
			<-ctx.Done()
			<-time.After(time.Second)
			ended = true
		})
		b.Close()
		if !ended {
			t.Error("it runs on")
		}
	})
}
