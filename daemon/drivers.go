package daemon

import (
	"context"
	"log/slog"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
	"devstack/infra/docker"
	"devstack/infra/native"
	"devstack/procs/keeper"
)

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
	if servers, ok := driver.(*native.Driver); ok {
		notes = append(notes, servers.Warnings(p)...)
	}
	return driver, notes, err
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
