package infra

import (
	"cmp"
	"context"
	"path"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/types"
)

// What drivers have in common.

// FileTarget is where a container sees a secret or a config; base is the directory of those that name none.
func FileTarget(ref types.FileReferenceConfig, base string) string {
	target := cmp.Or(ref.Target, ref.Source)
	if !path.IsAbs(target) {
		target = path.Join(base, target)
	}
	return target
}

// Environ is a caller's environment by name.
func Environ(environ []string) map[string]string {
	env := map[string]string{}
	for _, e := range environ {
		key, value, _ := strings.Cut(e, "=")
		env[key] = value
	}
	return env
}

// Background is what a driver does until it is closed, which waits for it. The zero value is not usable.
type Background struct {
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	mu     sync.Mutex // guards closed: nothing begins after it is set
	closed bool
	work   sync.WaitGroup
}

// NewBackground has nothing to do yet.
func NewBackground() *Background {
	b := &Background{}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// Run begins f with a context that ends with Close. After Close it does nothing, and returns false.
func (b *Background) Run(f func(ctx context.Context)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.work.Go(func() { f(b.ctx) })
	}
	return !b.closed
}

// Close ends what runs and waits for it.
func (b *Background) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.work.Wait()
}

// Stream is a channel that f fills in the background. It is closed when f returns; f's context ends with ctx and with b.
func Stream[T any](ctx context.Context, b *Background, f func(ctx context.Context, out chan<- T)) <-chan T {
	out := make(chan T)
	begun := b.Run(func(closing context.Context) {
		defer close(out)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(closing, cancel)()
		f(ctx, out)
	})
	if !begun {
		close(out)
	}
	return out
}

// Send gives values to whoever reads out, in order; false: ctx ended before all were taken.
func Send[T any](ctx context.Context, out chan<- T, values ...T) bool {
	for _, v := range values {
		select {
		case out <- v:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
