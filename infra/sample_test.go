package infra

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"devstack/view"
)

func TestPercent(t *testing.T) {
	at := func(seconds float64) time.Time {
		return time.Unix(1000, 0).Add(time.Duration(seconds * float64(time.Second)))
	}
	for _, test := range []struct {
		name          string
		before, after Stats
		want          float64
	}{
		{"idle", Stats{At: at(0), CPU: time.Second}, Stats{At: at(2), CPU: time.Second}, 0},
		{"half a core", Stats{At: at(0), CPU: time.Second}, Stats{At: at(2), CPU: 2 * time.Second}, 50},
		{"three cores", Stats{At: at(0)}, Stats{At: at(0.5), CPU: 1500 * time.Millisecond}, 300},
		{"the same sample twice", Stats{At: at(1), CPU: time.Second}, Stats{At: at(1), CPU: time.Second}, -1},
		{"a clock that went back", Stats{At: at(2)}, Stats{At: at(1), CPU: time.Second}, -1},
		{"a counter that began anew", Stats{At: at(0), CPU: 9 * time.Second}, Stats{At: at(2), CPU: time.Second}, -1},
	} {
		if got := percent(test.before, test.after); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// quarterBusy is an engine whose container spends a quarter of a core.
type quarterBusy struct {
	*engineDouble
	asked atomic.Int32
	down  atomic.Bool
}

func (d *quarterBusy) Stats(context.Context, string) (Stats, error) {
	d.asked.Add(1)
	if d.down.Load() {
		return Stats{}, errors.New("the engine is away")
	}
	now := time.Now()
	return Stats{At: now, Memory: 7 << 20, CPU: time.Duration(now.UnixNano() / 4)}, nil
}

// watchedRedis is an Infra with one running container that is looked at, after its first sample.
func watchedRedis(t *testing.T) (i *Infra, d *quarterBusy) {
	t.Helper()
	d = &quarterBusy{engineDouble: newEngine()}
	i = New(d, slog.New(slog.DiscardHandler), func(view.Event) {})
	i.adopt(servicesOf("redis", "postgres"))
	i.saw(Container{ID: "1", Service: "redis", State: "running", StartedAt: time.Now()}, Signs{}, nil)
	i.saw(Container{ID: "2", Service: "postgres", State: "exited"}, Signs{}, nil)
	has(t, i, "before anybody looks", -1, -1)
	i.Watched()
	synctest.Wait()
	has(t, i, "after one sample", 7<<20, -1)
	return i, d
}

// has looks at what the services consume; -1 is unknown, and what does not run is always unknown.
func has(t *testing.T, i *Infra, when string, memory int64, cpu float64) {
	t.Helper()
	all := i.Snapshot()
	if got := all[1]; orMinus(got.MemoryBytes) != memory || orMinus(got.CPUPercent) != cpu {
		t.Errorf("%s: memory %d, cpu %v; want %d, %v", when, orMinus(got.MemoryBytes), orMinus(got.CPUPercent), memory, cpu)
	}
	if got := all[0]; got.MemoryBytes != nil || got.CPUPercent != nil {
		t.Errorf("%s: a container that does not run has memory %d, cpu %v", when, *got.MemoryBytes, *got.CPUPercent)
	}
}

func orMinus[T int64 | float64](v *T) T {
	if v == nil {
		return -1
	}
	return *v
}

// pass lets virtual time go on.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestContainersAreSampledOnlyWhileSomebodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, d := watchedRedis(t)
		defer i.Close()
		pass(sampleEvery)
		has(t, i, "after two samples", 7<<20, 25)
		i.Watched()
		pass(sampleFor - time.Second)
		has(t, i, "while the look is new", 7<<20, 25)
		pass(sampleEvery)
		has(t, i, "when nobody looks any more", -1, -1)
		asked := d.asked.Load()
		pass(time.Hour)
		if got := d.asked.Load(); got != asked {
			t.Errorf("the engine was asked %d times while nobody looked", got-asked)
		}
		i.Watched()
		synctest.Wait()
		has(t, i, "at the first look after an hour", 7<<20, -1)
	})
}

func TestAContainerThatEndsOrStartsAgainIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, d := watchedRedis(t)
		defer i.Close()
		began := time.Now()
		pass(sampleEvery)
		i.saw(Container{ID: "1", Service: "redis", State: "exited", StartedAt: began}, Signs{}, nil)
		has(t, i, "when it has ended", -1, -1)
		i.saw(Container{ID: "1", Service: "redis", State: "running", StartedAt: time.Now()}, Signs{}, nil)
		has(t, i, "when it runs again", -1, -1)
		pass(sampleEvery)
		has(t, i, "after one sample of the new run", 7<<20, -1)
		d.down.Store(true)
		i.Watched()
		pass(sampleEvery)
		has(t, i, "when the engine does not answer", -1, -1)
	})
}
