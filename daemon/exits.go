package daemon

import (
	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
	"devstack/view"
)

// exited hands an exit to the manager. An exit while a dependency is down does not count, but a process can exit
// milliseconds after its server, before the engine has said a word: so the services are asked first.
func (d *Daemon) exited(e keeper.Exit) {
	if ofServer(e.Key) {
		d.containers.exited(d.ctx, e)
		return
	}
	if p, known := d.procs.Process(e.Key.App, e.Key.Instance); known && p.Status != view.Stopping && p.Generation == e.Key.Generation {
		if d.containers.confirm(d.ctx, neededServices(d.wanted().Stack, e.Key.App)) {
			d.gates.update()
		}
	}
	d.procs.Exited(e)
}

// neededServices are the services that an app needs, itself or through other apps.
func neededServices(st *stack.Stack, app string) []string {
	if st == nil {
		return nil
	}
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
