package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"

	"devstack/daemon"
	"devstack/infra"
	"devstack/infra/docker"
	"devstack/stack"
)

// runPs is what the files name and what the engine has of it, while no daemon runs. An engine that does not answer
// has nothing of it.
func runPs(ctx context.Context, c *command, args []string) error {
	if err := c.parse(args); err != nil {
		return err
	}
	st, err := c.load(ctx)
	if err != nil {
		return err
	}
	services, err := look(ctx, st)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(c.stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(daemon.Offline(st, services))
}

func look(ctx context.Context, st *stack.Stack) ([]infra.Service, error) {
	if st.Compose == nil {
		return nil, nil
	}
	driver, done, err := connect(ctx)
	var e *infra.Error
	if errors.As(err, &e) && e.Kind == infra.NoEngine {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer done()
	return infra.Look(ctx, driver, st.Compose)
}

// connect finds the engine; call done when it is no longer needed.
func connect(ctx context.Context) (driver infra.Driver, done func(), err error) {
	driver, err = docker.Connect(ctx, os.Environ(), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	return driver, func() { _ = driver.Close() }, nil
}
