package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"devstack/daemon/api"
	"devstack/daemon/preflight"
	"devstack/infra"
	"devstack/stack"
)

// propose loads the files and finds everything that stands in the way, all at once.
func (u *up) propose(ctx context.Context) *api.Result {
	u.req = asUnit(u.d.asked, u.req)
	was := u.d.wanted()
	st, refused := load(ctx, u.req.Files, u.req.Environment, was.Stack)
	if refused != nil {
		return refused
	}
	want, names, notes, err := was.up(st, u.req)
	if err != nil {
		return usage("names", err.Error(), "known: "+strings.Join(st.Order(), ", "))
	}
	if u.req.Resurrect && u.d.lost != nil {
		notes = append(notes, u.d.lost.Error()+": nothing is known to be stopped or scaled")
	}
	u.want, u.unscaled = want, notes
	for _, n := range st.Graph() {
		if n.Service && slices.Contains(names, n.Name) {
			u.services = append(u.services, n.Name)
		}
	}
	for _, app := range st.Apps {
		if slices.Contains(names, app.Name) {
			u.apps, u.selected = append(u.apps, app.Name), append(u.selected, app)
		}
	}
	if u.project, err = projectOf(u.want); err != nil {
		return refusal(api.Failure{Resource: "compose", Exit: api.ExitFiles, Message: err.Error()})
	}
	inputs, unread := inputsOf(u.selected)
	u.inputs, u.outdated = inputs, u.want.outdated(inputs, u.d.procs.Snapshot())
	failures, hints := u.obstacles(ctx)
	if failures = append(failures, unread...); len(failures) == 0 {
		return nil
	}
	r := refusal(failures...)
	r.Hint = strings.Join(hints, "\n")
	return r
}

// obstacles are what would keep the proposal from working, and how to clear them.
func (u *up) obstacles(ctx context.Context) (failures []api.Failure, hints []string) {
	st := u.want.Stack
	subject := preflight.Subject{Stack: st, Apps: u.selected, StateDir: u.d.home.StateDir}
	for _, c := range preflight.Failures(preflight.Quick(subject)) {
		if c.Name == preflight.Scripts && st.Build != nil && u.req.Build {
			continue // made by the build, and looked for afterwards
		}
		failures = append(failures, api.Failure{Resource: c.Name, Exit: c.Exit, Message: c.Detail})
		hints = append(hints, c.Fix)
	}
	for _, app := range u.selected {
		if port, owner := u.portOwner(ctx, app); owner != "" {
			failures = append(failures, api.Failure{
				Resource: app.Name, Exit: api.ExitPortTaken, Message: fmt.Sprintf("port %d is taken by %s", port, owner),
			})
			hints = append(hints, "stop it, or give "+app.Name+" another port")
		}
	}
	if u.project.Project == nil || u.want.NoInfra {
		return failures, hints
	}
	err := u.d.containers.choose(ctx, &u.proposal, u.req.Infra, u.d.wanted())
	if err == nil {
		u.plan, err = u.engine.Plan(ctx, u.project)
	}
	if err != nil {
		failures = append(failures, infraFailures(err)...)
		hints = append(hints, infraHint(err))
	}
	return failures, slices.DeleteFunc(hints, func(h string) bool { return h == "" })
}

// portOwner says which port an app is about to use that somebody else has, and who; nobody, or the app itself, is "".
func (u *up) portOwner(ctx context.Context, app stack.App) (port int, owner string) {
	if app.Port == 0 {
		return 0, ""
	}
	mine := map[int]bool{}
	if st := u.d.wanted().Stack; st != nil {
		for _, p := range u.d.procs.Snapshot() {
			for _, a := range st.Apps {
				// Between two launches its socket is held open.
				if p.Name == app.Name && !p.Status.Rests() && a.Name == app.Name {
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
