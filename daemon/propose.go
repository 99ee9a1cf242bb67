package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"devstack/daemon/api"
	"devstack/daemon/preflight"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// proposal is an `up` that nothing stands in the way of. It has touched nothing yet.
type proposal struct {
	want     intent
	selected []stack.App   // apps to run and to wait for, in file order
	apps     []string      // their names
	services []string      // services to run and to wait for
	project  infra.Project // without a Project: no services
	engine   *infra.Infra  // nil: no containers, or others run them
	fresh    bool          // engine is not the daemon's yet
	plan     infra.Plan
	images   infra.Images // that were pulled for it
	unscaled []string     // apps whose number of instances devstack scale had changed, in words
	remarks  []string     // about what runs the services
}

// notes are what the user should know although it works.
func (p *proposal) notes() []string {
	notes := []string{}
	if keys := p.want.Stack.Overrides; len(keys) > 0 {
		notes = append(notes, "your shell's value wins over the files' for "+strings.Join(keys, ", "))
	}
	return slices.Concat(notes, p.unscaled, p.remarks, p.want.Stack.Warnings)
}

// propose loads the files and finds everything that stands in the way, all at once.
func (d *Daemon) propose(ctx context.Context, req api.UpRequest) (*proposal, *api.Result) {
	st, refused := d.load(ctx, req.Files, req.Environment)
	if refused != nil {
		return nil, refused
	}
	want, names, notes, err := d.wanted().up(st, req)
	if err != nil {
		return nil, usage("names", err.Error(), "known: "+strings.Join(st.Order(), ", "))
	}
	if req.Resurrect && d.lost != nil {
		notes = append(notes, d.lost.Error()+": nothing is known to be stopped or scaled")
	}
	p := &proposal{want: want, unscaled: notes}
	for _, n := range st.Graph() {
		if n.Service && slices.Contains(names, n.Name) {
			p.services = append(p.services, n.Name)
		}
	}
	for _, app := range st.Apps {
		if slices.Contains(names, app.Name) {
			p.apps, p.selected = append(p.apps, app.Name), append(p.selected, app)
		}
	}
	if p.project, err = p.want.project(); err != nil {
		return nil, refusal(api.Failure{Resource: "compose", Exit: api.ExitFiles, Message: err.Error()})
	}
	failures, hints := d.obstacles(ctx, p, req.Build, req.Infra)
	if len(failures) > 0 {
		p.giveUp()
		r := refusal(failures...)
		r.Hint = strings.Join(hints, "\n")
		return nil, r
	}
	return p, nil
}

// load reads the files as they are now, with the caller's environment.
func (d *Daemon) load(ctx context.Context, files api.Files, environment []string) (*stack.Stack, *api.Result) {
	st, err := stack.Load(ctx, stack.Options{File: files.File, Project: files.Project, Profile: files.Profile, Environment: environment})
	if err != nil {
		return nil, fileRefusal(err)
	}
	running := d.wanted().Stack
	switch {
	case st.Profile == "prod":
		return nil, usage("profile", "the profile prod is exported and rehearsed, never run by devstack up", "choose dev or pilot")
	case running != nil && running.Project != st.Project:
		return nil, usage("project", fmt.Sprintf("this stack runs as %s, not as %s", running.Project, st.Project),
			"devstack down first, or name it -p "+running.Project)
	}
	return st, nil
}

// obstacles are what would keep the proposal from working, and how to clear them.
func (d *Daemon) obstacles(ctx context.Context, p *proposal, build bool, driver string) (failures []api.Failure, hints []string) {
	st := p.want.Stack
	subject := preflight.Subject{Stack: st, Apps: p.selected, StateDir: d.home.StateDir}
	for _, c := range preflight.Failures(preflight.Quick(subject)) {
		if c.Name == preflight.Scripts && st.Build != nil && build {
			continue // made by the build, and looked for afterwards
		}
		failures = append(failures, api.Failure{Resource: c.Name, Exit: c.Exit, Message: c.Detail})
		hints = append(hints, c.Fix)
	}
	for _, app := range p.selected {
		if port, owner := d.portOwner(ctx, app); owner != "" {
			failures = append(failures, api.Failure{
				Resource: app.Name, Exit: api.ExitPortTaken, Message: fmt.Sprintf("port %d is taken by %s", port, owner),
			})
			hints = append(hints, "stop it, or give "+app.Name+" another port")
		}
	}
	if p.project.Project == nil || p.want.NoInfra {
		return failures, hints
	}
	err := d.chooseEngine(ctx, p, driver)
	if err == nil {
		p.plan, err = p.engine.Plan(ctx, p.project)
	}
	if err != nil {
		failures = append(failures, infraFailures(err)...)
		hints = append(hints, infraHint(err))
	}
	return failures, slices.DeleteFunc(hints, func(h string) bool { return h == "" })
}

// portOwner says which port an app is about to use that somebody else has, and who; nobody, or the app itself, is "".
func (d *Daemon) portOwner(ctx context.Context, app stack.App) (port int, owner string) {
	if app.Port == 0 {
		return 0, ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	mine := map[int]bool{}
	if d.intent.Stack != nil {
		for _, p := range d.procs.Snapshot() {
			for _, a := range d.intent.Stack.Apps {
				// Between two launches its socket is held open.
				if p.Name == app.Name && p.Status != view.Stopped && p.Status != view.Errored && a.Name == app.Name {
					mine[a.Instance(p.Instance).Port] = true
				}
			}
		}
	}
	for n := range app.Count() {
		port := app.Instance(n).Port
		if !mine[port] {
			if owner := infra.PortOwner(ctx, port); owner != "" {
				return port, owner
			}
		}
		mine[port] = true // asked
	}
	return 0, ""
}

// useContainers makes the proposal's containers the daemon's.
func (d *Daemon) useContainers(p *proposal) {
	switch {
	case p.want.NoInfra && p.project.Project != nil:
		d.setContainers(infra.Watch(p.project, d.publish))
	case p.engine == nil:
		d.setContainers(nil)
	default:
		d.setContainers(p.engine)
		p.fresh = false
	}
}

// dryRun says what would be done.
func (d *Daemon) dryRun(p *proposal) *api.Result {
	var b strings.Builder
	switch {
	case p.engine != nil:
		b.WriteString(p.plan.String())
	case p.want.NoInfra:
		b.WriteString("no container is touched\n")
	}
	if missing := preflight.MissingScripts(p.selected); len(missing) > 0 {
		fmt.Fprintf(&b, "build: %s\n", strings.Join(stack.MaskArgs(p.want.Stack.Build.Command), " "))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var old []stack.App
	if d.intent.Stack != nil {
		old = d.intent.Stack.Apps
	}
	for _, line := range planApps(old, p.want.Stack.Apps, p.apps, d.procs.Snapshot()) {
		b.WriteString(line + "\n")
	}
	return &api.Result{Plan: b.String(), Notes: p.notes(), Failures: []api.Failure{}}
}

// planApps says what `up` would do with each app, one line each: start, restart, keep, leave or remove.
func planApps(old, next []stack.App, names []string, processes []procs.Process) []string {
	lines := []string{}
	for _, app := range next {
		was := slices.IndexFunc(old, func(a stack.App) bool { return a.Name == app.Name })
		is := slices.IndexFunc(processes, func(p procs.Process) bool { return p.Name == app.Name })
		stopped := is < 0 || processes[is].Status == view.Stopped || processes[is].Status == view.Errored
		named := slices.Contains(names, app.Name)
		done := is >= 0 && processes[is].Status == view.Stopped && processes[is].Ready
		changed := was >= 0 && old[was].Hash != app.Hash
		scaled := was >= 0 && old[was].Count() != app.Count()
		switch {
		case changed && !stopped:
			lines = append(lines, "process:"+app.Name+", restart, its definition or environment changed")
		case !named:
			lines = append(lines, "process:"+app.Name+", leave as it is, not asked for")
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

// fileRefusal is what an error of stack.Load means to the user.
func fileRefusal(err error) *api.Result {
	var unknown *stack.UnknownError
	if errors.As(err, &unknown) {
		return usage(unknown.Kind, err.Error(), "")
	}
	var all stack.Errors
	if !errors.As(err, &all) {
		return refusal(api.Failure{Resource: "files", Exit: api.ExitFiles, Message: err.Error()})
	}
	var failures []api.Failure
	var hints []string
	for _, e := range all {
		failures = append(failures, api.Failure{Resource: "files", Exit: api.ExitFiles, Message: e.Error()})
		if e.Hint != "" && !slices.Contains(hints, e.Hint) {
			hints = append(hints, e.Hint)
		}
	}
	if hints == nil {
		hints = []string{"correct it there; devstack preflight checks everything and starts nothing"}
	}
	r := refusal(failures...)
	r.Hint = strings.Join(hints, "\n")
	if len(failures) == 1 {
		r.Error = failures[0].Message // it begins with the file
	}
	return r
}

// usage refuses what cannot be meant.
func usage(what, message, hint string) *api.Result {
	r := refusal(api.Failure{Resource: what, Exit: api.ExitUsage, Message: message})
	r.Error, r.Hint = message, hint
	return r
}
