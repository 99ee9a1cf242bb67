package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
)

// fakeEngine has one running container of each of its services. Each call may end the unit.
type fakeEngine struct {
	infra.Driver // what is not used
	services     []string
	called       func(what string)

	mu      sync.Mutex
	stopped []string // ids, in order
}

func (e *fakeEngine) Name() string               { return "docker" }
func (e *fakeEngine) Check(*types.Project) error { return nil }
func (e *fakeEngine) Close() error               { return nil }

func (e *fakeEngine) Events(ctx context.Context, _ string, _, _ time.Time) (<-chan infra.EngineEvent, error) {
	none := make(chan infra.EngineEvent)
	context.AfterFunc(ctx, func() { close(none) })
	return none, ctx.Err()
}

func (e *fakeEngine) Observe(ctx context.Context, _ string, _ *types.Project) (infra.Observed, error) {
	e.called("observe")
	var seen infra.Observed
	for _, name := range e.services {
		seen.Containers = append(seen.Containers, infra.Container{ID: name + "-1", Service: name, State: "running"})
	}
	return seen, ctx.Err()
}

func (e *fakeEngine) StopContainer(_ context.Context, id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = append(e.stopped, id)
	return nil
}

// SIGTERM may come at any moment of the start. The unit then ends well, and what an earlier one has left running is stopped,
// dependents first.
func TestInfraIsStoppedDuringItsStart(t *testing.T) {
	project := &types.Project{Name: "shop", Services: types.Services{
		"db":  {Name: "db"},
		"web": {Name: "web", WorkloadSpec: types.WorkloadSpec{DependsOn: types.DependsOnConfig{"db": {Condition: types.ServiceConditionStarted}}}},
	}}
	for _, moment := range []string{"before it connects", "while it connects", "connected", "observe"} {
		t.Run(moment, func(t *testing.T) {
			memory, err := openInfraMemory(t.TempDir(), "shop", slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer memory.Close()
			ctx, sigterm := context.WithCancel(t.Context())
			defer sigterm()
			at := func(now string) {
				if now == moment {
					sigterm()
				}
			}
			engine := &fakeEngine{services: project.ServiceNames(), called: at}
			log := slog.New(slog.NewTextHandler(os.Stderr, nil))
			s := &infraService{project: infra.Project{Project: project}, memory: memory, log: log, systemd: newNotifier(log), changed: make(chan struct{}, 1)}
			s.connect = func(ctx context.Context) (infra.Driver, error) {
				at("while it connects")
				if err := ctx.Err(); err != nil {
					return nil, &infra.Error{Kind: infra.NoEngine, Message: fmt.Sprint("no engine answers: ", err)}
				}
				at("connected")
				return engine, nil
			}
			at("before it connects")
			if err := s.run(ctx); err != nil {
				t.Errorf("it ends with %v", err)
			}
			if !slices.Equal(engine.stopped, []string{"web-1", "db-1"}) {
				t.Errorf("it has stopped %v", engine.stopped)
			}
		})
	}
}
