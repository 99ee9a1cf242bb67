package procs

import (
	"encoding/json"
	"fmt"
	"slices"
	"syscall"

	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
	"devstack/view"
)

// savedState is the processes' part of the state file. It holds no environment.
type savedState struct {
	NextID    int            `json:"next_id"`
	Instances []savedProcess `json:"instances"`
}

type savedProcess struct {
	App        string            `json:"app"`
	Instance   int               `json:"instance"`
	ID         int               `json:"id"`
	Hash       string            `json:"hash"`
	Machine    Machine           `json:"machine"`
	Launched   keeper.Launched   `json:"launched"`
	LogStart   logStart          `json:"log_start"`
	Exits      []view.ExitRecord `json:"exit_records"` // an older devstackd wrote others, as exits
	LastError  string            `json:"last_error"`
	WaitingFor []string          `json:"waiting_for"`
	StopCause  string            `json:"stop_cause"`
}

// Saved returns what the next daemon needs to go on.
func (m *Manager) Saved() (json.RawMessage, error) {
	m.instances.mu.Lock()
	st := savedState{NextID: m.instances.nextID}
	m.instances.mu.Unlock()
	for _, s := range m.instances.all() {
		st.Instances = append(st.Instances, s.shown.saved())
	}
	return json.Marshal(st)
}

// Taken is what a Manager takes over from that of an earlier daemon.
type Taken struct {
	Apps    []stack.App
	Saved   json.RawMessage  // what Saved returned last; nil: nothing was saved
	Running []keeper.Running // the keeper's list
	// Wish says what is wanted of an instance. nil: nothing more than what was saved.
	Wish func(app string, instance int) Wish
	// Gates says, by app, what keeps its gate closed, given the processes as they were saved; it is asked before anything goes
	// on. Of an app that it says nothing of, what was saved holds. nil: that holds for all.
	Gates func([]Process) map[string][]string
}

// Restore takes over from an earlier daemon. Call it once, on a new Manager. What is wanted wins over what was saved: an
// instance that somebody has stopped is stopped, and its exit does not count as a crash. Definitions restart nothing: an app whose definition has
// changed since is restarted by the next Apply. Launches of instances that are no longer defined are ended.
func (m *Manager) Restore(t Taken) error {
	var st savedState
	if t.Saved != nil {
		if err := json.Unmarshal(t.Saved, &st); err != nil {
			return fmt.Errorf("cannot read the saved state of the processes: %w", err)
		}
	}
	if t.Wish == nil {
		t.Wish = func(string, int) Wish { return Wish{} }
	}
	apps := t.Apps
	defer m.files.set(m.ctx, apps) // after the lock is given back
	known := map[instanceKey]savedProcess{}
	for _, p := range st.Instances {
		known[instanceKey{p.App, p.Instance}] = p
	}
	rows := map[instanceKey][]keeper.Running{}
	for _, r := range t.Running {
		key := instanceKey{r.Key.App, r.Key.Instance}
		rows[key] = append(rows[key], r)
	}
	m.instances.mu.Lock()
	defer m.instances.mu.Unlock()
	m.instances.nextID = st.NextID
	for _, app := range apps {
		for n := range app.Count() {
			key := instanceKey{app.Name, n}
			p, ok := known[key]
			if !ok {
				p = unsaved(app, m.instances.newID)
			}
			m.takeOver(app, n, p, rows[key], t.Wish(app.Name, n))
			delete(rows, key)
		}
	}
	if t.Gates != nil {
		m.closeGates(t.Gates(m.instances.shown()))
	}
	for key, left := range rows {
		i := slices.IndexFunc(apps, func(a stack.App) bool { return a.Name == key.app })
		if i < 0 || !slices.ContainsFunc(left, func(r keeper.Running) bool { return r.Exit == nil }) {
			m.wg.Go(func() { m.endStrangers(left) })
			continue
		}
		p, ok := known[key] // the app has fewer instances now
		if !ok {
			p = unsaved(apps[i], m.instances.newID)
		}
		s := m.takeOver(apps[i], key.number, p, left, Wish{})
		s.wanted = false
		s.inbox.put(s.leave)
	}
	for _, s := range m.instances.order {
		m.start(s)
	}
	return nil
}

// closeGates closes gates before anything goes on. The caller holds m.instances.mu.
func (m *Manager) closeGates(closed map[string][]string) {
	for _, s := range m.instances.order {
		if names := closed[s.name]; len(names) > 0 {
			s.machine.Closed = true
			s.shown.change(func(p *Process) { p.WaitingFor = slices.Clone(names) })
		}
	}
}

// unsaved is an instance that nothing was saved of.
func unsaved(app stack.App, newID func() int) savedProcess {
	return savedProcess{
		ID: newID(), Hash: app.Hash, Machine: Machine{State: view.Stopped, Closed: len(app.DependsOn) > 0}, WaitingFor: dependencyNames(app),
	}
}

// takeOver is to go on with the n-th instance of an app, once it is started. The caller holds m.instances.mu.
func (m *Manager) takeOver(app stack.App, n int, p savedProcess, rows []keeper.Running, w Wish) *supervisor {
	s := newSupervisor(m, app.Instance(n), n, p.ID)
	s.machine = p.Machine
	s.machine.Policy = policyOf(s.app)
	s.shown.restore(p, s.machine) // what is seen is true before the goroutine has resumed
	s.inbox.put(func() { s.restore(p, rows, w) })
	m.instances.order = append(m.instances.order, s)
	return s
}

// restore resumes the machine, watches what still runs and acks every exit that it has counted.
func (s *supervisor) restore(p savedProcess, rows []keeper.Running, w Wish) {
	slices.SortFunc(rows, func(a, b keeper.Running) int { return int(a.Key.Generation - b.Key.Generation) })
	for _, row := range rows {
		l := s.known(row.Key.Generation)
		l.launched = row.Launched
		if l.gen == p.Machine.Gen {
			l.logStart = p.LogStart
		}
	}
	before := s.machine
	next, effects := resume(before, rows, w)
	s.machine = next
	switch {
	case w.Stopped:
		s.shown.restoreStopCause("stopped")
	case w.replaces(before):
		s.shown.restoreStopCause("restarted")
	}
	failed := s.performAll(effects)
	if l := s.launches[next.Gen]; l != nil && alive(rows, next.Gen) {
		s.control.accept(l) // the earlier daemon may have ended just before it could say so
		s.shown.showLaunch(l)
	}
	if p.Machine.Gen < w.Least && (next.Gen >= w.Least || !next.live()) { // it has, or will have, the definition that was asked for
		s.shown.setHash(s.app.Hash)
	}
	s.publish(before, next, "resumed", nil)
	if failed != nil {
		s.step(failed, s.shown.lastError())
	}
	for _, row := range rows {
		switch gen := row.Key.Generation; {
		case row.Exit != nil:
			s.m.saver.ack(row.Key)
		case gen == s.machine.Gen && (s.machine.State == view.Launching || s.machine.State == view.Online):
			s.known(gen).readiness.resume(row, s.machine.State == view.Launching)
		case gen == s.machine.Heir.Gen:
			s.known(gen).readiness.resume(row, !s.machine.Heir.Ready)
		case row.Drained && (gen == s.machine.Retired.Gen || s.machine.State == view.Stopping):
			s.step(Drained{gen}, "")
		}
	}
	s.tidy()
}

// endStrangers ends launches of apps that the files no longer name. Their exits are acked by Exited.
func (m *Manager) endStrangers(rows []keeper.Running) {
	for _, r := range rows {
		if r.Exit != nil {
			m.saver.ack(r.Key)
			continue
		}
		if err := m.opts.Keeper.Signal(m.ctx, keeper.SignalReq{Key: r.Key, Signal: int(syscall.SIGKILL), Tree: true}); err != nil {
			m.opts.Log.Warn("cannot end a launch of a former app", "app", r.Key.App, "gen", r.Key.Generation, "err", err)
		}
	}
}
