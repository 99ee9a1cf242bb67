package procs

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"devstack/procs/keeper"
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
	// Save writes Saved to disk. It is called after every change, never twice at a time, and an exit is acked to the
	// keeper only after a Save that began after it has succeeded. nil: nothing is written.
	Save func() error
	// Shim is the path of the file that Node processes load first (node.Install).
	Shim string
}

// Manager supervises all processes of a stack. Its methods may be used concurrently, and none waits for a process:
// outcomes are seen in notices and snapshots.
type Manager struct {
	opts   Options
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	saver  *saver
	jitter func(time.Duration) time.Duration
	ports  portCache
	files  *watcher

	mu     sync.Mutex
	byKey  map[instanceKey]*supervisor
	order  []*supervisor       // in file order, an app's instances by number; those being removed come last
	gates  map[string][]string // app -> what it waits for, as SetGate said last
	nextID int
	// newest are the highest generations of instances that are gone: one that comes back counts on, because the keeper may
	// still remember their exits.
	newest map[instanceKey]int64
}

// instanceKey names one instance of an app.
type instanceKey struct {
	app    string
	number int
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
	m := &Manager{
		opts: o, ctx: ctx, cancel: cancel, jitter: spread,
		byKey: map[instanceKey]*supervisor{}, gates: map[string][]string{}, newest: map[instanceKey]int64{},
	}
	m.saver = &saver{save: o.Save, acks: o.Keeper.Ack, log: o.Log, dirty: make(chan struct{}, 1)}
	m.wg.Go(func() { m.saver.run(ctx) })
	m.wg.Go(m.measure)
	m.files = newWatcher(m.fileChanged, m.warn)
	m.wg.Go(func() { m.files.run(ctx) })
	return m
}

// Close ends the supervision. No child notices.
func (m *Manager) Close() {
	m.cancel()
	m.wg.Wait()
}

// Apply sets the definitions. A new app is known and stopped, and so is a new instance of a known one; an app with
// another Hash is restarted unless it is stopped; one with the same Hash gets its new environment at its next launch.
// What is gone is stopped, then removed: whole apps, and of an app with fewer instances those with the highest numbers.
// With names, apps of other names keep the definitions that they have.
func (m *Manager) Apply(apps []stack.App, names ...string) Changes {
	defer m.files.set(m.ctx, apps) // with m.mu given back
	m.mu.Lock()
	defer m.mu.Unlock()
	var c Changes
	var order []*supervisor
	wanted := map[*supervisor]bool{}
	for _, app := range apps {
		for n := range app.Count() {
			s := m.byKey[instanceKey{app.Name, n}]
			if s == nil {
				s = newSupervisor(m, app.Instance(n), n, m.newID())
				m.add(s)
				if n == 0 {
					c.Added = append(c.Added, app.Name)
				}
			} else if len(names) == 0 || slices.Contains(names, app.Name) {
				s.wanted = true
				changed := s.setHash(app.Hash)
				if changed && !slices.Contains(c.Changed, app.Name) {
					c.Changed = append(c.Changed, app.Name)
				}
				s.inbox.put(func() { s.define(app.Instance(n), changed) })
			}
			order = append(order, s)
			wanted[s] = true
		}
	}
	for _, s := range m.order {
		if wanted[s] {
			continue
		}
		order = append(order, s)
		if s.wanted && s.instance == 0 {
			c.Removed = append(c.Removed, s.name)
			delete(m.gates, s.name)
		}
		s.wanted = false
		s.inbox.put(s.leave)
	}
	m.order = order
	m.saver.changed()
	return c
}

// setHash reports whether the definition is another one than before.
func (s *supervisor) setHash(hash string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.hash != hash
	s.hash = hash
	return changed
}

func (m *Manager) newID() int {
	m.nextID++
	return m.nextID - 1
}

// add takes s over; m.mu is held.
func (m *Manager) add(s *supervisor) {
	m.byKey[instanceKey{s.name, s.instance}] = s
	m.wg.Go(s.loop)
}

// remove forgets an instance that has left the file and no longer runs, unless it has come back meanwhile.
func (m *Manager) remove(s *supervisor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.wanted {
		return
	}
	key := instanceKey{s.name, s.instance}
	delete(m.byKey, key)
	m.newest[key] = max(s.machine.Newest, s.machine.Gen)
	m.order = slices.DeleteFunc(slices.Clone(m.order), func(other *supervisor) bool { return other == s })
	s.cancel()
	m.saver.changed()
}

// Start runs the named apps unless they run; unknown names are ignored. A backoff ends at once.
func (m *Manager) Start(names ...string) { m.send(Start{}, "started", names) }

// Stop ends the named apps, and what they are about to become.
func (m *Manager) Stop(names ...string) { m.send(Stop{}, "stopped", names) }

// Restart ends and runs the named apps; stopped ones are run, too.
func (m *Manager) Restart(names ...string) { m.send(Restart{}, "restarted", names) }

func (m *Manager) fileChanged(app, cause string) { m.send(FileChanged{}, cause, []string{app}) }

func (m *Manager) warn(app, message string) {
	m.opts.Log.Warn(message, "app", app)
	m.opts.Publish(view.Event{Resource: app, Kind: view.KindWarning, Message: message})
}

func (m *Manager) send(ev Event, cause string, names []string) {
	for _, s := range m.wanted() {
		if slices.Contains(names, s.name) {
			s.send(ev, cause)
		}
	}
}

// wanted are the instances that are not on their way out: nothing may call those back.
func (m *Manager) wanted() []*supervisor {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.order), func(s *supervisor) bool { return !s.wanted })
}

// SetGate says what all instances of an app wait for; nothing means that they may start. Until the first call, an app
// with dependencies waits for all of them.
func (m *Manager) SetGate(app string, waitingFor []string) {
	m.mu.Lock()
	m.gates[app] = slices.Clone(waitingFor)
	m.mu.Unlock()
	for _, s := range m.supervisors() {
		if s.name == app {
			s.inbox.put(func() { s.setGate(waitingFor) })
		}
	}
}

// Exited takes a notification of the keeper; it may come more than once.
func (m *Manager) Exited(e keeper.Exit) {
	s := m.find(e.Key.App, e.Key.Instance)
	if s == nil {
		m.saver.ack(e.Key) // of a former app: nobody has anything to count
		return
	}
	s.inbox.put(func() { s.exited(e) })
}

// IPC takes a message of a process.
func (m *Manager) IPC(line keeper.IPCLine) {
	if s := m.find(line.Key.App, line.Key.Instance); s != nil {
		s.inbox.put(func() { s.ipc(line) })
	}
}

// Listening takes the keeper's word that a launch listens on a held socket.
func (m *Manager) Listening(l keeper.Socket) {
	if s := m.find(l.Key.App, l.Key.Instance); s != nil {
		s.inbox.put(func() { s.listening(l.Key.Generation, l.Address) })
	}
}

// Drained takes the keeper's word that a launch has answered everybody.
func (m *Manager) Drained(key keeper.Key) {
	if s := m.find(key.App, key.Instance); s != nil {
		s.send(Drained{key.Generation}, "drained")
	}
}

// Names returns the apps in file order.
func (m *Manager) Names() []string {
	var names []string
	for _, s := range m.supervisors() {
		if !slices.Contains(names, s.name) {
			names = append(names, s.name)
		}
	}
	return names
}

// Snapshot returns every process in file order. It costs next to nothing; Ports are left out.
func (m *Manager) Snapshot() []Process {
	list := []Process{}
	for _, s := range m.supervisors() {
		list = append(list, s.snapshot())
	}
	return list
}

// Process returns one instance.
func (m *Manager) Process(app string, instance int) (Process, bool) {
	s := m.find(app, instance)
	if s == nil {
		return Process{}, false
	}
	return s.snapshot(), true
}

func (m *Manager) find(app string, instance int) *supervisor {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.byKey[instanceKey{app, instance}]
}

func (m *Manager) supervisors() []*supervisor {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.order)
}
