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
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
	"devstack/procs/keeper"
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

// serverInstance is Key.Instance of a server's launch; those of processes begin with 0.
const serverInstance = -1

// Owns says whether a launch is a server of this driver, and not a process of the ecosystem file.
func Owns(k keeper.Key) bool { return k.Instance == serverInstance }

// Driver is the servers of one project directory.
type Driver struct {
	keeper *keeper.Conn
	log    *slog.Logger
	layout layout
	finder *finder

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup

	acting      sync.Mutex // held by whoever changes a record
	mu          sync.Mutex // guards what follows
	closed      bool
	runs        map[string]*run // by container, while its server runs
	subscribers map[*subscriber]bool
}

var _ infra.Driver = (*Driver)(nil)

// Connect finds where the servers and their data are. It starts nothing.
func Connect(o Options) (*Driver, error) {
	env := environment(o.Environ)
	l, err := newLayout(env, o.ID)
	if err != nil {
		return nil, err
	}
	d := &Driver{
		keeper: o.Keeper, log: o.Log, layout: l, finder: newFinder(env),
		runs: map[string]*run{}, subscribers: map[*subscriber]bool{},
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d, nil
}

// Available says whether the servers that p's services need can be had on this host; otherwise it is an *infra.Error, or
// several joined, that names what to install, or what only Docker can run.
func Available(p *types.Project, environ []string) error {
	if err := check(p); err != nil {
		return err
	}
	f := newFinder(environment(environ))
	var missing []error
	for _, name := range infra.Order(p) {
		kind, tag := recognise(p.Services[name].Image)
		if _, err := f.find(kind, tag); err != nil {
			missing = append(missing, err)
		}
	}
	return firstOf(missing)
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

// Name is "native".
func (d *Driver) Name() string { return Name }

// Object is "server".
func (d *Driver) Object() string { return "server" }

// Close ends the watching; the servers run on.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.work.Wait()
	return nil
}

// spawn runs f in the background until Close.
func (d *Driver) spawn(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.work.Go(f)
	}
}

func environment(environ []string) map[string]string {
	env := map[string]string{}
	for _, e := range environ {
		key, value, _ := strings.Cut(e, "=")
		env[key] = value
	}
	return env
}
