package daemon

import (
	"context"
	"fmt"
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
type scale struct {
	d   *Daemon
	req api.ScaleRequest
}

func (s *scale) run(ctx context.Context) *api.Result {
	g := goal{only: map[int]bool{}, began: time.Now()}
	if err := s.d.turn.take(ctx); err != nil {
		return cancelled(err)
	}
	app, was, refused := scaled(s.d.wanted().Stack, s.req)
	if refused == nil && app.Count() != was {
		refused = s.enact(app, &g)
	}
	s.d.turn.end()
	if refused != nil {
		return refused
	}
	g.apps = []stack.App{app}
	notes := []string{fmt.Sprintf("%s has %d of %d instances until the next devstack up, where the file's number wins", app.Name, app.Count(), was)}
	switch {
	case app.Count() == was:
		return s.d.conclude(nil, nil, []string{fmt.Sprintf("%s has %d already", app.Name, was)})
	case app.Count() > was:
		notes[0] = fmt.Sprintf("%s has %d instances until the next devstack up, where the file's number wins", app.Name, app.Count())
		if shared := app.SharedPort(); shared != "" {
			notes = append(notes, shared)
		}
		if len(g.only) == 0 {
			notes = append(notes, app.Name+" is stopped, and so are its new instances: devstack start "+app.Name)
		}
	}
	return s.d.await(ctx, g, nil, timeout(s.req.Timeout), notes)
}

// scaled is the app with as many instances as asked for, and how many it had.
func scaled(st *stack.Stack, req api.ScaleRequest) (app stack.App, was int, refused *api.Result) {
	if st == nil {
		return app, 0, notRunning()
	}
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

// enact makes app the one with its name and starts its new instances, which are what g waits for.
func (s *scale) enact(app stack.App, g *goal) *api.Result {
	before := s.d.procs.Snapshot()
	active := slices.ContainsFunc(before, func(p procs.Process) bool {
		return p.Name == app.Name && p.Status != view.Stopped && p.Status != view.Completed && !p.Leaving
	})
	refused := s.d.intend(func(next *intent) {
		next.scale(app.Name, app.Count())
		if active {
			next.launchNew(app, before)
		}
	})
	if refused != nil {
		return refused
	}
	s.d.procs.Apply(s.d.wanted().Stack.Apps, app.Name)
	s.d.gates.update()
	if !active {
		return nil
	}
	known := idsOf(before)
	for _, p := range s.d.procs.Snapshot() {
		if p.Name == app.Name && !slices.Contains(known, p.ID) {
			g.only[p.ID] = true
			s.d.procs.StartIDs(p.ID)
		}
	}
	return nil
}
