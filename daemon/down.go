package daemon

import (
	"context"
	"errors"
	"io/fs"
	"os"

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
	d.mu.Lock()
	want := d.desired
	d.mu.Unlock()
	if want == nil {
		return &api.Result{Notes: []string{"nothing is running"}}
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
	return &api.Result{Notes: notes}
}

func (d *Daemon) removeContainers(ctx context.Context, want *desired, volumes bool) error {
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

// forget makes the daemon own nothing. What it has written down about the stack goes with it.
func (d *Daemon) forget() {
	d.mu.Lock()
	d.desired = nil
	d.mu.Unlock()
	d.setContainers(nil)
	d.procs.Apply(nil)
	d.saving.Lock()
	defer d.saving.Unlock()
	if err := os.Remove(d.statePath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("cannot remove the state file", "err", err)
	}
	if err := d.keeper.Stash(d.ctx, nil); err != nil {
		d.log.Warn("cannot clear the stash", "err", err)
	}
}
