package daemon

import (
	"fmt"
	"slices"
	"strings"

	"devstack/procs"
	"devstack/view"
)

// status is how far a stack has come, in a word and in one line.
type status struct {
	ready bool // everything wanted is ready
	line  string
}

// maxNamed is how many names a status line has room for.
const maxNamed = 5

// statusOf compares what is wanted with what is there. Not wanted is what somebody has stopped, and what does not start by
// itself and nobody has started. A process that has done its work is as good as ready.
func statusOf(want intent, services []view.ServiceDetails, processes []procs.Process) status {
	var open []string
	servicesReady := 0
	for _, name := range want.Services {
		i := slices.IndexFunc(services, func(s view.ServiceDetails) bool { return s.Name == name })
		if i >= 0 && services[i].Ready {
			servicesReady++
			continue
		}
		open = append(open, name)
	}
	total, ready := 0, 0
	for _, app := range want.Stack.Apps {
		if !want.wants(app) {
			continue
		}
		wanted, done, errored := app.Count(), 0, false
		for _, p := range processes {
			switch {
			case p.Name != app.Name || p.Leaving:
			case p.Ready || completed(p):
				done++
			case p.Status.Rests() && want.stops(p.Name, p.Instance):
				wanted--
			case p.Status == view.Errored:
				errored = true
			}
		}
		total, ready = total+wanted, ready+min(done, wanted)
		switch {
		case done >= wanted:
		case errored:
			open = append(open, app.Name+" (errored)")
		default:
			open = append(open, app.Name)
		}
	}
	s := status{ready: len(open) == 0, line: fmt.Sprintf("%d/%d processes ready", ready, total)}
	if len(want.Services) > 0 {
		s.line += fmt.Sprintf(", %d/%d services ready", servicesReady, len(want.Services))
	}
	if more := len(open) - maxNamed; more > 0 {
		open = append(open[:maxNamed], fmt.Sprintf("%d more", more))
	}
	if len(open) > 0 {
		s.line += ": waiting for " + strings.Join(open, ", ")
	}
	return s
}
