package daemon

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
)

// rerun is start, or restart: it runs the named processes and containers and waits until they are ready. The files are read
// anew for them, with the caller's environment. An app's containers are not started: its gate waits for them. A restart ends
// first what runs.
type rerun struct {
	d       *Daemon
	req     api.ActionRequest
	restart bool

	began    time.Time
	selected selection
	engine   *infra.Infra // nil: the stack has no services, or others run them
	goal     goal
}

func (r *rerun) run(ctx context.Context) *api.Result {
	if err := r.d.turn.take(ctx); err != nil {
		return cancelled(err)
	}
	r.began = time.Now()
	if refused := r.decide(ctx); refused != nil {
		r.d.turn.end()
		return refused
	}
	if r.restart {
		r.d.procs.RestartIDs(r.selected.ids()...)
	} else {
		r.d.procs.StartIDs(r.selected.ids()...)
	}
	broken := r.raise(ctx)
	notes := []string{}
	if len(r.selected.processes)+len(r.selected.services) == 0 {
		notes = append(notes, "this stack has no processes; name a service to run it")
	}
	return r.d.await(ctx, r.goal, broken, timeout(r.req.Timeout), notes)
}

// decide finds what the words mean, reads the files, and makes it the intent.
func (r *rerun) decide(ctx context.Context) *api.Result {
	_, s, refused := r.d.named(r.req.Names)
	if refused != nil {
		return refused
	}
	if r.selected, r.engine = s, r.d.containers.engine(); len(s.services) > 0 && r.engine == nil {
		return refusal(api.Failure{Resource: s.services[0], Exit: api.ExitEngine, Message: notRunByUs + "docker start or docker restart does"})
	}
	r.goal = goal{services: s.services, only: map[int]bool{}, began: r.began}
	for _, p := range s.processes {
		r.goal.only[p.ID] = true
	}
	names := s.apps()
	if len(names) == 0 {
		return r.d.intend(r.runServices)
	}
	st, refused := r.readAnew(ctx)
	if refused != nil {
		return refused
	}
	for _, app := range st.Apps {
		if slices.Contains(names, app.Name) {
			r.goal.apps = append(r.goal.apps, app)
		}
	}
	return nil
}

// runServices is what the command wants of the selected services.
func (r *rerun) runServices(next *intent) {
	next.runServices(r.selected.services...)
	if r.restart {
		next.rerunServices(r.d.containers.snapshot(), r.selected.services...)
	}
}

// readAnew reads the files anew for the selected apps. The other apps, and the containers, stay as they are.
func (r *rerun) readAnew(ctx context.Context) (*stack.Stack, *api.Result) {
	names, environment := r.selected.apps(), environ(r.d.asked, r.req.Environment)
	st, refused := redefined(ctx, r.d.wanted(), environment, names)
	if refused != nil {
		return nil, refused
	}
	again := slices.DeleteFunc(slices.Clone(st.Apps), func(a stack.App) bool { return !slices.Contains(names, a.Name) })
	inputs, unread := inputsOf(again)
	if len(unread) > 0 {
		return nil, refusal(unread...)
	}
	launched := slices.DeleteFunc(slices.Clone(r.selected.processes), func(p procs.Process) bool { return runs(p) && !r.restart })
	_, refused = r.d.enact(func(next *intent) {
		next.Stack, next.Environment = st, environment
		next.runSelected(r.selected)
		next.Launches.anew(launched...)
		processes := r.d.procs.Snapshot()
		next.launchMissing(nil, processes)
		next.readInputs(inputs, processes)
		r.runServices(next)
	}, names...)
	if refused != nil {
		return nil, refused
	}
	r.goal.launches = r.d.wanted().Launches.alone()
	return st, nil
}

// raise starts the selected services and says on the channel how that ended. The turn ends with it.
func (r *rerun) raise(ctx context.Context) <-chan error {
	do := (*infra.Infra).Start
	if r.restart {
		do = (*infra.Infra).Restart
	}
	broken := make(chan error, 1)
	r.d.background.Go(func() { // an action is in the background itself
		defer r.d.turn.end()
		defer close(broken)
		if err := eachService(r.selected.services, func(name string) error { return do(r.engine, ctx, name) }); err != nil {
			broken <- err
		}
		r.d.noteRaised(r.selected.services)
	})
	return broken
}

// notRunByUs begins what is said of a service that others run.
const notRunByUs = "devstack does not run this service (--no-infra); "

// eachService does something with services side by side and returns everything that went wrong.
func eachService(names []string, do func(string) error) error {
	errs := make([]error, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { errs[i] = do(name) })
	}
	all.Wait()
	return errors.Join(errs...)
}
