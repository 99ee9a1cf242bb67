package keeper

import (
	"bytes"

	"devstack/procs/keeper/protocol"
)

// readIPC forwards what the process sends until it closes its end.
func (k *keeper) readIPC(l *launch) {
	c := l.channel
	defer c.HangUp()
	for {
		line, whole, err := c.Next()
		if err != nil {
			return
		}
		switch {
		case bytes.HasPrefix(line, []byte(`{"cmd":"NODE_`)):
			k.nodeLine(l, line, whole) // Node, or its preload, talks to its parent
		case !whole:
			k.log.Warn("ipc message dropped: too long", "app", l.key.App, "instance", l.key.Instance, "gen", l.key.Generation)
		case len(line) > 0:
			k.forwardLine(l, line)
		}
		c.Discard()
	}
}

func (k *keeper) forwardLine(l *launch, line []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if bytes.Equal(line, []byte(`"ready"`)) {
		l.ready = true
	}
	k.notify(&protocol.Message{Verb: protocol.IPC, IPC: &protocol.IPCLine{Key: l.key, Line: line}})
}
