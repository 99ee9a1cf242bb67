package main

import (
	"context"
	"encoding/json"
	"time"

	"devstack/daemon"
	"devstack/daemon/api"
	"devstack/infra"
	"devstack/stack"
)

// runLogs prints what processes and containers have left on disk and ends: one JSON record per line.
func runLogs(ctx context.Context, c *command, args []string) error {
	var req api.LogsRequest
	c.flags.IntVar(&req.Lines, "lines", 15, "how many lines of each stream")
	c.flags.StringVar(&req.Stream, "stream", "", "out or err")
	since := c.flags.String("since", "", "RFC 3339")
	if err := c.parse(args); err != nil {
		return err
	}
	if *since != "" {
		var err error
		if req.Since, err = time.Parse(time.RFC3339Nano, *since); err != nil {
			return &api.Error{Exit: api.ExitUsage, Message: err.Error()}
		}
	}
	st, err := c.load(ctx)
	if err != nil {
		return err
	}
	q, done, err := history(ctx, st, req, c.flags.Args())
	if err != nil {
		return err
	}
	defer done()
	encoder := json.NewEncoder(c.stdout)
	encoder.SetEscapeHTML(false)
	for _, record := range daemon.History(ctx, q) {
		if err := encoder.Encode(record); err != nil {
			return err
		}
	}
	return nil
}

// history is the query for what the words mean: apps as in devstack logs, containers by exact name.
func history(ctx context.Context, st *stack.Stack, req api.LogsRequest, words []string) (q daemon.HistoryQuery, done func(), err error) {
	sources, services, err := daemon.PickLogs(st, words)
	if err != nil {
		return q, nil, err
	}
	drivers, err := drivers(st)
	if err != nil {
		return q, nil, err
	}
	q = daemon.HistoryQuery{Request: req, Before: time.Now(), Sources: sources, StateDir: drivers.StateDir, Services: services}
	if len(services) == 0 {
		return q, func() {}, nil
	}
	driver, err := drivers.Connect(ctx, drivers.Last())
	if err != nil { // what containers wrote is gone with their engine
		q.Services = nil
		return q, func() {}, nil
	}
	done = func() { _ = driver.Close() }
	obs, err := driver.Observe(ctx, st.Project, st.Compose)
	if err != nil {
		done()
		return q, nil, err
	}
	q.Lines = func(ctx context.Context, service string, tail int, since time.Time, _ bool) (<-chan infra.LogLine, error) {
		for _, container := range obs.Containers {
			if container.Service == service {
				return driver.Logs(ctx, container.ID, infra.LogOptions{Tail: tail, Since: since})
			}
		}
		return nil, infra.ErrNotFound
	}
	return q, done, nil
}
