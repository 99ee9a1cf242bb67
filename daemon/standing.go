package daemon

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// What commands have asked to be run anew, and what follows from it: until the new run is there, the present one counts for
// nothing. All of it is decided by the intent and by what is seen alone, so it holds from the moment at which the intent is
// made, before any process or service hears of it, and for the next daemon as well.

// launch is a launch of an instance that a command has asked for.
type launch struct {
	Least  int64 `json:"least"`  // its generation, or the first one above it that comes about
	Beside bool  `json:"beside"` // it takes over from an older one, which goes on until then
}

// launches are by instance, see instanceName.
type launches map[string]launch

func instanceName(app string, n int) string { return app + "/" + strconv.Itoa(n) }

// anew asks for launches of processes that are newer than those that there are.
func (l launches) anew(processes ...procs.Process) {
	for _, p := range processes {
		l[instanceName(p.Name, p.Instance)] = launch{Least: p.Newest + 1}
	}
}

// first asks for the first launch of an instance that there is no process of.
func (l launches) first(app string, n int) { l[instanceName(app, n)] = launch{Least: 1} }

// replace asks for a launch of a process that takes over from the one that there is, where both can run at once.
func (l launches) replace(p procs.Process) {
	l[instanceName(p.Name, p.Instance)] = launch{Least: p.Newest + 1, Beside: p.Overlaps}
}

// drop leaves a process the launch that it has: the reload has failed.
func (l launches) drop(p procs.Process) { delete(l, instanceName(p.Name, p.Instance)) }

// awaits says whether a process is still about to be launched anew.
func (l launches) awaits(p procs.Process) bool {
	return p.Generation < l[instanceName(p.Name, p.Instance)].Least
}

// alone are those without the launches that are beside older ones.
func (l launches) alone() launches {
	l = maps.Clone(l)
	maps.DeleteFunc(l, func(_ string, l launch) bool { return l.Beside })
	return l
}

// gated are the apps with the dependencies that they wait for.
func (i intent) gated() []stack.App {
	if len(i.LeftOut) == 0 {
		return i.Stack.Apps
	}
	apps := slices.Clone(i.Stack.Apps)
	for n := range apps {
		apps[n].DependsOn = slices.DeleteFunc(slices.Clone(apps[n].DependsOn), func(dep stack.Dependency) bool {
			return !dep.Service && i.LeftOut[dep.Name] && i.Stopped[dep.Name]
		})
	}
	return apps
}

// standing are the processes as gates are to take them: without instances that a resurrect has left stopped. One that is about
// to end, or to be launched anew, has come nowhere yet, whatever it says; a reload that puts the new launch beside it leaves it
// what it is.
func (i intent) standing(processes []procs.Process) []procs.Process {
	anew, standing := i.Launches.alone(), make([]procs.Process, 0, len(processes))
	for _, p := range processes {
		stops := i.stops(p.Name, p.Instance)
		if stops && i.LeftOut[p.Name] {
			continue
		}
		if anew.awaits(p) || stops && p.Pid != nil {
			p.Status, p.Ready, p.Ended, p.Pid = view.Waiting, false, false, nil
		}
		standing = append(standing, p)
	}
	return standing
}

// standingServices are the services as gates are to take them: one whose present run is about to end has come nowhere yet.
func (i intent) standingServices(services []view.ServiceDetails) []view.ServiceDetails {
	if len(i.Outgoing) == 0 {
		return services
	}
	services = slices.Clone(services)
	for n, s := range services {
		if run, outgoing := i.Outgoing[s.Name]; outgoing && run == runOf(s) {
			services[n].Ready, services[n].State, services[n].Health = false, "", ""
		}
	}
	return services
}

// runOf names the present run of a service.
func runOf(s view.ServiceDetails) string {
	if s.StartedAt == nil {
		return string(s.ID)
	}
	return string(s.ID) + " " + s.StartedAt.Format(time.RFC3339Nano)
}

// unproven says of every app what keeps its gate closed for a new daemon that knows no service yet, beside what an earlier one
// has judged: apps that are not there, or are about to be launched anew, and services that are about to be run anew.
func (i intent) unproven(processes []procs.Process) map[string][]string {
	apps := slices.Clone(i.gated())
	for n := range apps {
		apps[n].DependsOn = slices.DeleteFunc(slices.Clone(apps[n].DependsOn), func(dep stack.Dependency) bool {
			return dep.Service && i.Outgoing[dep.Name] == ""
		})
	}
	return closedGates(apps, i.Loose, nil, i.standing(processes))
}
