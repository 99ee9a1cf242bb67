package procs

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
	"devstack/view"
)

// Keeper is the part of keeper.Conn that supervising needs; tests in virtual time bring their own.
type Keeper interface {
	Launch(context.Context, keeper.Launch) (keeper.Launched, error)
	Signal(context.Context, keeper.SignalReq) error
	Ack(context.Context, keeper.Key) error
	Connect(context.Context, keeper.ConnectReq) (net.Conn, error)
	Release(context.Context, keeper.ReleaseReq) error
}

// Options are a Manager's surroundings.
type Options struct {
	Keeper Keeper
	Log    *slog.Logger // nil: silent
	// Publish is called for every change of a process, in order per instance, and must not wait for anything. nil: nobody listens.
	Publish func(view.Event)
	// Save writes Saved to disk. It is called after every change, again after an error, and never twice at a time; an exit
	// is acked to the keeper only after a Save that began after it has succeeded. nil: nothing is written.
	Save func() error
	// StateDir is where the keeper keeps its log indexes; empty: lines have no time.
	StateDir string
	// Shim is the path of the file that Node processes load first (node.Install).
	Shim string
}

// Manager supervises all processes of a stack. Its methods may be used concurrently, and none waits for a process:
// outcomes are seen in notices and snapshots.
type Manager struct {
	opts      Options
	ctx       context.Context
	cancel    context.CancelFunc
	wg        sync.WaitGroup
	saver     *saver
	jitter    func(time.Duration) time.Duration
	ports     portCache
	files     *watcher
	instances *instances
}

// Changes is what Apply found, as names of apps.
type Changes struct {
	Added, Changed, Removed []string
}

// NewManager returns a Manager that supervises nothing yet. Close it.
func NewManager(o Options) *Manager {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Publish == nil {
		o.Publish = func(view.Event) {}
	}
	if o.Save == nil {
		o.Save = func() error { return nil }
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &Manager{opts: o, ctx: ctx, cancel: cancel, jitter: spread, instances: newInstances()}
	m.saver = &saver{save: o.Save, acks: o.Keeper.Ack, warn: m.warn, log: o.Log, dirty: make(chan struct{}, 1)}
	m.wg.Go(func() { m.saver.run(ctx) })
	m.wg.Go(func() { measure(ctx, m.instances.all) })
	m.files = newWatcher(func(app, cause string) { sendTo(m.instances.named(app), FileChanged{}, cause) }, m.warn)
	m.wg.Go(func() { m.files.run(ctx) })
	return m
}

// Close ends the supervision, and saves what has changed last. No child notices.
func (m *Manager) Close() {
	m.cancel()
	m.wg.Wait()
	m.saver.flush()
}

// SaveSoon has Options.Save called as after a change of a process: something else that it writes has changed.
func (m *Manager) SaveSoon() { m.saver.changed() }

// Apply sets the definitions. A new app is known and stopped, and so is a new instance of a known one; an app with
// another Hash is restarted unless it is stopped; one with the same Hash gets its new environment at its next launch.
// What is gone is stopped, then removed: whole apps, and of an app with fewer instances those with the highest numbers.
// With names, apps of other names keep the definitions that they have.
func (m *Manager) Apply(apps []stack.App, names ...string) Changes {
	changes := m.instances.apply(apps, names, m.add)
	m.saver.changed()
	m.files.set(m.ctx, apps)
	return changes
}

// add supervises the n-th instance of an app from now on. The caller holds m.instances.mu.
func (m *Manager) add(app stack.App, n, id int) *supervisor {
	s := newSupervisor(m, app.Instance(n), n, id)
	m.start(s)
	return s
}

// start runs a supervisor. The caller holds m.instances.mu.
func (m *Manager) start(s *supervisor) {
	m.instances.byKey[instanceKey{s.name, s.instance}] = s
	m.wg.Go(s.loop)
}

func (m *Manager) warn(app, message string) {
	m.opts.Log.Warn(message, "app", app)
	m.opts.Publish(view.Event{Resource: app, Kind: view.KindWarning, Message: message})
}

// SetGate says what all instances of an app wait for; nothing means that they may start. Until the first call, an app
// with dependencies waits for all of them.
func (m *Manager) SetGate(app string, waitingFor []string) {
	m.instances.setGate(app, waitingFor)
	for _, s := range m.instances.all() {
		if s.name == app {
			s.inbox.put(func() { s.setGate(waitingFor) })
		}
	}
}

// Exited takes a notification of the keeper; it may come more than once.
func (m *Manager) Exited(e keeper.Exit) {
	s := m.instances.find(e.Key.App, e.Key.Instance)
	if s == nil {
		m.saver.ack(e.Key) // of a former app: nobody has anything to count
		return
	}
	s.inbox.put(func() { s.exited(e) })
}

// IPC takes a message of a process.
func (m *Manager) IPC(line keeper.IPCLine) {
	if s := m.instances.find(line.Key.App, line.Key.Instance); s != nil {
		s.inbox.put(func() { s.ipc(line) })
	}
}

// Listening takes the keeper's word that a launch listens on a held socket.
func (m *Manager) Listening(l keeper.Socket) {
	if s := m.instances.find(l.Key.App, l.Key.Instance); s != nil {
		s.inbox.put(func() { s.listening(l.Key.Generation, l.Address) })
	}
}

// Drained takes the keeper's word that a launch has answered everybody.
func (m *Manager) Drained(key keeper.Key) {
	if s := m.instances.find(key.App, key.Instance); s != nil {
		s.send(Drained{key.Generation}, "drained")
	}
}

// Snapshot returns every process in file order. It costs next to nothing; Ports are left out.
func (m *Manager) Snapshot() []Process {
	list := []Process{}
	for _, s := range m.instances.all() {
		list = append(list, s.shown.get())
	}
	return list
}

// Process returns one instance.
func (m *Manager) Process(app string, instance int) (Process, bool) {
	s := m.instances.find(app, instance)
	if s == nil {
		return Process{}, false
	}
	return s.shown.get(), true
}
