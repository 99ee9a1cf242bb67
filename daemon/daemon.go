package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"devstack/daemon/api"
	"devstack/procs"
	keeper "devstack/procs/keeper/protocol"
	"devstack/procs/node"
	"devstack/view"
)

// errDown is why an action ends early: `down` does not wait for what it is about to end.
var errDown = errors.New("devstack down was run meanwhile")

// idleTime is how long a daemon waits for its first command.
const idleTime = time.Minute

// Daemon owns one project's stack, or none yet.
type Daemon struct {
	ctx     context.Context // its life
	log     *slog.Logger
	keeper  link
	home    keeper.Identity
	bus     *bus
	procs   *procs.Manager
	changed *broadcast // something may be different now: gates are updated, waiting actions look again
	turn    turn       // held by the one action that changes the stack

	containers *containers
	gates      *gates
	history    *historyFile
	systemd    *systemd       // nil: no service manager is told
	asked      *api.UpRequest // to be brought up without a command; nil: nothing
	reloaded   lastReload     // whose turn it is may look at it

	background sync.WaitGroup
	ended      chan struct{} // closed when the keeper has ended all and this daemon may go
	replaced   chan struct{} // closed when the next daemon is to come

	intending sync.Mutex  // one intent after the other
	file      *intentFile // what of the intent lasts
	lost      error       // why nothing is known of earlier days; nil: it is

	mu        sync.Mutex // guards what follows
	intent    intent
	closing   bool            // nothing begins in the background any more
	answering int             // actions whose answer is not finished
	gone      bool            // no request is answered any more
	replacing bool            // no action begins any more: the next daemon carries it out
	work      context.Context // of actions; ends when `down` begins
	stopWork  context.CancelCauseFunc
}

// link is the part of keeper.Conn that a daemon itself needs; tests in virtual time bring their own.
type link interface {
	List(context.Context) ([]keeper.Running, error)
	Fetch(context.Context) ([]byte, error)
	Stash(context.Context, []byte) error
	Exec(context.Context, keeper.ExecReq) error
	Fail(ctx context.Context, reason string, code int) error
	Shutdown(context.Context) error
}

// Run is the life of a daemon that a keeper started: it takes over what its predecessor left, or begins with nothing,
// and answers until the stack is down, ctx ends or the keeper is gone.
func Run(ctx context.Context, log *slog.Logger) error { return run(ctx, log, nil) }

// run is Run, and with boot what Resurrect adds to it.
func run(ctx context.Context, log *slog.Logger, boot *api.UpRequest) error {
	listener, err := keeper.Listener()
	if err != nil {
		return err
	}
	ready := make(chan struct{})
	d := &Daemon{asked: boot}
	conn, err := keeper.Inherited(keeper.Handler{
		Exited: func(e keeper.Exit) { <-ready; d.exited(e) },
		IPC:    func(l keeper.IPCLine) { <-ready; d.procs.IPC(l) },

		Listening: func(l keeper.Socket) { <-ready; d.procs.Listening(l) },
		Drained:   func(k keeper.Key) { <-ready; d.procs.Drained(k) },
		End:       func() { <-ready; d.spawn(func() { endInOrder(d) }) },
	})
	if err != nil {
		return err
	}
	return d.run(ctx, log, listener, conn, ready)
}

func (d *Daemon) run(ctx context.Context, log *slog.Logger, l net.Listener, conn *keeper.Conn, ready chan<- struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.ctx, d.log, d.keeper = ctx, log, conn
	d.bus, d.changed, d.turn = newBus(time.Now()), newBroadcast(), make(turn, 1)
	d.work, d.stopWork = context.WithCancelCause(ctx)
	d.ended, d.replaced = make(chan struct{}), make(chan struct{})
	var err error
	if d.home, _, err = conn.Hello(ctx); err != nil {
		return fmt.Errorf("cannot greet the keeper: %w", err)
	}
	d.systemd = newSystemd(d.home.Service, conn.Notify, log)
	shim, err := node.Install(d.home.StateDir)
	if err != nil {
		return err
	}
	warn := func(message string) { d.bus.warn("", message) }
	d.file = newIntentFile(d.home.StateDir, warn)
	d.history = &historyFile{path: filepath.Join(d.home.StateDir, "state.json"), since: d.home.Since, log: log, warn: warn}
	d.containers = &containers{keeper: conn, home: d.home, log: log, publish: d.publish, changed: d.changed}
	d.procs = procs.NewManager(procs.Options{Keeper: conn, Log: log, Publish: d.publish, Save: d.saveHistory, StateDir: d.home.StateDir, Shim: shim})
	d.gates = &gates{wanted: d.wanted, containers: d.containers, procs: d.procs, publish: d.bus.publish}
	defer d.containers.set(nil)
	defer d.procs.Close()
	defer d.endBackground()
	defer cancel()
	if err := d.takeOver(ctx); err != nil {
		return err
	}
	close(ready)
	idle := time.AfterFunc(idleTime, d.retireIfIdle)
	defer idle.Stop()
	failed := make(chan error, 1)
	d.background.Go(func() { d.systemd.run(ctx) })
	d.background.Go(func() { d.supervise(ctx) })
	d.background.Go(func() { d.file.run(ctx) })
	d.background.Go(func() { d.followServices(ctx) })
	d.goOn(ctx)
	d.background.Go(func() { failed <- (&server{d: d, log: log}).serve(ctx, l) })
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	case <-d.ended:
		return nil
	case <-d.replaced:
		return nil
	case <-conn.Done():
		log.Error("the keeper is gone: what it ran may have survived, the next up ends it")
		return keeper.ErrGone
	}
}

// supervise updates the gates, and tells the service manager how the stack is, whenever something has changed.
func (d *Daemon) supervise(ctx context.Context) {
	signs, stop := d.systemd.signs()
	defer stop()
	d.systemd.alive() // the predecessor's last sign may be old
	for {
		changed := d.changed.next()
		d.gates.update()
		if want := d.wanted(); d.systemd != nil && want.Stack != nil {
			services, processes := d.snapshot()
			d.systemd.is(statusOf(want, services, processes))
		} else {
			d.systemd.idles()
		}
		select {
		case <-changed:
		case <-signs:
			d.systemd.alive()
		case <-ctx.Done():
			return
		}
	}
}

// publish tells what happened to a process or a service, and has the gates updated. It waits for nothing.
func (d *Daemon) publish(e view.Event) {
	d.bus.publish(e)
	d.noteInputs(e)
	d.changed.fire()
}

// saveHistory writes the state file. The manager calls it after every change, also when an app has been removed, of which
// there is no notice.
func (d *Daemon) saveHistory() error {
	d.changed.fire()
	return d.history.save(d.containers.engine(), func() (json.RawMessage, error) {
		if d.wanted().Stack == nil {
			return nil, nil
		}
		return d.procs.Saved()
	})
}

// snapshot is everything that verdicts are made of.
func (d *Daemon) snapshot() ([]view.ServiceDetails, []procs.Process) {
	return d.containers.snapshot(), d.procs.Snapshot()
}

// enter counts an action in; false: the daemon is leaving.
func (d *Daemon) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone || d.replacing {
		return false
	}
	d.answering++
	return true
}

// leave counts an answered action out. What reading the files has taken goes back to the system: a daemon does little
// between two actions, and nothing else would give it back soon.
func (d *Daemon) leave() {
	d.mu.Lock()
	d.answering--
	quiet := d.answering == 0
	d.mu.Unlock()
	d.changed.fire() // who waits for the actions to end
	d.retireIfIdle()
	if quiet {
		d.spawn(debug.FreeOSMemory) // the answer does not wait for it
	}
}

// retireIfIdle ends the keeper and this daemon when they own nothing and nobody waits for them, so that nothing is
// left of an `up` that was refused, of a `down`, or of a command that died before it could ask.
func (d *Daemon) retireIfIdle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.answering > 0 || d.intent.Stack != nil || d.gone || d.replacing || d.closing {
		return
	}
	d.gone = true
	d.background.Go(func() { d.end(d.keeper.Shutdown) })
}

// end has the keeper end, and then this daemon; d.gone is set before, once.
func (d *Daemon) end(keeper func(context.Context) error) {
	if err := keeper(d.ctx); err != nil && d.ctx.Err() == nil {
		d.log.Error("cannot end the keeper", "err", err)
	}
	close(d.ended)
}

// spawn runs f in the background, unless this daemon is about to be gone: it waits for all that it has begun.
func (d *Daemon) spawn(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closing {
		return false
	}
	d.background.Go(f)
	return true
}

// endBackground waits for everything in the background; nothing begins any more.
func (d *Daemon) endBackground() {
	d.mu.Lock()
	d.closing = true
	d.mu.Unlock()
	d.background.Wait()
}

// leaving reports whether this daemon answers no more, and whether the next one is to carry out what is asked now.
func (d *Daemon) leaving() (gone, replaced bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gone, d.replacing
}

// actionContext is the context of an action that begins now.
func (d *Daemon) actionContext() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.work
}

// interrupt ends the actions that have begun, not what they started.
func (d *Daemon) interrupt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopWork(errDown)
	d.work, d.stopWork = context.WithCancelCause(d.ctx)
}

// turn is held by one at a time. Its capacity is 1.
type turn chan struct{}

// take waits until nobody else has the turn; give it back with end.
func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t turn) end() { <-t }
