package daemon

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// maxScale is more instances than a machine has use for: a slip of the finger.
const maxScale = 1000

// scale changes the number of instances of an app until the next up, and waits until the new ones are ready and those
// with the highest numbers are gone. The others are not touched. What is stopped stays stopped.
func (d *Daemon) scale(ctx context.Context, req api.ScaleRequest) *api.Result {
	g := goal{only: map[int]bool{}, began: time.Now()}
	if err := d.takeTurn(ctx); err != nil {
		return d.cancelled(err)
	}
	app, was, refused := d.scaled(req)
	if refused == nil && app.Count() != was {
		refused = d.enactScale(ctx, app, &g)
	}
	d.endTurn()
	if refused != nil {
		return refused
	}
	g.apps = []stack.App{app}
	notes := []string{fmt.Sprintf("%s has %d of %d instances until the next devstack up, where the file's number wins", app.Name, app.Count(), was)}
	switch {
	case app.Count() == was:
		return d.conclude(nil, nil, []string{fmt.Sprintf("%s has %d already", app.Name, was)})
	case app.Count() > was:
		notes[0] = fmt.Sprintf("%s has %d instances until the next devstack up, where the file's number wins", app.Name, app.Count())
		if shared := app.SharedPort(); shared != "" {
			notes = append(notes, shared)
		}
		if len(g.only) == 0 {
			notes = append(notes, app.Name+" is stopped, and so are its new instances: devstack start "+app.Name)
		}
	}
	return d.await(ctx, g, nil, timeout(req.Timeout), notes)
}

// scaled is the app with as many instances as asked for, and how many it had.
func (d *Daemon) scaled(req api.ScaleRequest) (app stack.App, was int, refused *api.Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.desired == nil {
		return app, 0, notRunning()
	}
	st := d.desired.Stack
	i := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == req.Name })
	if i < 0 && st.Compose != nil && slices.Contains(st.Compose.ServiceNames(), req.Name) {
		return app, 0, usage("name", req.Name+" is a service; scale is for apps", "")
	}
	if i < 0 {
		err := unknownName(st, req.Name)
		return app, 0, usage("name", err.Message, err.Hint)
	}
	app = st.Apps[i]
	was = app.Count()
	app.Instances = req.Instances
	if req.Relative {
		app.Instances += was
	}
	if app.Instances < 1 || app.Instances > maxScale {
		return app, 0, usage("instances", fmt.Sprintf("%s has %d instances and can have 1 to %d, not %d", app.Name, was, maxScale, app.Instances),
			"devstack stop "+app.Name+" stops all of them, devstack delete "+app.Name+" removes the app")
	}
	return app, was, nil
}

// enactScale makes app the one with its name and starts its new instances, which are what g waits for.
func (d *Daemon) enactScale(ctx context.Context, app stack.App, g *goal) *api.Result {
	next := d.desiredCopy()
	for i := range next.Stack.Apps {
		if next.Stack.Apps[i].Name == app.Name {
			next.Stack.Apps[i] = app
		}
	}
	next.Scaled[app.Name] = true
	if refused := d.adopt(ctx, next); refused != nil {
		return refused
	}
	before := d.procs.Snapshot()
	d.procs.Apply(next.Stack.Apps, app.Name)
	d.judgeOnce()
	active := func(p procs.Process) bool { return p.Name == app.Name && p.Status != view.Stopped && !p.Leaving }
	if !slices.ContainsFunc(before, active) {
		return nil
	}
	known := idsOf(before)
	for _, p := range d.procs.Snapshot() {
		if p.Name == app.Name && !slices.Contains(known, p.ID) {
			g.only[p.ID] = true
			d.procs.StartIDs(p.ID)
		}
	}
	return nil
}

// desiredCopy is what is desired, to be changed and adopted.
func (d *Daemon) desiredCopy() *desired {
	d.mu.Lock()
	defer d.mu.Unlock()
	next, st := *d.desired, *d.desired.Stack
	st.Apps = slices.Clone(st.Apps)
	next.Stack = &st
	next.Scaled, next.Loose = maps.Clone(next.Scaled), maps.Clone(next.Loose)
	if next.Scaled == nil {
		next.Scaled = map[string]bool{}
	}
	return &next
}

// remove stops the named apps, dependents first, and takes them out of the running stack; the gates of what needs them
// close. The next up brings them back.
func (d *Daemon) remove(ctx context.Context, req api.ActionRequest) *api.Result {
	if err := d.takeTurn(ctx); err != nil {
		return d.cancelled(err)
	}
	defer d.endTurn()
	if len(req.Names) == 0 {
		return usage("names", "delete needs names", "devstack delete all")
	}
	st, s, refused := d.named(req.Names)
	if refused == nil {
		refused = wholeApps(st, s)
	}
	if refused != nil {
		return refused
	}
	failures := d.stopProcesses(ctx, st, s.processes)
	if ctx.Err() != nil {
		return d.cancelled(context.Cause(ctx))
	}
	if len(failures) > 0 {
		r := d.conclude(failures, nil, []string{})
		r.Error = "not everything could be stopped; nothing was deleted"
		return r
	}
	next, names := d.desiredCopy(), s.apps()
	next.Stack.Apps = slices.DeleteFunc(next.Stack.Apps, func(a stack.App) bool { return slices.Contains(names, a.Name) })
	for _, name := range names {
		delete(next.Scaled, name)
		delete(next.Loose, name)
	}
	next.Will = next.Will.stopped(names...)
	if refused := d.adopt(ctx, next); refused != nil {
		return refused
	}
	d.procs.Apply(next.Stack.Apps, names...)
	d.judgeOnce()
	return d.await(ctx, goal{removed: names, began: time.Now()}, nil, timeout(req.Timeout), []string{})
}

// wholeApps refuses to delete containers and single instances.
func wholeApps(st *stack.Stack, s selection) *api.Result {
	if len(s.services) > 0 {
		return usage("names", s.services[0]+" is a service; delete is for apps", "devstack stop "+s.services[0]+", or devstack down")
	}
	for _, app := range st.Apps {
		chosen := 0
		for _, p := range s.processes {
			if p.Name == app.Name {
				chosen++
			}
		}
		if chosen > 0 && chosen < app.Count() {
			return usage("names", fmt.Sprintf("%s has %d instances; delete removes an app with all of them", app.Name, app.Count()),
				fmt.Sprintf("devstack scale %s -%d, or devstack delete %s", app.Name, chosen, app.Name))
		}
	}
	return nil
}
