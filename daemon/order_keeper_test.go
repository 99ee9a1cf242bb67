package daemon

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"slices"
	"syscall"
	"time"

	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
)

// worldRun is the newest launch of an instance, and what is about to become of it.
type worldRun struct {
	keeper.Running
	oneShot      bool
	alive, ready bool
	since        time.Time // since when it is ready, or not
	floor        int64     // a command has asked for a launch above it
	completed    bool
}

func (r *worldRun) become(ready bool) {
	if r.ready != ready {
		r.ready, r.since = ready, time.Now()
	}
}

// missing is why a dependency is not as far as its condition says; empty: it is, or it was until this very moment.
func (w *world) missing(dep stack.Dependency, want intent) string {
	if dep.Service {
		return w.docker.missing(dep, w.floors[dep.Name])
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	app := want.Stack.Apps[slices.IndexFunc(want.Stack.Apps, func(a stack.App) bool { return a.Name == dep.Name })]
	for n := range app.Count() {
		r := w.runs[instanceName(app.Name, n)]
		switch {
		case r == nil:
			return "was never launched"
		case r.Key.Generation <= r.floor:
			return fmt.Sprintf("is about to be launched anew, above %d", r.floor)
		case r.completed, r.ready, !r.since.Before(time.Now()):
		case dep.Condition == stack.Started && r.alive:
		default:
			return "is not ready"
		}
	}
	return ""
}

// What follows is the keeper of a world: it pretends every launch, and says how that goes on.

func (w *world) Launch(_ context.Context, l keeper.Launch) (keeper.Launched, error) {
	want := w.d.wanted()
	i := slices.IndexFunc(want.Stack.Apps, func(a stack.App) bool { return a.Name == l.Key.App })
	if i >= 0 && !want.Loose[l.Key.App] {
		for _, dep := range want.Stack.Apps[i].DependsOn {
			if why := w.missing(dep, want); why != "" {
				w.t.Errorf("%s is launched, but %s %s", l.Key.App, dep.Name, why)
				for _, p := range w.d.procs.Snapshot() {
					w.t.Logf("%s/%d is %s, ready %t, generation %d of %d, waits for %v, least %d", p.Name, p.Instance, p.Status, p.Ready, p.Generation, p.Newest, p.WaitingFor, want.Launches[instanceName(p.Name, p.Instance)].Least)
				}
			}
		}
	}
	key := instanceName(l.Key.App, l.Key.Instance)
	h := fnv.New64a()
	fmt.Fprint(h, key, l.Key.Generation)
	fate := rand.New(rand.NewPCG(w.seed, h.Sum64()))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun++
	old := w.runs[key]
	if old == nil {
		old = &worldRun{}
	}
	if old.alive {
		w.t.Errorf("%s is launched twice", key)
	}
	r := &worldRun{alive: true, since: old.since, floor: old.floor, oneShot: w.app(l.Key.App).OneShot}
	if old.ready || old.completed {
		r.since = time.Now()
	}
	r.Running = keeper.Running{Key: l.Key, Launched: keeper.Launched{Pid: 1<<30 + w.begun, At: time.Now()}}
	w.runs[key] = r
	after, bad := time.Duration(1+fate.IntN(5000))*time.Millisecond, fate.IntN(4) == 0 && !w.calm
	switch {
	case r.oneShot && bad, bad:
		time.AfterFunc(after, func() { w.exit(l.Key, keeper.Exit{Code: 1}) })
	case r.oneShot:
		time.AfterFunc(after, func() { w.exit(l.Key, keeper.Exit{Code: 0}) })
	default:
		time.AfterFunc(after, func() { w.answer(l.Key) })
		if fate.IntN(3) == 0 && !w.calm {
			time.AfterFunc(after+time.Duration(fate.IntN(20000))*time.Millisecond, func() { w.exit(l.Key, keeper.Exit{Code: 1}) })
		}
	}
	return r.Launched, nil
}

// answer is that a launch says that it is ready.
func (w *world) answer(key keeper.Key) {
	w.mu.Lock()
	r := w.runs[instanceName(key.App, key.Instance)]
	if live := r.Key == key && r.alive; live {
		r.become(true)
	}
	d := w.d
	w.mu.Unlock()
	d.procs.IPC(keeper.IPCLine{Key: key, Line: []byte(`"ready"`)})
}

func (w *world) exit(key keeper.Key, e keeper.Exit) {
	e.Key, e.At = key, time.Now()
	w.mu.Lock()
	r, d := w.runs[instanceName(key.App, key.Instance)], w.d
	live := r.Key == key && r.alive
	if live {
		r.alive, r.Exit = false, &e
		r.completed = r.oneShot && e.Code == 0
	}
	w.mu.Unlock()
	if !live {
		return
	}
	d.exited(e)
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.ready && !r.completed {
		r.become(false)
	}
}

func (w *world) Signal(_ context.Context, req keeper.SignalReq) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.runs[instanceName(req.Key.App, req.Key.Instance)]
	if r == nil || r.Key != req.Key || !r.alive {
		return syscall.ESRCH
	}
	if req.Signal != 0 && !req.Tree {
		r.become(false)
		time.AfterFunc(time.Duration(req.Key.Generation%3)*time.Second, func() { w.exit(req.Key, keeper.Exit{Code: -1, Signal: req.Signal}) })
	}
	return nil
}

func (w *world) List(context.Context) (all []keeper.Running, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.runs {
		all = append(all, r.Running)
	}
	return all, nil
}

func (w *world) Stash(_ context.Context, blob []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blob = blob
	return nil
}

func (w *world) Fetch(context.Context) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.blob, nil
}

func (w *world) Ack(context.Context, keeper.Key) error            { return nil }
func (w *world) Release(context.Context, keeper.ReleaseReq) error { return nil }
func (w *world) Exec(context.Context, keeper.ExecReq) error       { return errNotHere }
func (w *world) Fail(context.Context, string, int) error          { return errNotHere }
func (w *world) Shutdown(context.Context) error                   { return errNotHere }

var errNotHere = errors.New("nothing of this kind happens here")

func (w *world) Connect(context.Context, keeper.ConnectReq) (net.Conn, error) { return nil, errNotHere }
