package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"

	"devstack/daemon"
	"devstack/infra"
	"devstack/stack"
	"devstack/view"
)

// runPs is what the files name and what runs of it, by the driver that ran it last, while no daemon does. An engine that
// does not answer has nothing of it.
func runPs(ctx context.Context, c *command, args []string) error {
	if err := c.parse(args); err != nil {
		return err
	}
	st, err := c.load(ctx)
	if err != nil {
		return err
	}
	drivers, err := drivers(st)
	if err != nil {
		return err
	}
	services, err := look(ctx, st, drivers)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(c.stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(daemon.Offline(st, drivers.Last(), services))
}

func look(ctx context.Context, st *stack.Stack, drivers daemon.Drivers) ([]view.ServiceDetails, error) {
	if st.Compose == nil {
		return nil, nil
	}
	driver, err := drivers.Connect(ctx, drivers.Last())
	var e *infra.Error
	if errors.As(err, &e) && e.Kind == infra.NoEngine {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = driver.Close() }()
	return infra.Look(ctx, driver, infra.Of(st, st.Compose))
}

// drivers finds what runs the services of the stack, while no keeper can start any.
func drivers(st *stack.Stack) (daemon.Drivers, error) {
	at, err := location(st)
	return daemon.Drivers{ID: at.ID, StateDir: at.StateDir, Environ: os.Environ(), Log: slog.New(slog.DiscardHandler)}, err
}
