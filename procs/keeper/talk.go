package keeper

import (
	"bytes"
	"encoding/json"
	"log/slog"

	"devstack/procs/keeper/protocol"
)

// talk serves what launches say over IPC.
type talk struct {
	log      *slog.Logger
	launches *launches
	sockets  *heldSockets
}

// read serves what a process sends until it closes its end.
func (t *talk) read(l *launch) {
	c := l.channel
	defer c.HangUp()
	for {
		line, whole, err := c.Next()
		if err != nil {
			return
		}
		switch {
		case bytes.HasPrefix(line, []byte(`{"cmd":"NODE_`)):
			t.nodeLine(l, line, whole) // Node, or its preload, talks to its parent
		case !whole:
			t.log.Warn("ipc message dropped: too long", "app", l.key.App, "instance", l.key.Instance, "gen", l.key.Generation)
		case len(line) > 0:
			t.forward(l, line)
		}
		c.Discard()
	}
}

func (t *talk) forward(l *launch, line []byte) {
	t.launches.heard(&protocol.Message{Verb: protocol.IPC, IPC: &protocol.IPCLine{Key: l.key, Line: line}}, func() {
		if bytes.Equal(line, []byte(`"ready"`)) {
			l.ready = true
		}
	})
}

// nodeMessage is a line of Node's own protocol, which the app on either end never sees. A line NODE_HANDLE has a
// descriptor and wraps a message; ours, NODE_DEVSTACK, are those of the preload (procs/node).
type nodeMessage struct {
	Cmd     string            `json:"cmd"`
	Want    *protocol.Address `json:"want"`
	ID      int64             `json:"id"`
	Drained bool              `json:"drained"`
	Msg     struct {
		Cmd       string            `json:"cmd"`
		Listening *protocol.Address `json:"listening"`
	} `json:"msg"`
}

// nodeLine serves one line of it. Whatever comes with a descriptor is acknowledged: Node sends nothing more before.
func (t *talk) nodeLine(l *launch, line []byte, whole bool) {
	var m nodeMessage
	if whole {
		_ = json.Unmarshal(line, &m) // an app may send the strangest things under this name
	}
	switch {
	case bytes.HasPrefix(line, []byte(`{"cmd":"NODE_HANDLE",`)):
		d := l.channel.Take()
		if m.Msg.Cmd == "NODE_DEVSTACK" && m.Msg.Listening != nil && d != nil {
			t.sockets.report(l, *m.Msg.Listening, d)
		} else {
			d.Close()
		}
		l.channel.Ack()
	case m.Cmd == "NODE_HANDLE_ACK":
		l.channel.Acked(true)
	case m.Cmd == "NODE_HANDLE_NACK":
		l.channel.Acked(false)
	case m.Cmd == "NODE_DEVSTACK" && m.Want != nil:
		t.sockets.request(l, *m.Want, m.ID)
	case m.Cmd == "NODE_DEVSTACK" && m.Drained:
		t.launches.heard(&protocol.Message{Verb: protocol.Drained, Key: &l.key}, func() { l.drained = true })
	}
}
