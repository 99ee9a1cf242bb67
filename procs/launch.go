package procs

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	keeper "devstack/procs/keeper/protocol"
	"devstack/procs/node"
	"devstack/stack"
	"devstack/view"
)

// run is what a supervisor knows about one launch. During a reload it has two.
type run struct {
	gen       int64
	app       stack.App // the definition that it was launched with
	launched  keeper.Launched
	at        time.Time // by the monotonic clock; zero: made by an earlier daemon
	logStart  logStart
	listening []keeper.Address // held sockets that it listens on
	satisfied string           // ready but for listening: by what
	stopWatch context.CancelFunc
	timer     *time.Timer
	release   *time.Timer // until sockets that only earlier launches listened on are closed
}

// openTime is how long a new launch has to listen where earlier ones did. The shim gives up unused sockets then, too.
const openTime = 30 * time.Second

func (r *run) stopTimer() {
	if r.timer != nil {
		r.timer.Stop()
	}
}

// end stops everything that would still happen because of the launch.
func (r *run) end() {
	r.stopTimer()
	r.stopWatch()
	if r.release != nil {
		r.release.Stop()
	}
}

// run returns what is known about a launch; it makes a record of one that nothing is known about yet.
func (s *supervisor) run(gen int64) *run {
	r := s.runs[gen]
	if r == nil {
		r = &run{gen: gen, app: s.app, stopWatch: func() {}}
		s.runs[gen] = r
	}
	return r
}

// tidy ends the watchers of launches that are not to be judged any more, and forgets those that are over.
func (s *supervisor) tidy() {
	m := s.machine
	if m.Heir.Gen == 0 {
		s.next = nil
	}
	for gen, r := range s.runs {
		if gen != m.Heir.Gen && (gen != m.Gen || m.State != view.Launching && m.State != view.Online) {
			r.stopWatch()
		}
		if gen != m.Gen && gen != m.Heir.Gen && gen != m.Retired.Gen {
			r.end()
			delete(s.runs, gen)
		}
	}
}

// mustListen says whether a launch is not ready before it has itself listened: others answer on its socket, too, or
// connections wait in it.
func (s *supervisor) mustListen(r *run) bool {
	switch {
	case !r.app.HoldsSockets():
		return false
	case readyBy(r.app) == "listening" || r.gen == s.machine.Heir.Gen && s.machine.Listens:
		return true
	case r.app.Port != 0 && r.app.Count() > 1:
		return true
	}
	return slices.ContainsFunc(r.launched.Held, func(a keeper.Address) bool { return r.app.Port == 0 || a.Port == r.app.Port })
}

// listens says whether a launch listens where others connect to it: on its port, or anywhere if it has none.
func (r *run) listens() bool {
	return slices.ContainsFunc(r.listening, func(a keeper.Address) bool { return r.app.Port == 0 || a.Port == r.app.Port })
}

// listening takes the keeper's word that a launch listens on a held socket.
func (s *supervisor) listening(gen int64, at keeper.Address) {
	if gen != s.machine.Gen && gen != s.machine.Heir.Gen {
		return
	}
	r := s.run(gen)
	if !slices.Contains(r.listening, at) {
		r.listening = append(r.listening[:len(r.listening):len(r.listening)], at)
	}
	if gen == s.machine.Gen {
		s.showListening(r)
	}
	if !r.listens() {
		return
	}
	s.step(Listening{gen}, "")
	if readyBy(r.app) == "listening" {
		r.satisfied = "listening"
	}
	if r.satisfied != "" {
		s.step(Ready{gen}, r.satisfied)
	}
}

// satisfied is called when a launch has done what readyBy asks for.
func (s *supervisor) satisfied(gen int64, by string) {
	r := s.runs[gen]
	if r == nil {
		return
	}
	r.satisfied = by
	if !s.mustListen(r) || r.listens() {
		s.step(Ready{gen}, by)
	}
}

// promote makes a launch the one that the instance shows.
func (s *supervisor) promote(gen int64) {
	r := s.run(gen)
	s.accept(r)
	s.define(r.app, false)
	s.setHash(r.app.Hash)
	s.showRun(r)
}

// showRun shows the launch that serves, and keeps what the next daemon needs to know about it.
func (s *supervisor) showRun(r *run) {
	s.mu.Lock()
	s.launched, s.logStart = r.launched, r.logStart
	s.view.Pid, s.view.StartedAt = orNull(r.launched.Pid), orNull(r.launched.At)
	s.view.MemoryBytes, s.view.CPUPercent, s.view.Children = nil, nil, []int{}
	s.mu.Unlock()
	s.showListening(r)
}

func (s *supervisor) showListening(r *run) {
	held := heldBy(r.app, r.listening)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.Held = held
}

// heldBy are the sockets that outlive a launch. One that was bound before the start is open on every address, whatever host
// the program has asked for.
func heldBy(app stack.App, listening []keeper.Address) []view.Address {
	held := []view.Address{}
	for _, a := range listening {
		socket := view.Address{Host: cmp.Or(a.Host, "*"), Port: a.Port}
		if app.HoldPort == "true" && a.Port == app.Port {
			socket.Host = "*"
		}
		if !slices.Contains(held, socket) {
			held = append(held, socket)
		}
	}
	return held
}

// sayUnheld says once of a definition why its port is not held, where one would expect that it is.
func (s *supervisor) sayUnheld(m Machine) {
	app := s.app
	if !m.Ready || s.instance > 0 || app.Port == 0 || app.OneShot || app.HoldPort != "auto" || s.saidFor == app.Hash {
		return
	}
	program := commandLine(app)[0]
	why := filepath.Base(program) + " is not node itself"
	switch {
	case app.RunsNode() && (m.Listens || s.run(m.Gen).satisfied != elsewhere):
		return
	case app.RunsNode():
		why = "the program does not listen by itself, or asks for the port to be its own"
	case node.IsNode(program):
		why = "node with these options does not pass it on"
	}
	s.saidFor = app.Hash
	s.tell(view.Event{Kind: view.KindWarning, Cause: "hold_port", Message: fmt.Sprintf("port %d is not held over a restart: %s. "+
		"hold_port: true passes the socket to a program that knows LISTEN_FDS, hold_port: false silences this", app.Port, why)})
}

// elsewhere is how a launch got ready whose port is listened on, but not by a socket that it passes on: by a process that
// it started, or exclusively.
const elsewhere = "listening, not held"

// watchElsewhere looks whether something in the process tree listens on the app's port without ever telling. A launch that
// was born with that socket has it open from the start, so there it would tell nothing.
func (s *supervisor) watchElsewhere(r *run) {
	ctx := s.newWatch(r)
	if slices.ContainsFunc(r.launched.Held, func(a keeper.Address) bool { return a.Port == r.app.Port }) {
		return
	}
	s.m.wg.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			p := s.snapshot()
			if p.Generation != r.gen || p.Pid == nil {
				continue
			}
			for _, ports := range s.m.ports.find(append([]int{*p.Pid}, p.Children...)) {
				if slices.ContainsFunc(ports, func(at view.Address) bool { return at.Port == r.app.Port }) {
					s.inbox.put(func() { s.satisfiedElsewhere(r) })
					return
				}
			}
		}
	})
}

func (s *supervisor) satisfiedElsewhere(r *run) {
	if r.listens() {
		return
	}
	r.satisfied = elsewhere
	s.step(Ready{r.gen}, elsewhere)
}
