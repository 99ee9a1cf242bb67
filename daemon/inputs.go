package daemon

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// inputsOf are digests of the files that one_shots among apps read, as they are now, by app. One that names none is not in it.
func inputsOf(apps []stack.App) (map[string]string, []api.Failure) {
	digests, failures := map[string]string{}, []api.Failure{}
	for _, app := range apps {
		globs := slices.Concat(app.Inputs, app.Watch.Paths)
		if !app.OneShot || len(globs) == 0 {
			continue
		}
		digest, err := stack.Digest(app.Cwd, globs)
		if err != nil {
			failures = append(failures, api.Failure{Resource: app.Name, Exit: api.ExitFiles, Message: "inputs: " + err.Error()})
			continue
		}
		digests[app.Name] = digest
	}
	return digests, failures
}

// outdated are the apps that have done their work on other inputs than those that there are now. What nothing is known of is
// not among them.
func (i intent) outdated(now map[string]string, processes []procs.Process) (names []string) {
	for _, p := range processes {
		was, digest := i.Inputs[p.Name], now[p.Name]
		if p.Status == view.Completed && was != "" && digest != "" && was != digest && !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	return names
}

// launchOutdated asks for launches of apps that have done their work on other inputs.
func (i *intent) launchOutdated(names []string, processes []procs.Process) {
	for _, p := range processes {
		if slices.Contains(names, p.Name) && p.Status == view.Completed && !i.stops(p.Name, p.Instance) {
			i.Launches.anew(p)
		}
	}
}

// readInputs notes what apps read at the launches that are asked for, or still wait: of every other, that stays what it was.
func (i *intent) readInputs(now map[string]string, processes []procs.Process) {
	for name, digest := range now {
		mine := slices.DeleteFunc(slices.Clone(processes), func(p procs.Process) bool { return p.Name != name })
		ahead := func(p procs.Process) bool { return i.Launches.awaits(p) || p.Status == view.Waiting }
		if i.Inputs[name] == "" || len(mine) == 0 || slices.ContainsFunc(mine, ahead) {
			i.Inputs[name] = digest
		}
	}
}

// noteInputs notes what a one_shot reads at a launch that no command has asked for, such as one for a changed file.
func (d *Daemon) noteInputs(e view.Event) {
	if e.Kind != view.KindProcess || e.To != string(view.Online) {
		return
	}
	want := d.wanted()
	p, known := d.procs.Process(e.Resource, e.Instance)
	if want.Stack == nil || !known || p.Generation <= want.Launches[instanceName(p.Name, p.Instance)].Least {
		return
	}
	apps := slices.DeleteFunc(slices.Clone(want.Stack.Apps), func(a stack.App) bool { return a.Name != p.Name })
	if len(apps) == 0 || !apps[0].OneShot || len(apps[0].Inputs)+len(apps[0].Watch.Paths) == 0 {
		return
	}
	d.spawn(func() {
		digests, failures := inputsOf(apps)
		if len(failures) > 0 {
			d.log.Warn("cannot note the inputs", "app", p.Name, "err", failures[0].Message)
			return
		}
		if refused := d.intend(func(next *intent) { maps.Copy(next.Inputs, digests) }); refused != nil && d.ctx.Err() == nil {
			d.log.Warn("cannot note the inputs", "app", p.Name, "err", refused.Error)
		}
	})
}

// runAgain says which apps run again for other inputs.
func runAgain(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	what := "it runs again: its inputs have"
	if len(names) > 1 {
		what = "they run again: their inputs have"
	}
	return []string{fmt.Sprintf("%s: %s changed since the last success", strings.Join(names, ", "), what)}
}
