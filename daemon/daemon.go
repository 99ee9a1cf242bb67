package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"devstack/daemon/api"
	"devstack/infra"
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
	keeper  *keeper.Conn
	home    keeper.Identity
	bus     *bus
	procs   *procs.Manager
	changed *broadcast    // something may be different now: gates are judged, waiting actions look again
	turn    chan struct{} // capacity 1; held by the one action that changes the stack

	reloaded lastReload // whose turn it is may look at it

	background sync.WaitGroup
	ended      chan struct{} // closed when the keeper has ended all and this daemon may go
	replaced   chan struct{} // closed when the next daemon is to come
	saving     sync.Mutex    // one write of the state file at a time

	intending sync.Mutex  // one intent after the other
	file      *intentFile // what of the intent lasts
	lost      error       // why nothing is known of earlier days; nil: it is

	unit  *unit          // nil: no service manager is told
	asked *api.UpRequest // to be brought up without a command; nil: nothing

	mu         sync.Mutex // guards what follows
	intent     intent
	closing    bool                // nothing begins in the background any more
	containers infra.Services      // nil: the stack has no services, or none is known yet
	driver     infra.Driver        // of the newest engine; nil: there was none
	closed     map[string][]string // app -> what keeps its gate closed, as last judged
	told       map[string]string   // app -> what it waits for, as last published
	watched    time.Time           // until then the engine's events are accounted for
	answering  int                 // actions whose answer is not finished
	gone       bool
	starting   string          // how far an up without a command has come that nothing runs of yet
	replacing  bool            // no action begins any more: the next daemon carries it out
	work       context.Context // of actions; ends when `down` begins
	stopWork   context.CancelCauseFunc
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
	d := &Daemon{asked: boot, starting: "starting"}
	conn, err := keeper.Inherited(keeper.Handler{
		Exited: func(e keeper.Exit) { <-ready; d.exited(e) },
		IPC:    func(l keeper.IPCLine) { <-ready; d.procs.IPC(l) },

		Listening: func(l keeper.Socket) { <-ready; d.procs.Listening(l) },
		Drained:   func(k keeper.Key) { <-ready; d.procs.Drained(k) },
		End:       func() { <-ready; d.spawn(d.endInOrder) },
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
	d.bus, d.changed, d.turn = newBus(time.Now()), newBroadcast(), make(chan struct{}, 1)
	d.work, d.stopWork = context.WithCancelCause(ctx)
	d.ended, d.replaced = make(chan struct{}), make(chan struct{})
	var err error
	if d.home, _, err = conn.Hello(ctx); err != nil {
		return fmt.Errorf("cannot greet the keeper: %w", err)
	}
	d.unit = newUnit(d.home.Service, conn.Notify, log)
	shim, err := node.Install(d.home.StateDir)
	if err != nil {
		return err
	}
	d.file = newIntentFile(d.home.StateDir, func(message string) { d.warn("", message) })
	d.procs = procs.NewManager(procs.Options{Keeper: conn, Log: log, Publish: d.publish, Save: d.saveHistory, Shim: shim})
	defer d.setContainers(nil)
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
	d.background.Go(func() { d.unit.run(ctx) })
	d.background.Go(func() { d.judgeGates(ctx) })
	d.background.Go(func() { d.file.run(ctx) })
	d.background.Go(func() { d.followServices(ctx) })
	d.goOnWithDown(ctx)
	d.bootIfAsked(ctx)
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

// judgeGates opens and closes gates whenever something has changed.
func (d *Daemon) judgeGates(ctx context.Context) {
	signs, stop := d.unit.signs()
	defer stop()
	d.unit.alive() // the predecessor's last sign may be old
	for {
		changed := d.changed.next()
		d.judgeOnce()
		if d.unit != nil {
			d.unit.is(d.progress())
		}
		select {
		case <-changed:
		case <-signs:
			d.unit.alive()
		case <-ctx.Done():
			return
		}
	}
}

func (d *Daemon) judgeOnce() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.intent.Stack == nil {
		d.closed, d.told = nil, nil
		return
	}
	processes := d.procs.Snapshot()
	now := gates(d.intent.gated(), d.intent.Loose, d.services(), d.intent.awaited(processes))
	for _, app := range d.intent.Stack.Apps {
		if before, known := d.closed[app.Name]; !known || !slices.Equal(before, now[app.Name]) {
			d.procs.SetGate(app.Name, now[app.Name])
		}
	}
	d.closed = now
	d.tellWaiting(processes)
}

// tellWaiting publishes what waiting processes wait for. What runs does not wait, whatever its gate says. d.mu is held.
func (d *Daemon) tellWaiting(processes []procs.Process) {
	told := map[string]string{}
	for _, p := range processes {
		if p.Status == view.Waiting {
			told[p.Name] = strings.Join(d.closed[p.Name], ", ")
		}
	}
	for _, app := range d.intent.Stack.Apps {
		if from, to := d.told[app.Name], told[app.Name]; from != to {
			d.bus.publish(view.Event{Resource: app.Name, Kind: view.KindWaiting, From: from, To: to})
		}
	}
	d.told = told
}

// publish tells what happened to a process or a service, and has the gates judged anew. It waits for nothing.
func (d *Daemon) publish(e view.Event) {
	d.bus.publish(e)
	d.changed.fire()
}

func (d *Daemon) warn(resource, message string) {
	d.bus.publish(view.Event{Resource: resource, Kind: view.KindWarning, Message: message})
}

// state is the answer to GET /v1/state.
func (d *Daemon) state() *api.State {
	processes := d.procs.SnapshotWithPorts()
	d.mu.Lock()
	defer d.mu.Unlock()
	self := &api.Daemon{Pid: os.Getpid(), Version: api.BuildVersion()}
	if d.intent.Stack == nil {
		return stateOf(nil, "", self, nil, nil, time.Now())
	}
	return stateOf(d.intent.Stack, d.intent.driver(), self, d.watchedServices(), processes, time.Now())
}

// describe is everything known about what a word means.
func (d *Daemon) describe(word string) (*api.Description, *api.Error) {
	processes := d.procs.SnapshotWithPorts()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.intent.Stack == nil {
		return nil, unknownName(nil, word)
	}
	return describe(d.intent.Stack, word, d.closed, d.watchedServices(), processes, time.Now())
}

// unknown is the refusal of a name.
func (d *Daemon) unknown(name string) *api.Error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return unknownName(d.intent.Stack, name)
}

// snapshot is everything that verdicts are made of.
func (d *Daemon) snapshot() ([]view.ServiceDetails, []procs.Process) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.services(), d.procs.Snapshot()
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
	d.background.Go(func() {
		if err := d.keeper.Shutdown(d.ctx); err != nil && d.ctx.Err() == nil {
			d.log.Error("cannot end the keeper", "err", err)
		}
		close(d.ended)
	})
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

// leaving reports whether this daemon answers no more.
func (d *Daemon) leaving() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gone
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

// takeTurn waits until no other action changes the stack; give it back with endTurn.
func (d *Daemon) takeTurn(ctx context.Context) error {
	select {
	case d.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (d *Daemon) endTurn() { <-d.turn }
