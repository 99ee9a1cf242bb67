// Package rehearse proves exported production definitions on the real engines before they ship: it starts exactly what an
// export says, waits until everything is healthy, sends a pipeline through, stops it gracefully, and reports what was
// proved and what only the live platform can answer. Nothing of it emulates an engine. It changes nothing but what it
// starts, under names of its own, and ends all of it, also after a failure.
package rehearse

import (
	"io"
	"time"

	"devstack/profiles/prod/export"
)

// Verdict is how a check ended.
type Verdict string

// The verdicts.
const (
	Passed    Verdict = "passed"
	Failed    Verdict = "failed"
	NotProven Verdict = "not proven" // only the live platform can answer it; Detail says why
)

// Check is one thing that a rehearsal looked at.
type Check struct {
	Target  string        `json:"target"`  // image, compose, swarm, ecs, kubernetes
	Subject string        `json:"subject"` // a workload's name, or stack
	Claim   string        `json:"claim"`   // healthy, pipeline, graceful stop, environment, no secrets ...
	Verdict Verdict       `json:"verdict"`
	Detail  string        `json:"detail"` // what was seen, in words
	Took    time.Duration `json:"took_ns"`
}

// Options is what a rehearsal of one target works with.
type Options struct {
	Export   *export.Export
	Dir      string            // where the export's files are, unchanged
	Images   map[string]string // app -> reference of an image that the engine has
	Secrets  map[string]string // what the definitions need from outside, by name; never printed
	Context  string            // kubernetes: the context to use
	Registry string            // kubernetes: HOST:PORT that the images are pushed to, for the cluster to pull; empty: it can pull Images as they are named
	Trial    string            // JavaScript that makes the stack do its work and fails if it does not; empty: none
	Progress io.Writer         // a line per step, for people
}

// Report is everything that was looked at.
type Report struct {
	Checks []Check `json:"checks"`
}

// OK is whether nothing failed.
func (r Report) OK() bool {
	for _, c := range r.Checks {
		if c.Verdict == Failed {
			return false
		}
	}
	return true
}
