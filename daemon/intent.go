package daemon

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// savedVersion is of everything that this daemon keeps for the next one; a newer one is not read.
const savedVersion = 1

// intent is what commands want: the stack, and what they have decided about it that no file says. It is a value: a command
// makes the next one of it, see Daemon.intend. The zero value: nothing is to run, and nothing is known of earlier days.
type intent struct {
	lasting
	Stack       *stack.Stack      `json:"-"` // nil: nothing is to run
	Files       api.Files         `json:"files"`
	Environment []string          `json:"environment"` // of who asked
	Services    []string          `json:"services"`    // that some up has asked for
	NoInfra     bool              `json:"no_infra"`
	Loose       map[string]bool   `json:"loose"`    // apps started by up --only: they wait for nothing
	LeftOut     map[string]bool   `json:"left_out"` // apps that a resurrect has left stopped, in part or whole: nobody waits for what is stopped of them
	Launches    launches          `json:"launches"` // that commands have asked for
	Raising     map[string]bool   `json:"raising"`  // services that a command is bringing up: the next daemon goes on with it
	Outgoing    map[string]string `json:"outgoing"` // of those, the runs that are to end, by service: see standingServices
	Booting     bool              `json:"booting"`  // the daemon's own up is not done yet: the next daemon goes on with it
	Down        *api.DownRequest  `json:"down"`     // has begun: the next daemon goes on with it; nil: has not
}

// lasting is the part of an intent that outlives down and a reboot, on disk: names and numbers, and nothing of an environment
// or a definition.
type lasting struct {
	Version          int               `json:"version"`
	SavedAt          time.Time         `json:"saved_at"`
	Stopped          map[string]bool   `json:"stopped"`           // apps, by stop or delete
	StoppedInstances map[string][]int  `json:"stopped_instances"` // of apps that are not stopped as a whole
	Started          map[string]bool   `json:"started"`           // apps, although autostart is false
	Instances        map[string]int    `json:"instances"`         // of apps whose number is devstack scale's, not the file's
	Inputs           map[string]string `json:"inputs"`            // one_shot -> digest of the files that its last launch had to read
	StoppedServices  map[string]string `json:"stopped_services"`  // service -> who has stopped it: devstack or other
	Driver           string            `json:"driver"`            // docker or native: what services ran with last; empty: there were none
}

// clone shares nothing that a change of the intent changes.
func (i intent) clone() intent {
	if i.Stack != nil {
		st := *i.Stack
		st.Apps = slices.Clone(st.Apps)
		i.Stack = &st
	}
	i.Loose, i.LeftOut, i.Launches = cloned(i.Loose), cloned(i.LeftOut), cloned(i.Launches)
	i.Raising, i.Outgoing = cloned(i.Raising), cloned(i.Outgoing)
	i.Stopped, i.StoppedInstances, i.Started = cloned(i.Stopped), cloned(i.StoppedInstances), cloned(i.Started)
	i.Instances, i.StoppedServices, i.Inputs = cloned(i.Instances), cloned(i.StoppedServices), cloned(i.Inputs)
	return i
}

func cloned[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return maps.Clone(m)
}

// encodedIntent is an intent on its way through the keeper.
type encodedIntent struct {
	Stack json.RawMessage `json:"stack,omitempty"`
	intent
}

// encode is the whole intent, with the environment: it belongs into the keeper's memory, never on a disk.
func (i intent) encode() ([]byte, error) {
	i.Version = savedVersion
	e := encodedIntent{intent: i}
	if i.Stack != nil {
		st, err := i.Stack.Encode()
		if err != nil {
			return nil, err
		}
		e.Stack = st
	}
	return json.Marshal(e)
}

// decodeIntent is the intent that encode was given, also by an earlier devstackd. Nothing is the zero value.
func decodeIntent(data []byte) (intent, error) {
	if len(data) == 0 {
		return intent{}, nil
	}
	version, err := versionOf(data)
	if err != nil {
		return intent{}, err
	}
	if version == 0 {
		return decodeStash(data)
	}
	var e encodedIntent
	if err = json.Unmarshal(data, &e); err == nil && e.Stack != nil {
		e.intent.Stack, err = stack.Decode(e.Stack)
	}
	if err != nil {
		return intent{}, err
	}
	return e.intent, nil
}

// versionOf is the version that data names; 0: none.
func versionOf(data []byte) (int, error) {
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return 0, fmt.Errorf("it is damaged: %w", err)
	}
	if v.Version < 0 || v.Version > savedVersion {
		return 0, fmt.Errorf("it has version %d, this devstackd knows %d", v.Version, savedVersion)
	}
	return v.Version, nil
}

// readVersioned reads what has to name its version.
func readVersioned(data []byte, into any) error {
	switch version, err := versionOf(data); {
	case err != nil:
		return err
	case version == 0:
		return errors.New("it has no version")
	}
	return json.Unmarshal(data, into)
}

// stops says whether an instance is to be stopped.
func (i intent) stops(app string, n int) bool {
	return i.Stopped[app] || slices.Contains(i.StoppedInstances[app], n)
}

// wants says whether an app, or an instance of it, is to run.
func (i intent) wants(app stack.App) bool {
	return !i.Stopped[app.Name] && (app.Autostart || i.Started[app.Name])
}

// wish is what the next daemon is to make of an instance.
func (i intent) wish(app string, n int) procs.Wish {
	l := i.Launches[instanceName(app, n)]
	return procs.Wish{Stopped: i.Down != nil || i.stops(app, n), Least: l.Least, Beside: l.Beside}
}

// driver is what runs the services, as `ps` says it.
func (i intent) driver() string {
	if i.NoInfra || len(i.Services) == 0 {
		return driverNone
	}
	return cmp.Or(i.Driver, driverDocker) // an older devstackd knew no other
}

// What commands make of an intent. The receiver is a clone of the intent before.

// stop stops instances of an app; all of them are the app, whatever number it will have.
func (i *intent) stop(app stack.App, instances ...int) {
	for _, n := range instances {
		delete(i.Launches, instanceName(app.Name, n))
	}
	if i.Stopped[app.Name] {
		return
	}
	stopped := slices.Concat(i.StoppedInstances[app.Name], instances)
	slices.Sort(stopped)
	stopped = slices.Compact(stopped)
	if len(stopped) == 0 {
		return
	}
	if len(stopped) < app.Count() {
		i.StoppedInstances[app.Name] = stopped
		return
	}
	i.Stopped[app.Name] = true
	delete(i.StoppedInstances, app.Name)
	delete(i.Started, app.Name)
	delete(i.LeftOut, app.Name)
}

// run runs instances of an app.
func (i *intent) run(app stack.App, instances ...int) {
	stopped := i.StoppedInstances[app.Name]
	if i.Stopped[app.Name] {
		stopped = numbers(app)
	}
	stopped = slices.DeleteFunc(slices.Clone(stopped), func(n int) bool { return slices.Contains(instances, n) })
	delete(i.Stopped, app.Name)
	if i.StoppedInstances[app.Name] = stopped; len(stopped) == 0 {
		delete(i.StoppedInstances, app.Name)
		delete(i.LeftOut, app.Name)
	}
	if !app.Autostart {
		i.Started[app.Name] = true
	}
}

// stopSelected stops what a command has selected.
func (i *intent) stopSelected(s selection) {
	for _, app := range i.Stack.Apps {
		i.stop(app, s.instances(app.Name)...)
	}
}

// runSelected runs what a command has selected.
func (i *intent) runSelected(s selection) {
	i.Down = nil
	for _, app := range i.Stack.Apps {
		if chosen := s.instances(app.Name); len(chosen) > 0 {
			i.run(app, chosen...)
		}
	}
}

// instances are the selected numbers of an app.
func (s selection) instances(app string) (numbers []int) {
	for _, p := range s.processes {
		if p.Name == app {
			numbers = append(numbers, p.Instance)
		}
	}
	return numbers
}

func (i *intent) stopServices(names ...string) {
	for _, name := range names {
		i.StoppedServices[name] = view.ByDevstack
	}
	i.raised(names...)
}

func (i *intent) runServices(names ...string) {
	i.Down = nil
	for _, name := range names {
		delete(i.StoppedServices, name)
		i.Raising[name] = true
	}
}

// raised notes that services were brought up, or cannot be.
func (i *intent) raised(names ...string) {
	for _, name := range names {
		delete(i.Raising, name)
		delete(i.Outgoing, name)
	}
}

// rerunServices notes that the present runs of services are to end, so that from now on nobody takes those for ready.
func (i *intent) rerunServices(services []view.ServiceDetails, names ...string) {
	for _, s := range services {
		if slices.Contains(names, s.Name) {
			i.Raising[s.Name], i.Outgoing[s.Name] = true, runOf(s)
		}
	}
}

// launchMissing asks for launches of the named apps that do not run, and of every app that does not run as it is defined now.
func (i *intent) launchMissing(names []string, processes []procs.Process) {
	for _, app := range i.Stack.Apps {
		named := slices.Contains(names, app.Name)
		for _, n := range numbers(app) {
			is := slices.IndexFunc(processes, func(p procs.Process) bool { return p.Name == app.Name && p.Instance == n })
			changed := is >= 0 && processes[is].Hash != app.Hash
			switch {
			case i.stops(app.Name, n):
			case is < 0 && named:
				i.Launches.first(app.Name, n)
			case is < 0, !named && !changed:
			case processes[is].Status == view.Completed && !changed: // it has done its work
			case changed && !rests(processes[is]), named && !runs(processes[is]):
				i.Launches.anew(processes[is])
			}
		}
	}
}

// launchNew asks for launches of instances that there are no processes of.
func (i *intent) launchNew(app stack.App, processes []procs.Process) {
	for _, n := range numbers(app) {
		if !slices.ContainsFunc(processes, func(p procs.Process) bool { return p.Name == app.Name && p.Instance == n }) {
			i.Launches.first(app.Name, n)
		}
	}
}

// runs says whether a start leaves a process as it is.
func runs(p procs.Process) bool {
	return p.Status == view.Launching || p.Status == view.Online || p.Status == view.Waiting
}

// rests says whether a changed definition leaves a process as it is.
func rests(p procs.Process) bool { return p.Status == view.Stopped || p.Status == view.Completed }

// scale gives an app another number of instances.
func (i *intent) scale(name string, count int) {
	n := slices.IndexFunc(i.Stack.Apps, func(a stack.App) bool { return a.Name == name })
	i.Stack.Apps[n].Instances, i.Instances[name] = count, count
	i.tidy()
}

// remove takes apps out of the stack. A resurrect leaves them out, too.
func (i *intent) remove(names ...string) {
	i.Stack.Apps = slices.DeleteFunc(i.Stack.Apps, func(a stack.App) bool { return slices.Contains(names, a.Name) })
	for _, name := range names {
		i.Stopped[name] = true
		delete(i.Started, name)
		delete(i.Instances, name)
	}
	i.tidy()
}

// tidy forgets what is about instances that are no longer defined, but not which apps are stopped: those may come back.
func (i *intent) tidy() {
	defined := map[string]bool{}
	for _, app := range i.Stack.Apps {
		defined[app.Name] = true
		for _, n := range numbers(app) {
			defined[instanceName(app.Name, n)] = true
		}
		if stopped, some := i.StoppedInstances[app.Name]; some {
			stopped = slices.DeleteFunc(slices.Clone(stopped), func(n int) bool { return n >= app.Count() })
			delete(i.StoppedInstances, app.Name)
			i.stop(app, stopped...)
		}
	}
	maps.DeleteFunc(i.StoppedInstances, func(name string, _ []int) bool { return !defined[name] })
	maps.DeleteFunc(i.Loose, func(name string, _ bool) bool { return !defined[name] })
	maps.DeleteFunc(i.Launches, func(name string, _ launch) bool { return !defined[name] })
}

// stoppedByOthers notes what somebody else has stopped now. What is not among it any more, they have started again.
func (i *intent) stoppedByOthers(now map[string]string) {
	maps.DeleteFunc(i.StoppedServices, func(_, by string) bool { return by != view.ByDevstack })
	maps.Copy(i.StoppedServices, byOthers(now))
}

// byOthers is of stopped services what somebody else than devstack has stopped.
func byOthers(stopped map[string]string) map[string]string {
	others := cloned(stopped)
	maps.DeleteFunc(others, func(_, by string) bool { return by == view.ByDevstack })
	return others
}
