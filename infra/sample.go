package infra

import (
	"context"
	"sync"
	"time"
)

// Sampling costs the engine work, so it goes on only while somebody looks.
const (
	sampleEvery = 2 * time.Second
	sampleFor   = 10 * time.Second // after the last look
)

// sample is what is known about the consumption of one run of a container.
type sample struct {
	Stats
	started time.Time // the run: a container that starts again counts anew
	percent float64   // -1 unknown
}

// Watched says that somebody looks at Snapshot: for 10 seconds from now on it has Memory, and from the second sample on
// CPU. It waits for no sample.
func (i *Infra) Watched() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.watchedAt = time.Now()
	if !i.sampling {
		i.sampling = i.spawn(i.sampleWhileWatched)
	}
}

// sampleWhileWatched forgets its samples at its end: nobody shall take them for new ones.
func (i *Infra) sampleWhileWatched() {
	next := time.NewTicker(sampleEvery)
	defer next.Stop()
	for i.watched() {
		i.sampleAll()
		select {
		case <-next.C:
		case <-i.ctx.Done():
			return
		}
	}
}

func (i *Infra) watched() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if time.Since(i.watchedAt) >= sampleFor {
		i.sampling, i.samples = false, nil
	}
	return i.sampling
}

// sampleAll asks for every running container at once. Of one that does not answer nothing is known.
func (i *Infra) sampleAll() {
	ctx, cancel := context.WithTimeout(i.ctx, sampleEvery)
	defer cancel()
	containers, before := i.sampled()
	now := make([]sample, len(containers))
	var work sync.WaitGroup
	for n, c := range containers {
		work.Go(func() {
			s, err := i.driver.Stats(ctx, c.ID)
			if err != nil {
				i.log.Debug("cannot sample a container", "service", c.Service, "err", err)
				return
			}
			now[n] = sample{Stats: s, started: c.StartedAt, percent: -1}
			if old, ok := before[c.ID]; ok && old.started.Equal(c.StartedAt) {
				now[n].percent = percent(old.Stats, s)
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
	i.mu.Lock()
	i.samples = after
	i.mu.Unlock()
}

// sampled are the running containers and the samples so far, which nobody changes.
func (i *Infra) sampled() (containers []Container, samples map[string]sample) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, t := range i.tracked {
		if t.container.State == "running" {
			containers = append(containers, t.container)
		}
	}
	return containers, i.samples
}

// usage is what a running container consumes, nil where it is not known; i.mu is held.
func (i *Infra) usage(c Container) (memory *int64, cpu *float64) {
	s, ok := i.samples[c.ID]
	if !ok || c.State != "running" || !s.started.Equal(c.StartedAt) {
		return nil, nil
	}
	if s.Memory >= 0 {
		memory = &s.Memory
	}
	if s.percent >= 0 {
		cpu = &s.percent
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
