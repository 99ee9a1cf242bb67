package procs

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	keeper "devstack/procs/keeper/protocol"
	"devstack/procs/node"
	"devstack/stack"
	"devstack/view"
)

// openTime is how long a new launch has to listen where earlier ones did. The shim gives up unused sockets then, too.
const openTime = 30 * time.Second

// released says which held sockets a step has left without a use, and after what time they are to be closed; ok is false
// if there are none.
//
// An instance that has come to rest gives up all of its sockets at once: whoever has stopped an app finds its port closed.
// A successor that has failed gives up those of its own at once. A launch that serves lets those of earlier launches be
// closed after openTime, because it may open its second port later than its first.
func released(before, now Machine) (what keeper.ReleaseReq, after time.Duration, ok bool) {
	rejected := now.Rejected.Gen
	switch {
	case rejected != 0 && rejected != before.Rejected.Gen:
		return keeper.ReleaseReq{Only: rejected}, 0, true
	case now.State == view.Stopped || now.State == view.Errored || now.State == view.Completed:
		return keeper.ReleaseReq{}, 0, before.State != now.State
	case now.Ready && (!before.Ready || before.Gen != now.Gen):
		return keeper.ReleaseReq{Before: now.Gen}, openTime, true
	}
	return what, 0, false
}

// held are the sockets that outlive a launch. One that was bound before the start is open on every address, whatever host
// the program has asked for.
func (l *launch) held() []view.Address {
	held := []view.Address{}
	for _, a := range l.listening {
		socket := view.Address{Host: cmp.Or(a.Host, "*"), Port: a.Port}
		if l.app.HoldPort == "true" && a.Port == l.app.Port {
			socket.Host = "*"
		}
		if !slices.Contains(held, socket) {
			held = append(held, socket)
		}
	}
	return held
}

// unheldWarning says why the port of a ready app is not held, where one would expect that it is; empty: it is held, or
// nobody expects it. listens says whether the launch listens on a held socket, beside whether its tree listens on another one.
func unheldWarning(app stack.App, listens, beside bool) string {
	if app.Port == 0 || app.OneShot || app.HoldPort != "auto" {
		return ""
	}
	program := commandLine(app)[0]
	why := filepath.Base(program) + " is not node itself"
	switch {
	case app.RunsNode() && (listens || !beside):
		return ""
	case app.RunsNode():
		why = "the program does not listen by itself, or asks for the port to be its own"
	case node.IsNode(program):
		why = "node with these options does not pass it on"
	}
	return fmt.Sprintf("port %d is not held over a restart: %s. "+
		"hold_port: true passes the socket to a program that knows LISTEN_FDS, hold_port: false silences this", app.Port, why)
}
