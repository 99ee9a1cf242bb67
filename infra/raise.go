package infra

import (
	"context"
	"errors"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/view"
)

// Boot is Up for all services but those that somebody had stopped, which a restart of the machine does not take back. stopped
// says by whom, as Stopped did at the time since; what happened after that is judged by the engine's memory, or not at all
// where since is zero.
func (i *Infra) Boot(ctx context.Context, p *types.Project, stopped map[string]string, since time.Time) error {
	give, err := i.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	i.adopt(p)
	for _, name := range Order(p) {
		i.change(name, func(t *tracked) {
			t.view.StoppedBy, t.wanted = view.Text(stopped[name]), stopped[name] != view.ByDevstack
			t.busy = true // no repair: what is down is started below, in order
		})
	}
	defer i.changeAll(func(t *tracked) { t.busy = false })
	i.watchFrom(p.Name, time.Now())
	if err := i.catchUp(ctx, p.Name, since); err != nil {
		return err
	}
	still := i.Stopped()
	names := []string{}
	for _, name := range Order(p) {
		if still[name] == "" {
			names = append(names, name)
		}
	}
	return i.raise(ctx, p, names)
}

// raise starts the named services. Where somebody else made the same thing since we looked, which may also have our port by
// now, it looks again.
func (i *Infra) raise(ctx context.Context, p *types.Project, names []string) error {
	for attempt := 0; ; attempt++ {
		err := i.raiseOnce(ctx, p, names)
		var e *Error
		if attempt < 3 && errors.As(err, &e) && (e.Kind == raced || e.Kind == PortTaken) {
			continue
		}
		return err
	}
}

// raced is a Conflict that another look may resolve. It does not leave the package.
const raced ErrorKind = "raced"

// Raced is for drivers: an object exists that was not there when the plan was made.
func Raced(service, message string) error {
	return &Error{Kind: raced, Service: service, Message: message}
}

func (i *Infra) raiseOnce(ctx context.Context, p *types.Project, names []string) error {
	w := Wanted{Services: names, Now: time.Now()}
	plan, obs, err := i.plan(ctx, p, w)
	if err != nil {
		return err
	}
	if pulls := plan.pulls(); !pulls.Empty() {
		// First all images, then a new look: nothing is made while one may not be had, and a new image changes the plan.
		if err := i.execute(ctx, p, obs, pulls); err != nil {
			return err
		}
		w.Fresh = map[string]bool{}
		for _, o := range pulls.Ops {
			w.Fresh[o.Name] = true
		}
		if plan, obs, err = i.plan(ctx, p, w); err != nil {
			return err
		}
	}
	i.want(names, plan, obs)
	return i.execute(ctx, p, obs, plan)
}

// pulls are the plan's pulls alone.
func (p Plan) pulls() Plan {
	var out Plan
	for _, o := range p.Ops {
		if o.Kind == OpPull {
			out.Ops = append(out.Ops, Op{ID: len(out.Ops) + 1, Kind: o.Kind, Service: o.Service, Name: o.Name, Cause: o.Cause})
		}
	}
	return out
}
