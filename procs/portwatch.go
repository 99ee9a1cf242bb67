package procs

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"devstack/probe"
	"devstack/stack"
	"devstack/view"
)

// Pauses between looks whether a launch listens. Nobody tells when a program opens a socket, so the kernel is asked: for one
// port that is a question of microseconds, for any port the kernel lists its listening sockets.
const (
	portPause    = 50 * time.Millisecond
	anyPortPause = 100 * time.Millisecond
	toldPause    = 250 * time.Millisecond // of what node opens itself, the keeper tells
	inspectPause = 2 * time.Second        // between looks at what a launch does instead; one is made just before it is late
)

// watchPort waits until something in the launch's process tree listens: on the app's port, or, without one, on any but a
// debugger's; for that it looks often until settled. A launch that was born with that socket has it open from the start, so
// there the tree would tell nothing.
func (r *readiness) watchPort(ctx context.Context, settled time.Duration) {
	l := r.l
	if l.born() || l.launched.Pid == 0 {
		return
	}
	w := portWatch{
		root: l.launched.Pid, port: l.app.Port, not: debuggerPorts(l.app), held: l.app.HoldsSockets() && l.app.RunsNode(), settled: settled,
	}
	r.s.m.wg.Go(func() {
		if found := w.wait(ctx, r.s.shown.showProbe, l.app.ListenTimeout); found != 0 {
			r.s.inbox.put(func() { r.s.listensBeside(l.gen, found) })
		}
	})
}

// portWatch is what is looked for.
type portWatch struct {
	root int   // pid of the launch
	port int   // 0: any
	not  []int // ports that do not count
	held bool  // what node opens itself, the keeper tells: only what is still there at the next look counts

	settled time.Duration // of any port: since when it is looked for seldom

	kernel   kernel
	sockets  listenerSet // of the last look
	stranger string      // the socket on that port that is not of this tree
	askAgain time.Time   // whether it is a stranger's
}

// wait returns the port as soon as the tree listens on it; 0 when ctx has ended, and where any port counts also when nothing was
// opened within limit. seen gets what is found instead, when it changes.
func (w *portWatch) wait(ctx context.Context, seen func(probe.Result), limit time.Duration) int {
	pause := portPause
	switch {
	case w.held:
		pause = toldPause
	case w.port == 0:
		pause = anyPortPause
	}
	defer w.kernel.close()
	timer := time.NewTimer(pause)
	defer timer.Stop()
	began, inspected, nextInspection := time.Now(), "", min(inspectPause, limit-2*pause)
	before := 0
	for {
		select {
		case <-ctx.Done():
			return 0
		case <-timer.C:
		}
		found := w.look()
		if found != 0 && (!w.held || found == before) {
			return found
		}
		before = found
		elapsed := time.Since(began)
		if w.port != 0 && elapsed >= nextInspection {
			nextInspection = elapsed + inspectPause
			if last := limit - 2*pause; elapsed < last {
				nextInspection = min(nextInspection, last)
			}
			if detail := w.inspect(); detail != inspected {
				inspected = detail
				seen(probe.Result{Detail: detail})
			}
		}
		if w.port == 0 && elapsed > w.settled { // it is unchecked by now; a late port still makes it more
			if pause = elapsed; elapsed > limit {
				return 0
			}
		}
		timer.Reset(pause)
	}
}

// look is the port that the tree listens on; 0: none that counts.
func (w *portWatch) look() int {
	if w.port == 0 {
		if w.sockets.changed() {
			for _, at := range treeListens(treeOf(w.root)) {
				if !slices.Contains(w.not, at.Port) {
					return at.Port
				}
			}
		}
		return 0
	}
	socket := w.kernel.listenerOn(w.port)
	if socket == "" || socket == w.stranger && time.Now().Before(w.askAgain) {
		return 0
	}
	if holdsSocket(treeOf(w.root), socket) || holdsSocket(orphansOf(w.root), socket) {
		return w.port
	}
	w.stranger, w.askAgain = socket, time.Now().Add(time.Second)
	return 0
}

// listens is everything that the launch's tree listens on.
func (w *portWatch) listens() []view.Address {
	return treeListens(append(treeOf(w.root), orphansOf(w.root)...))
}

// inspect says what the launch does instead of listening on its port.
func (w *portWatch) inspect() string {
	var others []string
	for _, at := range w.listens() {
		if at.Port == w.port {
			continue
		}
		if port := ":" + strconv.Itoa(at.Port); !slices.Contains(others, port) && !slices.Contains(w.not, at.Port) {
			others = append(others, port)
		}
	}
	detail := fmt.Sprintf("it does not listen on port %d yet", w.port)
	if len(others) > 0 {
		detail = fmt.Sprintf("it does not listen on port %d; it listens on %s", w.port, strings.Join(others, ", "))
	}
	if w.stranger != "" && w.kernel.listenerOn(w.port) == w.stranger {
		detail += fmt.Sprintf("; another program listens on port %d", w.port)
	}
	return detail
}

// listensBeside takes in that the launch's tree listens on a port, without its socket being held: a child of what node runs, a
// program that is not node, or one that asks for the port to be its own.
func (s *supervisor) listensBeside(gen int64, port int) {
	l := s.launches[gen]
	if l == nil || l.listens() {
		return
	}
	l.beside = true
	s.satisfied(gen, probe.ListensOn(port))
}

// checkPort asks once, now, whether the launch listens where its readiness rests on it. Called on the supervisor's goroutine; the
// answer may take a while, and is asked for elsewhere.
func (l *launch) checkPort() func() probe.Result {
	told, w := l.listens(), portWatch{root: l.launched.Pid, port: l.app.Port}
	return func() probe.Result {
		defer w.kernel.close()
		if told || slices.ContainsFunc(w.listens(), func(at view.Address) bool { return at.Port == w.port }) {
			return probe.Result{Ready: true, By: probe.ListensOn(w.port), Detail: fmt.Sprintf("it listens on port %d", w.port)}
		}
		return probe.Result{Detail: w.inspect()}
	}
}

// debuggerPorts are the ports that node's options open for a debugger. They say nothing about the program.
func debuggerPorts(app stack.App) []int {
	words := slices.Concat(app.Command, app.NodeArgs)
	for _, v := range app.Environment {
		if v.Key == "NODE_OPTIONS" {
			words = append(words, strings.Fields(v.Value)...)
		}
	}
	var ports []int
	for _, word := range words {
		option, value, _ := strings.Cut(word, "=")
		switch option {
		case "--inspect", "--inspect-brk", "--inspect-wait", "--inspect-port", "--debug-port":
			port, err := strconv.Atoi(value[strings.LastIndexByte(value, ':')+1:])
			if err != nil {
				port = 9229
			}
			ports = append(ports, port)
		}
	}
	return ports
}
