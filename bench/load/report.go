package load

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Report is what became of the requests. Requests is the sum of OK, Refused, Reset, Timeout and Bad.
type Report struct {
	Requests int
	OK       int
	Refused  int // nobody listened
	Reset    int // the connection ended before the answer did
	Timeout  int // no whole answer in time
	Bad      int // another status or body than it should be, or no HTTP at all

	Opened   int                  // connections
	Closed   int                  // of these, kept ones that the server closed while nothing was under way: no failure
	Servers  map[string]int       // right answers, by who gave them
	First    map[string]time.Time // when the first of these was complete
	Failures []string             // the first ten, in words

	took []time.Duration // of the right answers
}

// Failed counts the requests that were not answered as they should be.
func (r Report) Failed() int { return r.Requests - r.OK }

// Add adds another run to r.
func (r *Report) Add(other Report) {
	r.Requests += other.Requests
	r.OK += other.OK
	r.Refused += other.Refused
	r.Reset += other.Reset
	r.Timeout += other.Timeout
	r.Bad += other.Bad
	r.Opened += other.Opened
	r.Closed += other.Closed
	if r.Servers == nil {
		r.Servers, r.First = map[string]int{}, map[string]time.Time{}
	}
	for server, n := range other.Servers {
		r.Servers[server] += n
		if first, ok := r.First[server]; !ok || other.First[server].Before(first) {
			r.First[server] = other.First[server]
		}
	}
	r.Failures = append(r.Failures, other.Failures[:min(len(other.Failures), 10-len(r.Failures))]...)
	r.took = append(r.took, other.took...)
}

// Max is how long the slowest right answer took, from before connecting to its last byte.
func (r Report) Max() time.Duration {
	if len(r.took) == 0 {
		return 0
	}
	return slices.Max(r.took)
}

// P99 is the time in which 99 of 100 right answers were there.
func (r Report) P99() time.Duration {
	if len(r.took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(r.took))
	return sorted[(len(sorted)*99+99)/100-1]
}

// Slower counts the right answers that took longer.
func (r Report) Slower(than time.Duration) int {
	n := 0
	for _, d := range r.took {
		if d > than {
			n++
		}
	}
	return n
}

// Shares are the parts of the right answers, in percent, that each server gave, the largest first.
func (r Report) Shares() []float64 {
	var all []float64
	for _, n := range r.Servers {
		all = append(all, 100*float64(n)/float64(r.OK))
	}
	slices.Sort(all)
	slices.Reverse(all)
	return all
}

// String is one line of counts, without the failures' words.
func (r Report) String() string {
	return fmt.Sprintf("%d requests, %d ok, %d refused, %d reset, %d timed out, %d bad; %d connections, %d closed while idle; %d servers; p99 %s, max %s",
		r.Requests, r.OK, r.Refused, r.Reset, r.Timeout, r.Bad, r.Opened, r.Closed, len(r.Servers),
		r.P99().Round(time.Microsecond), r.Max().Round(time.Microsecond))
}

func (r *Report) count(server string, err error, took time.Duration, now time.Time) {
	r.Requests++
	var f *failure
	if !errors.As(err, &f) {
		r.OK++
		r.took = append(r.took, took)
		if r.Servers[server]++; r.Servers[server] == 1 {
			r.First[server] = now
		}
		return
	}
	switch f.kind {
	case refused:
		r.Refused++
	case reset:
		r.Reset++
	case timedOut:
		r.Timeout++
	case bad:
		r.Bad++
	}
	if len(r.Failures) < 10 {
		r.Failures = append(r.Failures, fmt.Sprintf("%s after %s", f, took.Round(time.Microsecond)))
	}
}

func (r Report) clone() Report {
	r.Servers, r.First = maps.Clone(r.Servers), maps.Clone(r.First)
	r.Failures, r.took = slices.Clone(r.Failures), slices.Clone(r.took)
	return r
}
