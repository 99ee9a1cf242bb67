package keeper

import (
	"os"
	"strings"
	"sync"
	"syscall"

	"devstack/procs/keeper/protocol"
	"devstack/procs/proc"
)

// sweep asks for a signal to everything that descends from one launch.
type sweep struct {
	marker  string
	session int  // the launch's pid, 0 if unknown
	grouped bool // the launch's process group has had the signal already
	sig     syscall.Signal
	done    chan struct{}
}

// tree finds the descendants that left their launch's process group. A descendant is known by the launch marker in
// its environment, or, if it erased that, by the launch's session, provided it still descends from the keeper.
// Limit: a process that left the session *and* erased its environment is not found.
//
// One walk of the process table serves every request that waits, so stopping 200 launches costs a few walks.
type tree struct {
	walking sync.WaitGroup // it runs while somebody waits for a walk

	mu      sync.Mutex // guards what follows
	pending []*sweep
	running bool
}

// signal returns when the signal has been sent; for SIGKILL, when a walk has found no further descendant.
func (t *tree) signal(s *sweep) {
	s.done = make(chan struct{})
	t.mu.Lock()
	t.pending = append(t.pending, s)
	if !t.running {
		t.running = true
		t.walking.Go(t.run)
	}
	t.mu.Unlock()
	<-s.done
}

func (t *tree) run() {
	for {
		t.mu.Lock()
		batch := t.pending
		t.pending = nil
		t.running = len(batch) > 0
		t.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		signalled := map[proc.Process]bool{}
		// A process can fork while we walk: again until nothing new is found. The bound is for a fork bomb that
		// outruns us; its members in the process group are dead already.
		for range 50 {
			if !walk(batch, signalled) {
				break
			}
		}
		for _, s := range batch {
			close(s.done)
		}
	}
}

// walk reports whether it killed something new. Other signals are sent once, to what the first walk finds.
func walk(batch []*sweep, signalled map[proc.Process]bool) (again bool) {
	byMarker, bySession := map[string]*sweep{}, map[int]*sweep{}
	for _, s := range batch {
		byMarker[s.marker] = s
		if s.session != 0 {
			bySession[s.session] = s
		}
	}
	first := len(signalled) == 0
	table := proc.Table()
	for pid, p := range table {
		if signalled[p] || pid == os.Getpid() || orphansStay && !descends(table, pid, os.Getpid()) {
			continue
		}
		s := byMarker[markerOf(table, pid)]
		if s == nil && descends(table, pid, os.Getpid()) && proc.Variable(pid, protocol.MarkerEnv) == "" {
			s = bySession[p.Session]
		}
		if s == nil || s.sig != syscall.SIGKILL && (!first || s.grouped && p.Group == s.session) {
			continue
		}
		signalled[p] = true
		p.Signal(s.sig)
		again = again || s.sig == syscall.SIGKILL
	}
	return again
}

// markerOf is a process's launch marker. One of ours that is about to become another program is waited for.
func markerOf(table map[int]proc.Process, pid int) string {
	if m := proc.Variable(pid, protocol.MarkerEnv); m != "" || !descends(table, pid, os.Getpid()) {
		return m
	}
	return proc.VariableAfterExec(pid, protocol.MarkerEnv)
}

// descends follows the parents; the table is a snapshot, so a loop in it ends after as many steps as it has rows.
func descends(table map[int]proc.Process, pid, ancestor int) bool {
	for range len(table) {
		p, ok := table[pid]
		if !ok {
			return false
		}
		if p.Parent == ancestor {
			return true
		}
		pid = p.Parent
	}
	return false
}

// killMarked kills every process whose marker matches, with the group that it leads, until a walk finds no more,
// and returns their pids. The keeper and its ancestors are spared.
func killMarked(match func(marker string) bool) []int {
	killed := map[proc.Process]bool{}
	for range 50 {
		table, again := proc.Table(), false
		for pid, p := range table {
			if killed[p] || pid == os.Getpid() || descends(table, os.Getpid(), pid) || !match(markerOf(table, pid)) {
				continue
			}
			killed[p] = true
			again = true
			if own := table[os.Getpid()]; p.Group == pid && p.Group != own.Group {
				_ = syscall.Kill(-p.Group, syscall.SIGKILL)
			}
			p.Signal(syscall.SIGKILL)
		}
		if !again {
			break
		}
	}
	pids := make([]int, 0, len(killed))
	for p := range killed {
		pids = append(pids, p.Pid)
	}
	return pids
}

// ofProject matches every launch of a project and its daemon, ofLaunches not the daemon.
func ofProject(project string) func(string) bool {
	return func(m string) bool { return strings.HasPrefix(m, project+"/") }
}

func ofLaunches(project string) func(string) bool {
	return func(m string) bool {
		return ofProject(project)(m) && !strings.HasPrefix(m, daemonMarker(project, ""))
	}
}

// daemonMarker names a daemon, where a launch has the name of its app, by its state directory.
func daemonMarker(project, stateDir string) string { return project + "//" + stateDir }
