package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/infra/docker"
	"devstack/stack"
)

// runInfra keeps the containers of a project in the foreground until SIGTERM: what the unit PROJECT-infra.service runs, as
// somebody who may use the engine's socket. It has no keeper and no API; who stopped what is in its own directory. It
// brings up what nobody had stopped, waits for an engine that is not there yet, repairs what dies, and stops all
// containers when it is stopped itself; they are not removed.
func runInfra(ctx context.Context, log *slog.Logger, files api.Files) error {
	st, err := stack.Load(ctx, stack.Options{File: files.File, Project: files.Project, Profile: files.Profile, Environment: os.Environ()})
	if err != nil {
		return err
	}
	if err := fitsInfra(st); err != nil {
		return err
	}
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
	s.connect = func(ctx context.Context) (infra.Driver, error) { return docker.Connect(ctx, os.Environ(), log) }
	return s.run(ctx)
}

// fitsInfra refuses stacks of which there is nothing to keep.
func fitsInfra(st *stack.Stack) error {
	if st.Profile == "prod" {
		return &api.Error{Exit: api.ExitUsage, Message: "cannot run the profile prod: devstack exports and rehearses it, and never runs it", Hint: "choose dev or pilot"}
	}
	if st.Compose == nil || len(st.Compose.ServiceNames()) == 0 {
		return &api.Error{Exit: api.ExitFiles, Message: "cannot keep containers: " + st.Rel(st.File) + " has none", Hint: "this stack does not need this unit"}
	}
	return nil
}

// noEngine says that nothing but waiting helps: after a boot, the engine may come later than this.
func noEngine(err error) bool {
	var e *infra.Error
	return errors.As(err, &e) && e.Kind == infra.NoEngine
}
