package keeper

import (
	"slices"

	"devstack/procs/keeper/sockets"

	"devstack/procs/keeper/protocol"
)

// listening serves a launch's report that it listens on d.
func (k *keeper) listening(l *launch, a protocol.Address, d *protocol.Descriptor) {
	at, err := sockets.BoundTo(d)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil || int(at.Port()) != a.Port || !l.holds {
		if l.holds {
			k.log.Warn("socket not held", "app", l.key.App, "instance", l.key.Instance, "gen", l.key.Generation, "err", err)
		}
		d.Close()
		return
	}
	if k.ending || l.released {
		d.Close()
	} else {
		s := k.held.Add(l.key.App, a, at, d)
		s.Claims[l.claim()] = true
		k.answerRequests(l.key.App)
	}
	if !slices.Contains(l.listening, a) {
		l.listening = append(l.listening, a)
	}
	k.notify(&protocol.Message{Verb: protocol.Listening, Listening: &protocol.Socket{Key: l.key, Address: a}})
}

// release serves ReleaseReq. A launch that it covers claims nothing any more, however late its report comes.
func (k *keeper) release(r protocol.ReleaseReq) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for l := range k.talking {
		if l.key.App == r.App && l.key.Instance == r.Instance && r.Covers(l.key.Generation) {
			l.released = true
		}
	}
	k.held.Release(r)
}
