package daemon

import (
	"fmt"
	"slices"
	"strings"

	"devstack/procs"
	"devstack/view"
)

// progress is how far a stack has come, in a word and in one line.
type progress struct {
	ready  bool // everything wanted is ready
	status string
}

// maxNamed is how many names a status line has room for.
const maxNamed = 5

// progressOf compares what is wanted with what is there. Not wanted is what somebody has stopped, and what does not start by
// itself and nobody has started. A process that has done its work is as good as ready.
func progressOf(want *desired, services []view.ServiceDetails, processes []procs.Process) progress {
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
		if !want.Will.wants(app) {
			continue
		}
		wanted, done, errored := app.Count(), 0, false
		for _, p := range processes {
			switch {
			case p.Name != app.Name || p.Leaving:
			case p.Ready || completed(p):
				done++
			case stoppedByHand(p):
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
	p := progress{ready: len(open) == 0, status: fmt.Sprintf("%d/%d processes ready", ready, total)}
	if len(want.Services) > 0 {
		p.status += fmt.Sprintf(", %d/%d services ready", servicesReady, len(want.Services))
	}
	if more := len(open) - maxNamed; more > 0 {
		open = append(open[:maxNamed], fmt.Sprintf("%d more", more))
	}
	if len(open) > 0 {
		p.status += ": waiting for " + strings.Join(open, ", ")
	}
	return p
}

// stoppedByHand says whether somebody has stopped this one instance of an app that is wanted.
func stoppedByHand(p procs.Process) bool {
	exit := p.LastExit()
	return p.Status == view.Stopped && exit != nil && exit.Reason == view.Manual
}

// progress is how far this stack has come.
func (d *Daemon) progress() progress {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.desired == nil {
		return progress{status: d.starting}
	}
	return progressOf(d.desired, d.services(), d.procs.Snapshot())
}
