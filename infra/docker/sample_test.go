package docker

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/moby/moby/api/types/container"

	"devstack/infra"
	"devstack/view"
)

func TestMemoryIsWithoutTheCacheThatCanBeDropped(t *testing.T) {
	for _, test := range []struct {
		name string
		in   container.MemoryStats
		want int64
	}{
		{"cgroup v1", container.MemoryStats{Usage: 100, Stats: map[string]uint64{"total_inactive_file": 30, "inactive_file": 20}}, 70},
		{"cgroup v2", container.MemoryStats{Usage: 100, Stats: map[string]uint64{"inactive_file": 20}}, 80},
		{"more cache than usage", container.MemoryStats{Usage: 100, Stats: map[string]uint64{"inactive_file": 200}}, 100},
		{"no details", container.MemoryStats{Usage: 100}, 100},
		{"not counted", container.MemoryStats{}, -1},
	} {
		if got := memoryOf(test.in); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// telling is the engine; it tells of every sample that it is asked for.
type telling struct {
	*Driver
	asked chan struct{}
}

func (d *telling) Stats(ctx context.Context, id string) (infra.Stats, error) {
	select {
	case d.asked <- struct{}{}:
	case <-ctx.Done():
	}
	return d.Driver.Stats(ctx, id)
}

func TestARunningContainerIsSampledWhileSomebodyLooks(t *testing.T) {
	f := newFixture(t, redisOnly)
	d := &telling{f.driver, make(chan struct{})}
	i := infra.New(d, slog.New(slog.DiscardHandler), f.events.add)
	t.Cleanup(i.Close)
	f.up(i)
	before := f.ready(i)["redis"]
	if before.MemoryBytes != nil || before.CPUPercent != nil {
		t.Errorf("before anybody looks: memory %d, cpu %v", *before.MemoryBytes, *before.CPUPercent)
	}
	i.Watched()
	for range 3 { // the third is asked for when the second is there
		select {
		case <-d.asked:
		case <-f.ctx.Done():
			t.Fatal("the container is not sampled")
		}
	}
	if s := i.Snapshot()[0]; *s.MemoryBytes < 1<<20 || *s.MemoryBytes > 1<<30 || *s.CPUPercent < 0 || *s.CPUPercent > 100 {
		t.Errorf("after two samples: memory %d, cpu %v", *s.MemoryBytes, *s.CPUPercent)
	}
	f.docker("stop", string(before.ID))
	s := f.until("redis is stopped", i, func(all map[string]view.ServiceDetails) bool { return all["redis"].State == "exited" })["redis"]
	if s.MemoryBytes != nil || s.CPUPercent != nil {
		t.Errorf("after its end: memory %d, cpu %v", *s.MemoryBytes, *s.CPUPercent)
	}
}

func TestThereIsNoSampleOfWhatDoesNotRun(t *testing.T) {
	f := newFixture(t, redisOnly)
	i := f.infra()
	f.up(i)
	id := string(f.ready(i)["redis"].ID)
	if s, err := f.driver.Stats(f.ctx, id); err != nil || s.Memory <= 0 || s.CPU <= 0 || s.At.IsZero() {
		t.Errorf("a running container: %+v, %v", s, err)
	}
	f.docker("stop", id)
	if s, err := f.driver.Stats(f.ctx, id); err == nil {
		t.Errorf("a stopped container: %+v", s)
	}
	f.docker("rm", id)
	if _, err := f.driver.Stats(f.ctx, id); !errors.Is(err, infra.ErrNotFound) {
		t.Errorf("a removed container: %v", err)
	}
}
