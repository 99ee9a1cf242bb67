package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"devstack/daemon"
	"devstack/daemon/api"
	"devstack/daemon/preflight"
	"devstack/infra"
	"devstack/stack"
	"devstack/view"
)

// runPreflight prints every check of `up` and its result, and starts nothing.
func runPreflight(ctx context.Context, c *command, args []string) error {
	if err := c.parse(args); err != nil {
		return err
	}
	checks, err := allChecks(ctx, c)
	if err != nil {
		return err
	}
	if err := show(c, checks); err != nil {
		return err
	}
	var codes []api.Code
	for _, check := range preflight.Failures(checks) {
		codes = append(codes, check.Exit)
	}
	if code := api.First(codes...); code != api.ExitDone {
		return silent{code}
	}
	return nil
}

func allChecks(ctx context.Context, c *command) ([]api.Check, error) {
	st, err := c.load(ctx)
	if err != nil {
		checks := fileChecks(err)
		if checks == nil {
			return nil, err
		}
		return checks, nil
	}
	dir, err := stateDir(st)
	if err != nil {
		return nil, err
	}
	checks := []api.Check{{
		Name: "files", Status: preflight.OK, Detail: fmt.Sprintf("%s, profile %s: %d services, %d apps", st.Rel(st.File), st.Profile, len(services(st)), len(st.Apps)),
	}}
	for _, warning := range st.Warnings {
		checks = append(checks, api.Check{Name: "files", Status: preflight.Warning, Detail: warning})
	}
	var apps []stack.App
	for _, app := range st.Apps {
		if app.Autostart {
			apps = append(apps, app)
		}
	}
	checks = append(checks, preflight.All(ctx, preflight.Subject{Stack: st, Apps: apps, StateDir: dir})...)
	more, err := serviceChecks(ctx, st)
	return append(checks, more...), err
}

func services(st *stack.Stack) []string {
	if st.Compose == nil {
		return nil
	}
	return st.Compose.ServiceNames()
}

// fileChecks is one row per problem in the files, nil if the files are not the problem.
func fileChecks(err error) []api.Check {
	var all stack.Errors
	var single *stack.Error
	if !errors.As(err, &all) {
		if !errors.As(err, &single) {
			return nil
		}
		all = stack.Errors{single}
	}
	var checks []api.Check
	for _, e := range all {
		checks = append(checks, api.Check{Name: "files", Status: preflight.Failed, Detail: e.Error(), Fix: e.Hint, Exit: api.ExitFiles})
	}
	return checks
}

// serviceChecks asks what would run the services: is it there, can it do what the Compose file asks, are the ports free.
func serviceChecks(ctx context.Context, st *stack.Stack) ([]api.Check, error) {
	engine := api.Check{Name: "engine", Status: preflight.OK, Detail: "not needed: no containers"}
	if st.Compose == nil {
		return []api.Check{engine}, nil
	}
	drivers, err := drivers(st)
	if err != nil {
		return nil, err
	}
	driver, notes, err := drivers.Choose(ctx, st.Compose, "auto", "")
	if err != nil {
		return []api.Check{infraCheck(engine.Name, err)}, nil
	}
	defer func() { _ = driver.Close() }()
	engine.Detail = map[string]string{"docker": "docker answers", "native": "not needed: the services run natively"}[driver.Name()]
	checks := []api.Check{engine}
	for _, note := range notes {
		checks = append(checks, api.Check{Name: engine.Name, Status: preflight.Warning, Detail: note})
	}
	// Nothing is executed by this Infra: it only plans, as up would.
	planner := infra.New(driver, slog.New(slog.DiscardHandler), func(view.Event) {})
	defer planner.Close()
	row := api.Check{Name: "services and ports", Status: preflight.OK, Detail: "nothing is in the way"}
	plan, err := planner.Plan(ctx, infra.Of(st, st.Compose))
	if err != nil {
		return append(checks, infraCheck(row.Name, err)), nil
	}
	if plan.Empty() {
		row.Detail = "all run as the Compose file wants them"
	}
	checks = append(checks, row)
	for _, warning := range plan.Warnings {
		checks = append(checks, api.Check{Name: row.Name, Status: preflight.Warning, Detail: warning})
	}
	return checks, nil
}

func infraCheck(name string, err error) api.Check {
	c := api.Check{Name: name, Status: preflight.Failed, Detail: err.Error(), Exit: api.ExitEngine}
	var e *infra.Error
	if errors.As(err, &e) {
		c.Fix, c.Exit = e.Hint, daemon.CodeOf(e.Kind)
	}
	return c
}

func show(c *command, checks []api.Check) error {
	if c.json {
		encoder := json.NewEncoder(c.stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(checks)
	}
	for _, check := range checks {
		line := fmt.Sprintf("%-8s %s: %s", check.Status, check.Name, check.Detail)
		if check.Fix != "" && check.Status != preflight.OK {
			line += " (" + check.Fix + ")"
		}
		if _, err := fmt.Fprintln(c.stdout, line); err != nil {
			return err
		}
	}
	return nil
}
