package daemon

import (
	"fmt"
	"maps"
	"slices"

	"devstack/daemon/api"
	"devstack/stack"
)

// up is the intent after an up or a resurrect of st, the names of what is to run now, and in words where the file takes
// back what devstack scale has done. A resurrect leaves alone what was stopped, and gives apps of st the number of instances
// that they had; every other up takes back what it starts.
func (i intent) up(st *stack.Stack, req api.UpRequest) (next intent, names, notes []string, err error) {
	old := i
	if old.Stack == nil { // of a stack that is over, only what lasts counts
		old = old.over()
	}
	next = old.clone()
	next.Stack, next.Files, next.Environment, next.NoInfra, next.Down = st, req.Files, req.Environment, req.NoInfra, nil
	onlyOf(&next, st)
	if req.Resurrect {
		names, err = resurrected(&next)
	} else {
		names, err = raised(&next, old, req)
	}
	if err != nil {
		return old, nil, nil, err
	}
	next.Services, next.Loose = nil, map[string]bool{}
	for _, n := range st.Graph() {
		named := slices.Contains(names, n.Name)
		switch {
		case n.Service && (named || slices.Contains(old.Services, n.Name)):
			next.Services = append(next.Services, n.Name)
		case !n.Service && (named && req.Only || !named && old.Loose[n.Name]):
			next.Loose[n.Name] = true
		}
	}
	if !next.NoInfra { // the services are brought up, also those that somebody has stopped
		next.StoppedServices, next.Raising, next.Outgoing = map[string]string{}, map[string]bool{}, map[string]string{}
	}
	notes = keepUnspoken(&next, old, names)
	next.tidy()
	return next, names, notes, nil
}

// onlyOf forgets apps that st does not have.
func onlyOf(i *intent, st *stack.Stack) {
	for _, apps := range []map[string]bool{i.Stopped, i.Started, i.LeftOut} {
		maps.DeleteFunc(apps, func(name string, _ bool) bool { return !hasApp(st, name) })
	}
	maps.DeleteFunc(i.StoppedInstances, func(name string, _ []int) bool { return !hasApp(st, name) })
	maps.DeleteFunc(i.Instances, func(name string, _ int) bool { return !hasApp(st, name) })
	maps.DeleteFunc(i.Inputs, func(name string, _ string) bool { return !hasApp(st, name) })
}

func hasApp(st *stack.Stack, name string) bool {
	return slices.ContainsFunc(st.Apps, func(a stack.App) bool { return a.Name == name })
}

// resurrected leaves what is stopped stopped, restores the numbers of instances, and returns the names to run.
func resurrected(i *intent) ([]string, error) {
	i.LeftOut = map[string]bool{}
	for n, app := range i.Stack.Apps {
		if count := i.Instances[app.Name]; count >= 1 && count <= maxScale && count != app.Count() {
			i.Stack.Apps[n].Instances = count
		} else {
			delete(i.Instances, app.Name)
		}
		if i.Stopped[app.Name] || app.Autostart {
			delete(i.Started, app.Name)
		}
	}
	i.tidy()
	for _, app := range i.Stack.Apps {
		if i.Stopped[app.Name] || len(i.StoppedInstances[app.Name]) > 0 {
			i.LeftOut[app.Name] = true
		}
	}
	names, err := closure(i.Stack, i.wants)
	return slices.DeleteFunc(names, func(name string) bool { return i.Stopped[name] }), err
}

// raised takes back that something is stopped of what is asked for, which it returns.
func raised(i *intent, old intent, req api.UpRequest) (names []string, err error) {
	i.Instances = map[string]int{} // the file's numbers
	if len(req.Names) == 0 {
		i.Stopped, i.StoppedInstances, i.LeftOut = map[string]bool{}, map[string][]int{}, map[string]bool{}
		if old.Stack == nil {
			i.Started = map[string]bool{}
		}
		names, err = closure(i.Stack, func(a stack.App) bool { return a.Autostart })
	} else if names, err = i.Stack.Closure(req.Names...); err == nil && req.Only {
		names = req.Names
	}
	for _, app := range i.Stack.Apps {
		if slices.Contains(names, app.Name) {
			i.run(app, numbers(app)...)
		}
	}
	return names, err
}

// closure is every service and the apps that are chosen, with all that they need.
func closure(st *stack.Stack, chosen func(stack.App) bool) ([]string, error) {
	var roots []string
	for _, n := range st.Graph() {
		a := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == n.Name })
		if n.Service || chosen(st.Apps[a]) {
			roots = append(roots, n.Name)
		}
	}
	if len(roots) == 0 {
		return nil, nil
	}
	return st.Closure(roots...)
}

// keepUnspoken gives apps that are not named the definitions that they have, and says of the others where the file wins over
// devstack scale.
func keepUnspoken(i *intent, old intent, names []string) (unscaled []string) {
	if old.Stack == nil {
		return nil
	}
	for n, app := range i.Stack.Apps {
		was := slices.IndexFunc(old.Stack.Apps, func(a stack.App) bool { return a.Name == app.Name })
		if was < 0 {
			continue
		}
		before, scaled := old.Stack.Apps[was], old.Instances[app.Name] != 0
		switch {
		case !slices.Contains(names, app.Name) && app.Autostart:
			i.Stack.Apps[n] = before
			if scaled {
				i.Instances[app.Name] = old.Instances[app.Name]
			}
		case scaled && before.Count() != app.Count():
			unscaled = append(unscaled, fmt.Sprintf("%s was scaled to %d; the file says %d, and the file wins", app.Name, before.Count(), app.Count()))
		}
	}
	return unscaled
}

// numbers are those of an app's instances.
func numbers(app stack.App) []int {
	all := make([]int, app.Count())
	for n := range all {
		all[n] = n
	}
	return all
}
