package keeper

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"devstack/procs/keeper/protocol"
	"devstack/procs/keeper/sockets"
)

// heldSockets is what the keeper holds for launches with Hold, and the requests of those that wait for it.
type heldSockets struct {
	log      *slog.Logger
	launches *launches
	answers  sync.WaitGroup // to requests that waited, on their way

	mu       sync.Mutex // guards what follows, and released of each launch; held while a launch with Hold is born
	held     sockets.Holding
	requests []*socketRequest // of launches that wait for a socket
	closed   bool             // the keeper is ending: nothing is held any more
	quiet    bool             // in an upgrade, and at the end: no request is given up
}

func claimOf(key protocol.Key) sockets.Claim {
	return sockets.Claim{Instance: key.Instance, Generation: key.Generation}
}

// launch starts a process with the sockets that are held for it. None of them is closed meanwhile.
func (h *heldSockets) launch(req protocol.Launch) (protocol.Launched, error) {
	if req.Hold == nil || req.Server != nil {
		return h.launches.launch(req, nil)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.launches.mayLaunch(req); err != nil {
		return protocol.Launched{}, err
	}
	defer h.held.Sweep(req.Key.App) // what was bound for a launch that fails
	born, err := h.held.Born(req)
	if err != nil {
		return protocol.Launched{}, fmt.Errorf("cannot launch %s: %w", req.Key.App, err)
	}
	launched, err := h.launches.launch(req, born)
	if err == nil && req.Hold.Bind != 0 {
		born[0].Claims[claimOf(req.Key)] = true
	}
	return launched, err
}

// report serves a launch's report that it listens on d.
func (h *heldSockets) report(l *launch, a protocol.Address, d *protocol.Descriptor) {
	at, err := sockets.BoundTo(d)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil || int(at.Port()) != a.Port || !l.holds {
		if l.holds {
			h.log.Warn("socket not held", "app", l.key.App, "instance", l.key.Instance, "gen", l.key.Generation, "err", err)
		}
		d.Close()
		return
	}
	if h.closed || l.released {
		d.Close()
	} else {
		s := h.held.Add(l.key.App, a, at, d)
		s.Claims[claimOf(l.key)] = true
		h.answerWaiting(l.key.App)
	}
	h.launches.heard(&protocol.Message{Verb: protocol.Listening, Listening: &protocol.Socket{Key: l.key, Address: a}}, func() {
		if !slices.Contains(l.listening, a) {
			l.listening = append(l.listening, a)
		}
	})
}

// release serves ReleaseReq. A launch that it covers claims nothing any more, however late its report comes.
func (h *heldSockets) release(r protocol.ReleaseReq) {
	h.mu.Lock()
	defer h.mu.Unlock()
	talking, _ := h.launches.open()
	for _, l := range talking {
		if l.key.App == r.App && l.key.Instance == r.Instance && r.Covers(l.key.Generation) {
			l.released = true
		}
	}
	h.held.Release(r)
}

// setQuiet keeps requests from being given up, or lets them be again.
func (h *heldSockets) setQuiet(quiet bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.quiet = quiet
}

// close closes all that is held: who listens does so still; afterwards clients see that nobody is there.
func (h *heldSockets) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.held.CloseAll()
}
