package infra

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/view"
)

// execution runs one Plan. It carries no decision: every step is one call of the driver, or one wait for a gate.
type execution struct {
	driver  Driver
	project *types.Project
	obs     Observed
	publish func(view.Event)
	started func(service, id string)                                     // a container runs
	wait    func(ctx context.Context, service string, kind OpKind) error // a gate is open

	mu       sync.Mutex
	created  map[int]string    // step -> container
	networks map[string]string // key -> ID, as far as they exist
}

// Execute runs the steps, each as soon as those before it are done. After a failure no new step begins; those under way
// end. The first error is returned.
func (x *execution) Execute(ctx context.Context, plan Plan) error {
	x.created, x.networks = map[int]string{}, map[string]string{}
	for key, n := range x.project.Networks {
		if have := x.obs.Networks[n.Name]; len(have) > 0 {
			x.networks[key] = have[0].ID
		}
	}
	for _, w := range plan.Warnings {
		x.publish(view.Event{Kind: view.KindWarning, Message: w})
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make([]chan struct{}, len(plan.Ops)+1)
	for _, o := range plan.Ops {
		done[o.ID] = make(chan struct{})
	}
	var all sync.WaitGroup
	for _, o := range plan.Ops {
		all.Go(func() {
			for _, id := range o.After {
				select {
				case <-done[id]:
				case <-ctx.Done():
					return
				}
			}
			if ctx.Err() != nil {
				return
			}
			if err := x.step(ctx, o); err != nil {
				cancel(err)
				return
			}
			close(done[o.ID])
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// step does one step and tells about it. A step that was begun is finished, also when another one fails meanwhile: half a
// call would leave what nobody knows. Pulls and waits end with ctx.
func (x *execution) step(ctx context.Context, o Op) error {
	step := o.step(x.driver.Object())
	event := view.Event{Resource: o.Service, Kind: view.KindOp, To: "started", Cause: o.Cause, Message: step.String(), Step: &step}
	x.publish(event)
	err := x.do(ctx, o)
	event.From, event.To = "started", "done"
	if err != nil {
		event.To, event.Cause = "failed", err.Error()
	}
	x.publish(event)
	var known *Error
	if err == nil || errors.As(err, &known) || ctx.Err() != nil {
		return err
	}
	return &Error{Kind: Failed, Service: o.Service, Message: fmt.Sprintf("cannot %s: %v", step, err)}
}

func (x *execution) do(ctx context.Context, o Op) error {
	whole := context.WithoutCancel(ctx)
	switch o.Kind {
	case OpPull:
		return x.driver.Pull(ctx, x.project.Services[o.Service], func(current, total int64) {
			x.publish(view.Event{
				Resource: o.Service, Kind: view.KindPull, Message: o.Name,
				Progress: &view.Progress{Current: current, Total: total, Detail: o.Name},
			})
		})
	case OpCreateNetwork:
		id, err := x.driver.CreateNetwork(whole, x.project, o.Key)
		x.mu.Lock()
		x.networks[o.Key] = id
		x.mu.Unlock()
		return err
	case OpRemoveNetwork:
		return x.driver.RemoveNetwork(whole, o.Network)
	case OpDisconnect:
		return x.driver.Disconnect(whole, o.Network, o.Container.ID)
	case OpConnect:
		return x.driver.Connect(whole, x.project, x.project.Services[o.Service], o.Key, x.network(o.Key), o.Container.ID)
	case OpCreateVolume:
		return x.driver.CreateVolume(whole, x.project, o.Key)
	case OpCreateContainer:
		return x.create(whole, o)
	case OpStart:
		id := x.container(o)
		err := x.driver.StartContainer(whole, id)
		if err == nil {
			x.started(o.Service, id)
		}
		return err
	case OpStop:
		return x.driver.StopContainer(whole, o.Container.ID)
	case OpRemove:
		return x.driver.RemoveContainer(whole, o.Container.ID, false)
	case OpRename:
		return x.driver.RenameContainer(whole, x.container(o), o.Name)
	}
	return x.wait(ctx, o.Service, o.Kind)
}

func (x *execution) create(ctx context.Context, o Op) error {
	s := x.project.Services[o.Service]
	networks := map[string]string{}
	for key := range s.Networks {
		networks[key] = x.network(key)
	}
	id, err := x.driver.CreateContainer(ctx, Create{
		Project: x.project, Service: s, Name: o.Name, Networks: networks, Replaces: o.Container,
		ImageID: x.obs.Images[ImageName(x.project.Name, s)].ID,
	})
	x.mu.Lock()
	defer x.mu.Unlock()
	x.created[o.ID] = id
	return err
}

func (x *execution) network(key string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.networks[key]
}

// container is the one that the step is about.
func (x *execution) container(o Op) string {
	if o.Container != nil {
		return o.Container.ID
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.created[o.Created]
}
