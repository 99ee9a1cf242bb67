package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"devstack/infra"
	"devstack/stack"
	"devstack/view"
)

// runDown ends what the project's last driver runs of it, while no keeper does. Nothing there is no error, and neither is an
// engine that does not answer: then none of it runs.
func runDown(ctx context.Context, c *command, args []string) error {
	volumes := c.flags.Bool("volumes", false, "remove the volumes, too")
	keep := c.flags.Bool("keep-infra", false, "leave the services running")
	if err := c.parse(args); err != nil {
		return err
	}
	st, err := c.load(ctx)
	if err != nil {
		return err
	}
	if *keep || st.Compose == nil {
		fmt.Fprintln(c.stderr, "nothing is running")
		return nil
	}
	return removeServices(ctx, c, st, *volumes)
}

func removeServices(ctx context.Context, c *command, st *stack.Stack, volumes bool) error {
	drivers, err := drivers(st)
	if err != nil {
		return err
	}
	driver, err := drivers.Connect(ctx, drivers.Last())
	var e *infra.Error
	if errors.As(err, &e) && e.Kind == infra.NoEngine {
		fmt.Fprintln(c.stderr, "nothing is running:", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = driver.Close() }()
	steps := 0
	engine := infra.New(driver, slog.New(slog.DiscardHandler), func(event view.Event) {
		if event.Kind == view.KindOp && event.To == "started" {
			steps++
			fmt.Fprintln(c.stderr, event.Message)
		}
	})
	defer engine.Close()
	if err := engine.Down(ctx, st.Compose, st.Project, volumes); err != nil {
		return err
	}
	if steps == 0 {
		fmt.Fprintln(c.stderr, "nothing is running")
	}
	return nil
}
