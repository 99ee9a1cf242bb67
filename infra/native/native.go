// Package native runs the services of a Compose file that are redis, valkey or postgres with the servers of the host, on
// machines with no Docker. To package infra it is an engine like another: its "containers" are records on disk, its
// "volumes" the servers' data directories.
//
// Promise: a server is launched by the keeper and outlives it; it is found again by its lock and its pid. Its data stay when
// its container is removed, and go when its volume is. It listens on loopback, unless the Compose file names a host_ip.
//
// Limits: what a container adds is not there: no isolation, no limits of memory, no healthcheck inside. The version is the
// host's. Files that are only in an image cannot be used.
package native

import (
	"errors"
	"log/slog"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
	keeper "devstack/procs/keeper/protocol"
)

// Name is what Service.Driver says.
const Name = "native"

// Options is what a Driver is made with.
type Options struct {
	ID      string       // 12 hex digits of the project directory's real path
	Environ []string     // PATH, HOME, XDG_DATA_HOME, XDG_CACHE_HOME, DEVSTACK_PG_BIN, ...
	Keeper  *keeper.Conn // nil: servers are found, stopped and removed, but none can be started
	Log     *slog.Logger
}

// Connect finds where the servers and their data are. It starts nothing.
func Connect(o Options) (*Driver, error) {
	env := infra.Environ(o.Environ)
	l, err := newLayout(env, o.ID)
	if err != nil {
		return nil, err
	}
	work := infra.NewBackground()
	return &Driver{finder: newFinder(env), servers: &servers{
		layout: l, templates: templates(l.templates()), keeper: launcher{o.Keeper, o.Log}, log: o.Log, work: work,
		lives: lives{byID: map[string]*life{}}, events: events{readers: map[*reader]bool{}}, logs: logs{l, work, o.Log},
	}}, nil
}

// Available says whether the servers that p's services need can be had on this host; otherwise it is an *infra.Error, or
// several joined, that names what to install, or what only Docker can run.
func Available(p *types.Project, environ []string) error {
	if err := check(p); err != nil {
		return err
	}
	f := newFinder(infra.Environ(environ))
	var missing []error
	for _, name := range infra.Order(p) {
		kind, major := recognise(p.Services[name].Image)
		if _, err := f.find(kind, major); err != nil {
			missing = append(missing, err)
		}
	}
	return firstOf(missing)
}

// check names everything in p that the host's servers cannot do.
func check(p *types.Project) error {
	var found []error
	for _, name := range infra.Order(p) {
		_, refused := define(p, p.Services[name])
		for _, r := range refused {
			found = append(found, &infra.Error{
				Kind: infra.Unsupported, Service: name, Message: "service " + name + ": " + r,
				Hint: "use Docker for the services: devstack up --infra docker",
			})
		}
	}
	return firstOf(found)
}

// firstOf is the first error of each text.
func firstOf(errs []error) error {
	seen := map[string]bool{}
	var out []error
	for _, err := range errs {
		if !seen[err.Error()] {
			seen[err.Error()] = true
			out = append(out, err)
		}
	}
	return errors.Join(out...)
}
