package keeper

import (
	"bytes"
	"encoding/json"

	"devstack/procs/keeper/protocol"
)

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
func (k *keeper) nodeLine(l *launch, line []byte, whole bool) {
	var m nodeMessage
	if whole {
		_ = json.Unmarshal(line, &m) // an app may send the strangest things under this name
	}
	switch {
	case bytes.HasPrefix(line, []byte(`{"cmd":"NODE_HANDLE",`)):
		d := l.channel.Take()
		if m.Msg.Cmd == "NODE_DEVSTACK" && m.Msg.Listening != nil && d != nil {
			k.listening(l, *m.Msg.Listening, d)
		} else {
			d.Close()
		}
		l.channel.Ack()
	case m.Cmd == "NODE_HANDLE_ACK":
		l.channel.Acked(true)
	case m.Cmd == "NODE_HANDLE_NACK":
		l.channel.Acked(false)
	case m.Cmd == "NODE_DEVSTACK" && m.Want != nil:
		k.requestSocket(l, *m.Want, m.ID)
	case m.Cmd == "NODE_DEVSTACK" && m.Drained:
		k.drained(l)
	}
}

func (k *keeper) drained(l *launch) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l.drained = true
	k.notify(&protocol.Message{Verb: protocol.Drained, Key: &l.key})
}
