package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/stack"
)

// runInfra keeps the containers of a project in the foreground until SIGTERM: what the unit PROJECT-infra.service runs, as
// somebody who may use the engine's socket. It has no keeper and no API; who stopped what is in its own directory. It
// brings up what nobody had stopped, waits for an engine that is not there yet, repairs what dies, and stops all
// containers when it is stopped itself; they are not removed.
func runInfra(ctx context.Context, c *command, args []string) error {
	if err := c.parse(args); err != nil {
		return err
	}
	st, err := c.load(ctx)
	if err != nil {
		return err
	}
	if err := fitsInfra(st); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(c.stderr, nil))
	memory, err := openInfraMemory(infraDir(os.Getenv, st.Project), st.Project, log)
	if err != nil {
		return err
	}
	defer memory.Close()
	for _, warning := range st.Warnings {
		log.Warn(warning)
	}
	s := &infraService{project: infra.Of(st, st.Compose), memory: memory, log: log, changed: make(chan struct{}, 1)}
	s.systemd = newNotifier(log)
	return s.run(ctx)
}

// fitsInfra refuses stacks of which there is nothing to keep.
func fitsInfra(st *stack.Stack) error {
	if st.Profile == "prod" {
		return &api.Error{Exit: api.ExitUsage, Message: "the profile prod is exported and rehearsed, never run by devstack", Hint: "choose dev or pilot"}
	}
	if len(services(st)) == 0 {
		return &api.Error{Exit: api.ExitFiles, Message: st.Rel(st.File) + " has no containers to keep", Hint: "this unit is not needed"}
	}
	return nil
}

// noEngine says that nothing but waiting helps: after a boot, the engine may come later than this.
func noEngine(err error) bool {
	var e *infra.Error
	return errors.As(err, &e) && e.Kind == infra.NoEngine
}
