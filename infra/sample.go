package infra

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Sampling costs the engine work, so it goes on only while somebody looks.
const (
	sampleEvery = 2 * time.Second
	sampleFor   = 10 * time.Second // after the last look
)

// sampler knows what containers consume, while somebody looks.
type sampler struct {
	driver  Driver
	log     *slog.Logger
	running func() []Container

	mu      sync.Mutex        // guards what follows
	looked  time.Time         // when somebody has looked last
	at      bool              // it is sampling
	samples map[string]sample // the last round, by container; nobody changes it
}

// sample is what is known about the consumption of one run of a container.
type sample struct {
	Stats
	started time.Time // the run: a container that starts again counts anew
	percent float64   // -1 unknown
}

// watched says that somebody looks, and whether the caller has to begin sampling.
func (s *sampler) watched(now time.Time) (begin bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked = now
	begin, s.at = !s.at, true
	return begin
}

// run samples until nobody has looked for a while, or ctx ends. It forgets its samples then: nobody shall take them for new.
func (s *sampler) run(ctx context.Context) {
	next := time.NewTicker(sampleEvery)
	defer next.Stop()
	for s.wanted() {
		s.sample(ctx)
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *sampler) wanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.looked) >= sampleFor {
		s.at, s.samples = false, nil
	}
	return s.at
}

// sample asks for every running container at once. Of one that does not answer nothing is known.
func (s *sampler) sample(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sampleEvery)
	defer cancel()
	containers := s.running()
	s.mu.Lock()
	before := s.samples
	s.mu.Unlock()
	now := make([]sample, len(containers))
	var work sync.WaitGroup
	for n, c := range containers {
		work.Go(func() {
			stats, err := s.driver.Stats(ctx, c.ID)
			if err != nil {
				s.log.Debug("cannot sample a container", "service", c.Service, "err", err)
				return
			}
			now[n] = sample{Stats: stats, started: c.StartedAt, percent: -1}
			if old, ok := before[c.ID]; ok && old.started.Equal(c.StartedAt) {
				now[n].percent = percent(old.Stats, stats)
			}
		})
	}
	work.Wait()
	after := map[string]sample{}
	for n, c := range containers {
		if !now[n].At.IsZero() {
			after[c.ID] = now[n]
		}
	}
	s.mu.Lock()
	s.samples = after
	s.mu.Unlock()
}

// usage is what a running container consumes; nil where it is not known.
func (s *sampler) usage(c Container) (memory *int64, cpu *float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.samples[c.ID]
	if !ok || !known.started.Equal(c.StartedAt) {
		return nil, nil
	}
	if known.Memory >= 0 {
		memory = &known.Memory
	}
	if known.percent >= 0 {
		cpu = &known.percent
	}
	return memory, cpu
}

// percent is the share of one core that was spent between two samples of one run; -1 if they do not tell.
func percent(before, after Stats) float64 {
	elapsed, spent := after.At.Sub(before.At), after.CPU-before.CPU
	if elapsed <= 0 || spent < 0 {
		return -1
	}
	return 100 * float64(spent) / float64(elapsed)
}
