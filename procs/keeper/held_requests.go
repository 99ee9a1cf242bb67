package keeper

import (
	"fmt"
	"slices"
	"time"

	"devstack/procs/keeper/ipc"
	"devstack/procs/keeper/protocol"
	"devstack/procs/keeper/sockets"
)

// requestTime is how long a launch waits for another one to report the socket that both of them want.
const requestTime = time.Second

// maxRequests bounds the requests of all launches that wait.
const maxRequests = 256

// socketRequest is the request of a launch that found an address taken and waits for its socket.
type socketRequest struct {
	launch  *launch
	address protocol.Address
	id      int64
	limit   *time.Timer // gives it up
}

// request serves a launch that found an address taken: it gets the socket that is held, or the word to bind once more.
// While another launch of the app runs, that one may be about to report it.
func (h *heldSockets) request(l *launch, a protocol.Address, id int64) {
	w := &socketRequest{launch: l, address: a, id: id}
	h.mu.Lock()
	d, later := h.socketFor(w)
	if later {
		h.requests = append(h.requests, w)
		h.limit(w)
	}
	h.mu.Unlock()
	if !later {
		h.answer(w, d)
	}
}

// socketFor returns a duplicate of the socket, whether to wait for it, or neither. h.mu is held.
func (h *heldSockets) socketFor(w *socketRequest) (d *protocol.Descriptor, later bool) {
	l, a := w.launch, w.address
	if !l.holds || h.closed {
		return nil, false
	}
	if s := h.held.Find(l.key.App, a); s != nil {
		return h.dupOf(s), false
	}
	if h.closeStale(l.key.App, a.Port) {
		return nil, false
	}
	return nil, len(h.requests) < maxRequests && h.launches.siblingHolds(l)
}

// closeStale closes what the app holds on a port, under other hosts, for nobody who runs: the app has moved.
func (h *heldSockets) closeStale(app string, port int) (closed bool) {
	for _, s := range h.held[app] {
		if s.Address.Port == port && !h.inUse(app, s) {
			clear(s.Claims)
			closed = true
		}
	}
	h.held.Sweep(app)
	return closed
}

func (h *heldSockets) inUse(app string, s *sockets.Held) bool {
	for c := range s.Claims {
		if h.launches.runs(protocol.Key{App: app, Instance: c.Instance, Generation: c.Generation}) {
			return true
		}
	}
	return false
}

// answerAll begins the time of all requests anew, after an upgrade.
func (h *heldSockets) answerAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range slices.Clone(h.requests) {
		h.limit(w)
		h.answerWaiting(w.launch.key.App)
	}
}

// answerWaiting serves who waits for what is held now. h.mu is held.
func (h *heldSockets) answerWaiting(app string) {
	h.requests = slices.DeleteFunc(h.requests, func(w *socketRequest) bool {
		if w.launch.key.App != app {
			return false
		}
		s := h.held.Find(app, w.address)
		if s == nil {
			return false
		}
		w.stop()
		d := h.dupOf(s)
		h.answers.Go(func() { h.answer(w, d) })
		return true
	})
}

// limit begins the time of a request. h.mu is held.
func (h *heldSockets) limit(w *socketRequest) {
	w.stop()
	w.limit = time.AfterFunc(requestTime, func() { h.giveUp(w) })
}

func (w *socketRequest) stop() {
	if w.limit != nil {
		w.limit.Stop()
	}
}

func (h *heldSockets) giveUp(w *socketRequest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.Index(h.requests, w)
	if i < 0 || h.quiet {
		return // it has its answer, or gets a new limit after the upgrade
	}
	h.requests = slices.Delete(h.requests, i, i+1)
	h.answers.Go(func() { h.answer(w, nil) })
}

// dupOf duplicates a socket for a launch. Nil if we are out of descriptors.
func (h *heldSockets) dupOf(s *sockets.Held) *protocol.Descriptor {
	d, err := s.Dup()
	if err != nil {
		h.log.Error("cannot pass a held socket on", "err", err)
		return nil
	}
	return d
}

// answer passes d on and closes it; nil means that nothing is held. A launch that is gone by now misses nothing.
func (h *heldSockets) answer(w *socketRequest, d *protocol.Descriptor) {
	c := w.launch.channel
	free := fmt.Sprintf(`{"cmd":"NODE_DEVSTACK","free":%d}`, w.id)
	if d == nil {
		_ = c.Send(free)
		return
	}
	defer d.Close()
	held := fmt.Sprintf(`{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_DEVSTACK","held":%d}}`, w.id)
	err := c.Pass(held, d, ipc.Passed{Nack: free})
	if err == nil {
		return
	}
	if c.IsQuiet() { // it is asked for anew after the upgrade
		h.mu.Lock()
		defer h.mu.Unlock()
		h.requests = append(h.requests, w)
		return
	}
	_ = c.Send(free)
}
