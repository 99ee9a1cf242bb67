package daemon

import (
	"context"

	"devstack/daemon/api"
)

// down ends everything: the actions under way, processes in reverse order, then containers. The keeper and this
// daemon follow when the answer is given. If a container cannot be removed the daemon stays, to be asked again.
func (d *Daemon) down(_ context.Context, req api.DownRequest) *api.Result {
	d.interrupt()
	ctx := d.ctx // a second `down` waits for the first and finds nothing left to do
	if err := d.takeTurn(ctx); err != nil {
		return d.cancelled(err)
	}
	defer d.endTurn()
	want := d.wanted()
	if want.Stack == nil {
		return &api.Result{Notes: []string{"nothing is running"}}
	}
	if refused := d.intend(func(next *intent) { next.Down, next.Booting = &req, false }); refused != nil {
		return refused
	}
	for _, f := range d.stopProcesses(ctx, want.Stack, d.procs.Snapshot()) {
		d.warn(f.Resource, f.Resource+" "+f.Message+"; the keeper ends it")
	}
	notes := []string{}
	switch {
	case want.NoInfra:
		notes = append(notes, "the services are left alone: the stack ran with --no-infra")
	case want.Stack.Compose == nil:
	case req.KeepInfra:
		notes = append(notes, "the services are left running")
	default:
		if err := d.removeContainers(ctx, want, req.Volumes); err != nil {
			r := d.conclude(infraFailures(err), nil, notes)
			r.Error, r.Hint = "the processes are stopped, the services could not be removed", infraHint(err)
			return r
		}
	}
	d.forget()
	return &api.Result{Notes: append(notes, d.kept()...)}
}

func (d *Daemon) removeContainers(ctx context.Context, want intent, volumes bool) error {
	engine := d.currentEngine()
	if engine == nil { // an engine that was away when this daemon began
		var err error
		if engine, err = d.reconnect(ctx, want); err != nil {
			return err
		}
		defer engine.Close()
	}
	return engine.Down(ctx, want.Stack.Compose, want.Stack.Project, volumes)
}

// forget makes the daemon own nothing. Of what is wanted, what lasts stays; the history goes.
func (d *Daemon) forget() {
	if refused := d.intend(func(next *intent) { *next = next.over() }); refused != nil {
		d.log.Warn("cannot forget the stack", "err", refused.Error)
	}
	d.setContainers(nil)
	d.procs.Apply(nil)
	d.forgetHistory()
}

// goOnWithDown goes on with a down that an earlier daemon has begun.
func (d *Daemon) goOnWithDown(ctx context.Context) {
	req := d.wanted().Down
	if req == nil || !d.enter() {
		return
	}
	d.background.Go(func() {
		if r := d.down(ctx, *req); r.Exit != api.ExitDone {
			d.log.Error("cannot go on with down", "err", allReasons(r))
		}
		d.leave()
	})
}
