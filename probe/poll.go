package probe

import (
	"context"
	"time"
)

// Schedule says how often Poll looks and how long one look may take.
type Schedule struct {
	Steps   []Step        // in order; the last one lasts for ever
	Timeout time.Duration // of one attempt
}

// Step is a pause between two looks, used until Until has passed since the first look. Zero means for ever.
type Step struct {
	Pause time.Duration
	Until time.Duration
}

// Containers is the schedule for services: eager while a container boots, calm afterwards.
func Containers() Schedule {
	return Schedule{
		Steps: []Step{
			{Pause: 10 * time.Millisecond, Until: 500 * time.Millisecond},
			{Pause: 20 * time.Millisecond, Until: 2 * time.Second},
			{Pause: 50 * time.Millisecond, Until: 10 * time.Second},
			{Pause: 200 * time.Millisecond},
		},
		Timeout: time.Second,
	}
}

// Apps is the schedule for processes: every 100 ms.
func Apps(timeout time.Duration) Schedule {
	return Schedule{Steps: []Step{{Pause: 100 * time.Millisecond}}, Timeout: timeout}
}

// pause is how long to wait before the next look, when the first one was elapsed ago.
func (s Schedule) pause(elapsed time.Duration) time.Duration {
	for _, step := range s.Steps {
		if step.Until == 0 || elapsed < step.Until {
			return step.Pause
		}
	}
	return 200 * time.Millisecond
}

// Poll looks at once and then by the schedule until p is ready or ctx ends, one look at a time. It goes on after a
// Broken result: somebody may mend it. Every result goes to seen, which may be nil. It returns the last one.
func Poll(ctx context.Context, p Probe, s Schedule, seen func(Result)) Result {
	first := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	last := Result{Detail: "not looked at yet"}
	for {
		select {
		case <-ctx.Done():
			return last
		case <-timer.C:
		}
		attempt, cancel := context.WithTimeout(ctx, s.Timeout)
		r := p.Check(attempt)
		cancel()
		if ctx.Err() != nil && !r.Ready {
			return last
		}
		last = r
		if seen != nil {
			seen(r)
		}
		if r.Ready {
			return r
		}
		timer.Reset(s.pause(time.Since(first)))
	}
}
