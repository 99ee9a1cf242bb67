package daemon

import (
	"context"
	"fmt"
	"time"

	"devstack/daemon/api"
	"devstack/stack"
)

// remove is delete: it stops the named apps, dependents first, and takes them out of the running stack; the gates of what
// needs them close. The next up brings them back.
type remove onNames

func (r *remove) run(ctx context.Context) *api.Result {
	if err := r.d.turn.take(ctx); err != nil {
		return cancelled(err)
	}
	defer r.d.turn.end()
	if len(r.req.Names) == 0 {
		return usage("names", "delete needs names", "devstack delete all")
	}
	st, s, refused := r.d.named(r.req.Names)
	if refused == nil {
		refused = wholeApps(st, s)
	}
	if refused != nil {
		return refused
	}
	if refused := r.d.intend(func(next *intent) { next.stopSelected(s) }); refused != nil {
		return refused
	}
	failures := stopProcesses(ctx, r.d, st, s.processes)
	if ctx.Err() != nil {
		return cancelled(context.Cause(ctx))
	}
	if len(failures) > 0 {
		out := r.d.conclude(failures, nil, []string{})
		out.Error = "cannot stop every process; nothing was deleted"
		return out
	}
	names := s.apps()
	if _, refused := r.d.enact(func(next *intent) { next.remove(names...) }, names...); refused != nil {
		return refused
	}
	return r.d.await(ctx, goal{removed: names, began: time.Now()}, nil, timeout(r.req.Timeout), []string{})
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
