package procs

import (
	"encoding/json"
	"fmt"
	"slices"

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
	m.mu.Lock()
	st := savedState{NextID: m.nextID}
	m.mu.Unlock()
	for _, s := range m.supervisors() {
		st.Instances = append(st.Instances, s.saved())
	}
	return json.Marshal(st)
}

func (s *supervisor) saved() savedProcess {
	s.mu.Lock()
	defer s.mu.Unlock()
	return savedProcess{
		App: s.name, Instance: s.instance, ID: s.view.ID, Hash: s.hash, Machine: s.kept, Launched: s.launched,
		LogStart: s.logStart, Exits: s.view.Exits, LastError: string(s.view.LastError), WaitingFor: s.view.WaitingFor, StopCause: s.stopCause,
	}
}

// Taken is what a Manager takes over from that of an earlier daemon.
type Taken struct {
	Apps    []stack.App
	Saved   json.RawMessage  // what Saved returned last; nil: nothing was saved
	Running []keeper.Running // the keeper's list
	// Wish says what is wanted of an instance. nil: nothing more than what was saved.
	Wish func(app string, instance int) Wish
}

// Restore takes over from an earlier daemon, once, on a new Manager. What is wanted wins over what was saved: an instance
// that was stopped is stopped, and its exit is nobody's crash. Definitions restart nothing: an app whose definition has
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
	defer m.files.set(m.ctx, apps) // with m.mu given back
	known := map[instanceKey]savedProcess{}
	for _, p := range st.Instances {
		known[instanceKey{p.App, p.Instance}] = p
	}
	rows := map[instanceKey][]keeper.Running{}
	for _, r := range t.Running {
		key := instanceKey{r.Key.App, r.Key.Instance}
		rows[key] = append(rows[key], r)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nextID = st.NextID
	for _, app := range apps {
		for n := range app.Count() {
			key := instanceKey{app.Name, n}
			p, ok := known[key]
			if !ok {
				p = m.unsaved(app)
			}
			m.takeOver(app, n, p, rows[key], t.Wish(app.Name, n))
			delete(rows, key)
		}
	}
	for key, left := range rows {
		i := slices.IndexFunc(apps, func(a stack.App) bool { return a.Name == key.app })
		if i < 0 || !slices.ContainsFunc(left, func(r keeper.Running) bool { return r.Exit == nil }) {
			m.wg.Go(func() { m.endStrangers(left) })
			continue
		}
		p, ok := known[key] // the app has fewer instances now
		if !ok {
			p = m.unsaved(apps[i])
		}
		s := m.takeOver(apps[i], key.number, p, left, Wish{})
		s.wanted = false
		s.inbox.put(s.leave)
	}
	return nil
}

// unsaved is an instance that nothing was saved of; m.mu is held.
func (m *Manager) unsaved(app stack.App) savedProcess {
	return savedProcess{
		ID: m.newID(), Hash: app.Hash, Machine: Machine{State: view.Stopped, Closed: len(app.DependsOn) > 0}, WaitingFor: dependencyNames(app),
	}
}

// takeOver goes on with the n-th instance of an app; m.mu is held.
func (m *Manager) takeOver(app stack.App, n int, p savedProcess, rows []keeper.Running, w Wish) *supervisor {
	s := newSupervisor(m, app.Instance(n), n, p.ID)
	s.inbox.put(func() { s.restore(p, rows, w) })
	s.preview(p)
	m.add(s)
	m.order = append(m.order, s)
	return s
}

// preview makes snapshots true before the goroutine has resumed.
func (s *supervisor) preview(p savedProcess) {
	s.hash = p.Hash
	s.launched, s.logStart, s.stopCause = p.Launched, p.LogStart, p.StopCause
	s.view.Exits = append(s.view.Exits, p.Exits...)
	if exit := s.view.LastExit(); exit != nil {
		s.view.Exit = &exit.Exit
	}
	s.view.LastError = view.Text(p.LastError)
	s.view.WaitingFor = append([]string{}, p.WaitingFor...)
	s.machine = p.Machine
	s.machine.Policy = policyOf(s.app)
	s.show(s.machine)
	if s.machine.live() {
		s.view.Pid, s.view.StartedAt = orNull(p.Launched.Pid), orNull(p.Launched.At)
	}
}

// restore resumes the machine, watches what still runs and acks every exit that it has counted.
func (s *supervisor) restore(p savedProcess, rows []keeper.Running, w Wish) {
	slices.SortFunc(rows, func(a, b keeper.Running) int { return int(a.Key.Generation - b.Key.Generation) })
	for _, row := range rows {
		r := s.run(row.Key.Generation)
		r.launched = row.Launched
		if r.gen == p.Machine.Gen {
			r.logStart = p.LogStart
		}
	}
	before := s.machine
	next, effects := resume(before, rows, w)
	s.machine = next
	s.mu.Lock()
	switch {
	case s.stopCause != "":
	case w.Stopped:
		s.stopCause = "stopped"
	case w.replaces(before):
		s.stopCause = "restarted"
	}
	s.mu.Unlock()
	var failed Event
	for _, e := range effects {
		if f := s.perform(e); f != nil {
			failed = f
		}
	}
	if r := s.runs[next.Gen]; r != nil && alive(rows, next.Gen) {
		s.accept(r) // the earlier daemon may have ended just before it could say so
		s.showRun(r)
	}
	if p.Machine.Gen < w.Least && next.Gen >= w.Least { // it has the definition that was asked for
		s.setHash(s.app.Hash)
	}
	s.publish(before, next, "resumed", nil)
	if failed != nil {
		s.step(failed, s.lastError())
	}
	for _, row := range rows {
		switch gen := row.Key.Generation; {
		case row.Exit != nil:
			s.m.saver.ack(row.Key)
		case gen == s.machine.Gen && (s.machine.State == view.Launching || s.machine.State == view.Online):
			s.resumeWatch(row, s.machine.State == view.Launching)
		case gen == s.machine.Heir.Gen:
			s.resumeWatch(row, !s.machine.Heir.Ready)
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
		sig, _ := parseSignal("SIGKILL")
		if err := m.opts.Keeper.Signal(m.ctx, keeper.SignalReq{Key: r.Key, Signal: int(sig), Tree: true}); err != nil {
			m.opts.Log.Warn("cannot end a launch of a former app", "app", r.Key.App, "gen", r.Key.Generation, "err", err)
		}
	}
}
