package daemon

import (
	"context"
	"log/slog"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
	"devstack/infra/docker"
	"devstack/infra/native"
	keeper "devstack/procs/keeper/protocol"
)

// This file alone knows the drivers; driver_choice.go knows their names, and decides which one it is to be.

// What runs services, as --infra and `ps` call it.
const (
	driverAuto   = "auto" // whichever it has to be
	driverDocker = "docker"
	driverNative = native.Name
	driverNone   = "none" // nobody, or others
)

// launching is a driver whose services the keeper launches. A container is its engine's child, which the driver asks; how a
// server has ended only the keeper knows, and when the keeper is to end, a server that an earlier one has launched is nobody's
// child.
type launching interface {
	infra.Driver
	// Exited takes the keeper's word that a launch has ended, and acks it; false: the launch is none of this driver.
	Exited(e keeper.Exit) bool
	// EndAdopted stops what an earlier keeper has launched for a project.
	EndAdopted(ctx context.Context, project string) error
}

// ofServer says that a launch is a driver's, and not an instance of an app.
func ofServer(k keeper.Key) bool { return native.Owns(k) }

// onlyProcesses leaves out what is a driver's.
func onlyProcesses(running []keeper.Running) []keeper.Running {
	return slices.DeleteFunc(slices.Clone(running), func(r keeper.Running) bool { return ofServer(r.Key) })
}

// Drivers finds what runs the services of one project.
type Drivers struct {
	ID       string       // 12 hex digits of the project directory's real path
	StateDir string       // has the last intent, and with it the last driver
	Environ  []string     // the caller's
	Keeper   *keeper.Conn // nil: native services are found and ended, but none can be started
	Log      *slog.Logger
	last     string // the last driver, as a daemon knows it; empty: the disk does
}

// Last is the driver whose services this project had last: docker, native, or empty where there were none yet.
func (d Drivers) Last() string {
	if d.last != "" {
		return d.last
	}
	l, _ := readIntent(d.StateDir) // one that cannot be used tells nothing of this, either
	return l.Driver
}

// Connect is the named driver. Empty is Docker, which alone can have services that no `up` of devstack has started.
func (d Drivers) Connect(ctx context.Context, name string) (infra.Driver, error) {
	if name == driverNative {
		driver, err := native.Connect(native.Options{ID: d.ID, Environ: d.Environ, Keeper: d.Keeper, Log: d.Log})
		if err != nil {
			return nil, err
		}
		return driver, nil
	}
	return docker.Connect(ctx, d.Environ, d.Log)
}

// Choose connects the driver that the services of p run with, were they started now: see choose. running is the driver of
// services that the caller knows to run. notes are what the user should know although it works.
func (d Drivers) Choose(ctx context.Context, p *types.Project, asked, running string) (driver infra.Driver, notes []string, err error) {
	c := choice{asked: asked, running: running, last: d.Last()}
	explicit := asked == driverDocker || asked == driverNative
	if c.running == "" && c.last != "" && explicit && asked != c.last && d.runs(ctx, c.last, p.Name) {
		c.running = c.last // left by `devstack kill`
	}
	name, err := choose(c, func() (err error) {
		driver, err = d.Connect(ctx, driverDocker)
		return err
	}, func() error { return native.Available(p, d.Environ) })
	if err != nil {
		return nil, nil, err
	}
	if driver == nil {
		driver, err = d.Connect(ctx, name)
	}
	if name == driverNative && c.running == "" && c.last == "" && !explicit {
		notes = append(notes, "no container engine answers: the services run natively, and will until devstack up --infra docker; "+separate)
	}
	if err != nil {
		return nil, nil, err
	}
	return driver, append(notes, driver.Warnings(p)...), nil
}

// endAdopted ends what an earlier keeper has launched for a project that the named driver runs.
func (d Drivers) endAdopted(ctx context.Context, name, project string) error {
	if name != driverNative {
		return nil // an engine may not answer, and has nothing of the keeper's
	}
	driver, err := d.Connect(ctx, name)
	if err != nil {
		return err
	}
	defer func() { _ = driver.Close() }()
	if l, ok := driver.(launching); ok {
		return l.EndAdopted(ctx, project)
	}
	return nil
}

// runs says whether any service of the project runs with the named driver, as far as can be known.
func (d Drivers) runs(ctx context.Context, name, project string) bool {
	driver, err := d.Connect(ctx, name)
	if err != nil {
		return false
	}
	defer func() { _ = driver.Close() }()
	obs, err := driver.Observe(ctx, project, nil)
	if err != nil {
		return false
	}
	for _, c := range obs.Containers {
		if c.State == "running" {
			return true
		}
	}
	return false
}
