package daemon

import (
	"context"
	"time"

	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
	"devstack/view"
)

// confirmTime is how long an exit waits for the services that the process depends on to answer once more.
const confirmTime = 500 * time.Millisecond

// exited hands an exit to the manager. An exit while a dependency is down does not count, but a process can exit
// milliseconds after its server, before the engine has said a word: so the services are asked first.
func (d *Daemon) exited(e keeper.Exit) {
	if ofServer(e.Key) {
		d.serverExited(e)
		return
	}
	if confirm, services := d.mayBlame(e); confirm != nil {
		ctx, cancel := context.WithTimeout(d.ctx, confirmTime)
		confirm(ctx, services...)
		cancel()
		d.judgeOnce()
	}
	d.procs.Exited(e)
}

// serverExited hands the exit of a server to its driver. Without one nobody waits for it, and the keeper may forget it.
func (d *Daemon) serverExited(e keeper.Exit) {
	d.mu.Lock()
	driver, ok := d.driver.(launching)
	d.mu.Unlock()
	if ok && driver.Exited(e) {
		return
	}
	if err := d.keeper.Ack(d.ctx, e.Key); err != nil && d.ctx.Err() == nil {
		d.log.Warn("cannot tell the keeper that an exit is known", "service", e.Key.App, "err", err)
	}
}

// mayBlame are the services whose end may be why a process ended that nobody has asked to, and who asks them.
func (d *Daemon) mayBlame(e keeper.Exit) (confirm func(context.Context, ...string), services []string) {
	if p, known := d.procs.Process(e.Key.App, e.Key.Instance); !known || p.Status == view.Stopping || p.Generation != e.Key.Generation {
		return nil, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.intent.Stack == nil {
		return nil, nil
	}
	services = neededServices(d.intent.Stack, e.Key.App)
	if len(services) == 0 || d.containers == nil {
		return nil, nil
	}
	return d.containers.Confirm, services
}

// neededServices are the services that an app needs, itself or through other apps.
func neededServices(st *stack.Stack, app string) []string {
	names, err := st.Closure(app)
	if err != nil {
		return nil // it has left the file
	}
	var services []string
	for _, n := range st.Graph() {
		for _, name := range names {
			if n.Service && n.Name == name {
				services = append(services, name)
			}
		}
	}
	return services
}
