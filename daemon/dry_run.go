package daemon

import (
	"fmt"
	"slices"
	"strings"

	"devstack/daemon/api"
	"devstack/daemon/preflight"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// dryRun says what would be done.
func (u *up) dryRun() *api.Result {
	var b strings.Builder
	switch {
	case u.engine != nil:
		b.WriteString(u.plan.String())
	case u.want.NoInfra:
		b.WriteString("no container is touched\n")
	}
	if build := u.want.Stack.Build; build != nil && (u.req.Build || build.IfMissing && len(preflight.MissingScripts(u.selected)) > 0) {
		fmt.Fprintf(&b, "build: %s\n", strings.Join(stack.MaskArgs(build.Command), " "))
	}
	var old []stack.App
	if st := u.d.wanted().Stack; st != nil {
		old = st.Apps
	}
	for _, line := range planApps(old, u.want.Stack.Apps, u.apps, u.outdated, u.d.procs.Snapshot()) {
		b.WriteString(line + "\n")
	}
	return &api.Result{Plan: b.String(), Notes: u.notes(), Failures: []api.Failure{}}
}

// planApps says what `up` would do with each app, one line each: start, restart, keep, leave or remove.
func planApps(old, next []stack.App, names, outdated []string, processes []procs.Process) []string {
	lines := []string{}
	for _, app := range next {
		was := slices.IndexFunc(old, func(a stack.App) bool { return a.Name == app.Name })
		is := slices.IndexFunc(processes, func(p procs.Process) bool { return p.Name == app.Name })
		stopped := is < 0 || processes[is].Status.Rests()
		named := slices.Contains(names, app.Name)
		done := is >= 0 && processes[is].Status == view.Completed
		changed := was >= 0 && old[was].Hash != app.Hash
		scaled := was >= 0 && old[was].Count() != app.Count()
		switch {
		case changed && !stopped:
			lines = append(lines, "process:"+app.Name+", restart, its definition or environment changed")
		case !named:
			lines = append(lines, "process:"+app.Name+", leave as it is, not asked for")
		case done && !changed && slices.Contains(outdated, app.Name):
			lines = append(lines, "process:"+app.Name+", run again, its inputs have changed since the last success")
		case app.OneShot && done && !changed:
			lines = append(lines, "process:"+app.Name+", keep, it has done its work")
		case stopped:
			lines = append(lines, "process:"+app.Name+", start"+after(app))
		case scaled:
			lines = append(lines, fmt.Sprintf("process:%s, scale from %d to %d", app.Name, old[was].Count(), app.Count()))
		default:
			lines = append(lines, "process:"+app.Name+", keep, it runs as the file wants it")
		}
	}
	for _, app := range old {
		if !slices.ContainsFunc(next, func(a stack.App) bool { return a.Name == app.Name }) {
			lines = append(lines, "process:"+app.Name+", stop and remove, no longer in the file")
		}
	}
	return lines
}

func after(app stack.App) string {
	var names []string
	for _, d := range app.DependsOn {
		names = append(names, d.Name)
	}
	if len(names) == 0 {
		return ""
	}
	return " after " + strings.Join(names, ", ")
}
