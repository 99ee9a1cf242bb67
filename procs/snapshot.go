package procs

import (
	"cmp"
	"sync"
	"time"

	"devstack/probe"
	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
	"devstack/view"
)

// maxExits and maxProbes bound the histories of an instance.
const (
	maxExits  = 20
	maxProbes = 5
)

// snapshot is what everybody may read of an instance, and what is saved of it. The goroutine of its supervisor, its
// watchers and Manager.Apply write it. mu guards every field below it.
type snapshot struct {
	mu        sync.Mutex
	process   Process
	machine   Machine         // process was made from it
	launched  keeper.Launched // of the launch that serves
	logStart  logStart        // of the launch that serves
	maxMemory int64           // bytes; 0: no limit
	expected  probe.Kind      // what the app's readiness is to rest on
	stopCause string          // of the stop under way, in words
}

func newSnapshot(app stack.App, n, id int, m Machine, waitingFor []string) *snapshot {
	p := Idle(app, n, id)
	p.WaitingFor = append(p.WaitingFor, waitingFor...)
	return &snapshot{process: p, machine: m, maxMemory: app.MaxMemory, expected: expected(app)}
}

// Idle is the n-th instance of an app that was never launched; app is the definition of that instance.
func Idle(app stack.App, n, id int) Process {
	return Process{Hash: app.Hash, ProcessDetails: view.ProcessDetails{
		Process: view.Process{
			Name: app.Name, Namespace: app.Namespace, Instance: n, ID: id, Status: view.Stopped, ReadyBy: view.Text(expected(app)),
			ExecMode: cmp.Or(app.ExecMode, "fork"), Watching: app.Watch.On, Ports: []view.Address{}, WaitingFor: []string{},
		},
		Children: []int{}, Exits: []view.ExitRecord{}, Probes: []view.Probe{}, Held: []view.Address{},
	}}
}

// get shares its lists with the snapshot: they are replaced, never altered, and readers must not alter them, either.
// Every waiting action looks at all snapshots after every change, so 200 processes pay for each copy 200 times.
func (n *snapshot) get() Process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process
}

func (n *snapshot) lastError() string { return string(n.get().LastError) }

// show takes in the machine, and the processes of the heir and of the retired launch (nil: there is none yet).
func (n *snapshot) show(m Machine, heir, retired *int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.machine = m
	p := &n.process
	p.Ended = m.Ended
	p.Status, p.Ready, p.ReadyBy, p.Late, p.Generation = m.State, m.Ready, n.readyBy(), m.Late, m.Gen
	p.Restarts, p.RestartsBy, p.UnstableRestarts = m.Restarts.Total(), m.Restarts, m.Unstable
	if !m.live() {
		p.Pid, p.StartedAt, p.Held = nil, nil, []view.Address{}
		n.forgetUsage()
	}
	p.Overlaps, p.Newest, p.Rejected, p.Retiring = m.overlaps(), max(m.Newest, m.Gen), m.Rejected, m.Retired.Gen
	p.Successor, p.RetiringPid = nil, retired
	if m.Heir.Gen != 0 {
		p.Successor = &view.Successor{Pid: heir, Ready: m.Heir.Ready}
	}
	if m.State != view.WaitingRestart {
		p.NextRestartAt = nil
	}
}

// readyBy is what readiness rests on, or is to rest on. mu is held.
func (n *snapshot) readyBy() view.Text {
	if n.machine.Ready && n.machine.ReadyBy != "" {
		return view.Text(n.machine.ReadyBy)
	}
	return view.Text(n.expected)
}

// showLaunch shows the launch that serves, and keeps what the next daemon needs to know about it.
func (n *snapshot) showLaunch(l *launch) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.launched, n.logStart = l.launched, l.logStart
	n.process.Pid, n.process.StartedAt, n.process.Held = l.pid(), orNull(l.launched.At), l.held()
	n.forgetUsage()
}

// change alters what is seen of the instance, for what needs no more than that.
func (n *snapshot) change(alter func(*Process)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	alter(&n.process)
}

func (n *snapshot) showProbe(r probe.Result) {
	n.change(func(p *Process) {
		p.Probes = appendBounded(p.Probes, view.Probe{At: time.Now(), Ready: r.Ready, Detail: r.Detail}, maxProbes)
	})
}

// showDefinition shows what a definition says. Its hash is set apart, by whoever decides what a change of it means.
func (n *snapshot) showDefinition(app stack.App) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := &n.process
	n.expected = expected(app)
	p.Namespace, p.ReadyBy, p.ExecMode, p.Watching = app.Namespace, n.readyBy(), cmp.Or(app.ExecMode, "fork"), app.Watch.On
	p.Leaving = false
	n.maxMemory = app.MaxMemory
}

// setHash reports whether the definition is another one than before.
func (n *snapshot) setHash(hash string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	changed := n.process.Hash != hash
	n.process.Hash = hash
	return changed
}

// setStopCause says why the stop under way has begun.
func (n *snapshot) setStopCause(cause string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopCause = cause
}

// exited puts an exit into the history and returns in words how the launch ended.
func (n *snapshot) exited(e Record, lastLines, logFiles []string) (ending string) {
	exit := view.ExitRecord{
		Exit: exitOf(e, time.Now()), UptimeMS: e.Exit.Uptime.Milliseconds(), LastLines: lastLines, LogFiles: logFiles,
		WasReady: e.Ready, Beside: e.Beside, DependencyDown: e.Closed,
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case e.Beside && e.Reason.ByItself():
		exit.Cause = "a reload had started it"
	case e.Beside:
		exit.Cause = "a reload"
	case e.Reason == view.Crash: // nobody has stopped this launch
	default:
		exit.Cause, n.stopCause = view.Text(n.stopCause), ""
	}
	n.process.Exits, n.process.Exit = appendBounded(n.process.Exits, exit, maxExits), &exit.Exit
	return exit.Ending()
}

// exitOf is an exit as it is seen.
func exitOf(e Record, at time.Time) view.Exit {
	exit := view.Exit{Reason: e.Reason, At: at}
	switch {
	case e.Exit.Signal != 0:
		exit.Signal = view.Text(signalName(e.Exit.Signal))
	case !e.Exit.Unknown:
		exit.Code = &e.Exit.Code
	}
	return exit
}

// tree is the process tree to measure, and its limit in bytes; pid is nil if there is none.
func (n *snapshot) tree() (pid *int, start uint64, gen, limit int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process.Pid, n.launched.StartTime, n.process.Generation, n.maxMemory
}

// showUsage shows what the tree of pid uses; nil: the tree is gone. It reports false if another launch serves meanwhile.
func (n *snapshot) showUsage(pid *int, gen int64, u *usage, elapsed time.Duration) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process.Pid != pid || n.process.Generation != gen {
		return false
	}
	n.forgetUsage()
	if u != nil {
		n.process.MemoryBytes, n.process.Children = &u.memory, u.children
		if !u.fresh {
			n.process.CPUPercent = new(100 * float64(u.cpu) / float64(elapsed))
		}
	}
	return true
}

// forgetUsage is called with mu held.
func (n *snapshot) forgetUsage() {
	n.process.MemoryBytes, n.process.CPUPercent, n.process.Children = nil, nil, []int{}
}

// saved is what the next daemon needs to go on.
func (n *snapshot) saved() savedProcess {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.process
	return savedProcess{
		App: p.Name, Instance: p.Instance, ID: p.ID, Hash: p.Hash, Machine: n.machine, Launched: n.launched, LogStart: n.logStart,
		Exits: p.Exits, LastError: string(p.LastError), WaitingFor: p.WaitingFor, StopCause: n.stopCause,
	}
}

// restore shows what was saved, before the supervisor has resumed.
func (n *snapshot) restore(saved savedProcess, m Machine) {
	n.show(m, nil, nil)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.launched, n.logStart, n.stopCause = saved.Launched, saved.LogStart, saved.StopCause
	p := &n.process
	p.Hash = saved.Hash
	p.Exits = append(p.Exits, saved.Exits...)
	if exit := p.LastExit(); exit != nil {
		p.Exit = &exit.Exit
	}
	p.LastError = view.Text(saved.LastError)
	p.WaitingFor = append([]string{}, saved.WaitingFor...)
	if m.live() {
		p.Pid, p.StartedAt = orNull(saved.Launched.Pid), orNull(saved.Launched.At)
	}
}

// restoreStopCause says why an earlier daemon was to stop the instance, unless it has said so itself.
func (n *snapshot) restoreStopCause(cause string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopCause = cmp.Or(n.stopCause, cause)
}

// orNull is nil for zero.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// appendBounded appends and keeps the newest.
func appendBounded[T any](list []T, item T, limit int) []T {
	list = append(list[:len(list):len(list)], item)
	return list[max(0, len(list)-limit):]
}
