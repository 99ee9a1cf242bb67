package daemon

import (
	"devstack/procs"
	"devstack/view"
)

// processOf is a process of which no more is known than everybody sees.
func processOf(p view.Process) procs.Process { return detailsOf(view.ProcessDetails{Process: p}) }

func detailsOf(d view.ProcessDetails) procs.Process { return procs.Process{ProcessDetails: d} }

// serviceOf is a service of which no more is known than everybody sees.
func serviceOf(s view.Service) view.ServiceDetails { return view.ServiceDetails{Service: s} }
