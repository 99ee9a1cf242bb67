// Package native runs the services of a Compose file that are redis or postgres with the servers of the host, on machines
// with no Docker.
package native

import (
	"errors"
	"log/slog"

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

// Available says whether the servers that p's services need can be had on this host; otherwise it is an *infra.Error that
// names what to install, or what only Docker can run.
func Available(p *types.Project, environ []string) error {
	return &infra.Error{Kind: infra.NoEngine, Message: "native services are not available"}
}

// Driver is the servers of one project directory.
type Driver struct {
	infra.Driver
}

// Connect finds the host's servers.
func Connect(o Options) (*Driver, error) {
	return nil, errors.New("native services are not available")
}

// Exited takes the keeper's word that a server has ended, and acks it; false: the launch is none of a server.
func (d *Driver) Exited(e keeper.Exit) bool { return Owns(e.Key) }

// Warnings are what p asks for and native services do otherwise, a sentence each, for people.
func (d *Driver) Warnings(p *types.Project) []string { return nil }
