package daemon

import (
	"context"

	"devstack/daemon/api"
)

// down ends everything: the actions under way, processes in reverse order, then containers. The keeper and this
// daemon follow when the answer is given. If a container cannot be removed the daemon stays, to be asked again.
type down struct {
	d   *Daemon
	req api.DownRequest
}

func (o *down) run(context.Context) *api.Result {
	o.d.interrupt()
	ctx := o.d.ctx // a second `down` waits for the first and finds nothing left to do
	if err := o.d.turn.take(ctx); err != nil {
		return cancelled(err)
	}
	defer o.d.turn.end()
	want := o.d.wanted()
	if want.Stack == nil {
		return &api.Result{Notes: []string{"nothing is running"}}
	}
	if refused := o.d.intend(func(next *intent) { next.Down, next.Booting = &o.req, false }); refused != nil {
		return refused
	}
	for _, f := range stopProcesses(ctx, o.d, want.Stack, o.d.procs.Snapshot()) {
		o.d.bus.warn(f.Resource, f.Resource+" "+f.Message+"; the keeper ends it")
	}
	notes := []string{}
	switch {
	case want.NoInfra:
		notes = append(notes, "devstack did not stop the services, because the stack ran with --no-infra")
	case want.Stack.Compose == nil:
	case o.req.KeepInfra:
		notes = append(notes, "the services are left running")
	default:
		if err := o.removeContainers(ctx, want); err != nil {
			r := o.d.conclude(infraFailures(err), nil, notes)
			r.Error, r.Hint = "cannot remove the services; the processes are stopped", infraHint(err)
			return r
		}
	}
	o.forget()
	return &api.Result{Notes: append(notes, o.d.file.notes(ctx)...)}
}

func (o *down) removeContainers(ctx context.Context, want intent) error {
	engine := o.d.containers.engine()
	if engine == nil { // an engine that was away when this daemon began
		var err error
		if engine, err = o.d.containers.reconnect(ctx, want); err != nil {
			return err
		}
		defer engine.Close()
	}
	return engine.Down(ctx, want.Stack.Compose, want.Stack.Project, o.req.Volumes)
}

// forget makes the daemon own nothing. Of what is wanted, what lasts stays; the history goes.
func (o *down) forget() {
	if refused := o.d.intend(func(next *intent) { *next = next.afterDown(o.req) }); refused != nil {
		o.d.log.Warn("cannot forget the stack", "err", refused.Error)
	}
	o.d.containers.set(nil)
	o.d.procs.Apply(nil)
	o.d.history.forget()
}

// over is what lasts of an intent whose stack is over.
func (i intent) over() intent { return intent{lasting: i.lasting} }

// afterDown is what a down that has worked leaves. Without data there is no reason to stay with a driver: the next up
// chooses anew.
func (i intent) afterDown(req api.DownRequest) intent {
	next := i.over()
	if req.Volumes && !req.KeepInfra && !i.NoInfra && i.Stack != nil && i.Stack.Compose != nil {
		next.Driver = ""
	}
	return next
}

// endInOrder is the answer to a keeper that was told to end by a signal: processes in reverse order. Containers stay; the
// servers that it has launched the keeper ends itself, when this daemon has left. Servers that an earlier keeper has launched
// are nobody's children: they are ended here.
func endInOrder(d *Daemon) {
	if !d.enter() {
		return // it is on its way
	}
	want := d.wanted()
	(&down{d: d, req: api.DownRequest{KeepInfra: true}}).run(d.ctx)
	if want.Stack != nil && want.driver() != driverNone { // down has closed the driver before
		if err := d.containers.drivers(want.Environment, want.Driver).endAdopted(d.ctx, want.driver(), want.Stack.Project); err != nil {
			d.log.Error("cannot end the servers", "err", err)
		}
	}
	d.leave()
}
