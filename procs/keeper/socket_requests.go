package keeper

import (
	"fmt"
	"slices"
	"time"

	"devstack/procs/keeper/sockets"

	"devstack/procs/keeper/ipc"

	"devstack/procs/keeper/protocol"
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
}

// requestSocket serves a launch that found an address taken: it gets the socket that is held, or the word to bind once more.
// While another launch of the app runs, that one may be about to report it.
func (k *keeper) requestSocket(l *launch, a protocol.Address, id int64) {
	w := &socketRequest{launch: l, address: a, id: id}
	k.mu.Lock()
	d, later := k.socketFor(w)
	if later {
		k.requests = append(k.requests, w)
		k.limitRequest(w)
	}
	k.mu.Unlock()
	if !later {
		k.answer(w, d)
	}
}

// socketFor returns a duplicate of the socket, whether to wait for it, or neither. k.mu is held.
func (k *keeper) socketFor(w *socketRequest) (d *protocol.Descriptor, later bool) {
	l, a := w.launch, w.address
	if !l.holds || k.ending {
		return nil, false
	}
	if s := k.held.Find(l.key.App, a); s != nil {
		return k.dupOf(s), false
	}
	if k.closeStale(l.key.App, a.Port) {
		return nil, false
	}
	for _, other := range k.launches {
		if other != l && other.key.App == l.key.App && other.holds && other.exit == nil {
			return nil, len(k.requests) < maxRequests
		}
	}
	return nil, false
}

// closeStale closes what the app holds on a port, under other hosts, for nobody who runs: the app has moved.
func (k *keeper) closeStale(app string, port int) (closed bool) {
	for _, s := range k.held[app] {
		if s.Address.Port == port && !k.inUse(app, s) {
			clear(s.Claims)
			closed = true
		}
	}
	k.held.Sweep(app)
	return closed
}

func (k *keeper) inUse(app string, s *sockets.Held) bool {
	for c := range s.Claims {
		l := k.launches[protocol.Key{App: app, Instance: c.Instance, Generation: c.Generation}]
		if l != nil && l.exit == nil {
			return true
		}
	}
	return false
}

// answerAllRequests begins their time anew, after an upgrade. k.mu is held.
func (k *keeper) answerAllRequests() {
	for _, w := range slices.Clone(k.requests) {
		k.limitRequest(w)
		k.answerRequests(w.launch.key.App)
	}
}

// answerRequests serves who waits for what is held now. k.mu is held.
func (k *keeper) answerRequests(app string) {
	k.requests = slices.DeleteFunc(k.requests, func(w *socketRequest) bool {
		if w.launch.key.App != app {
			return false
		}
		s := k.held.Find(app, w.address)
		if s == nil {
			return false
		}
		d := k.dupOf(s)
		k.answers.Go(func() { k.answer(w, d) })
		return true
	})
}

func (k *keeper) limitRequest(w *socketRequest) { time.AfterFunc(requestTime, func() { k.giveUp(w) }) }

func (k *keeper) giveUp(w *socketRequest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.Index(k.requests, w)
	if i < 0 || k.quiet {
		return // it has its answer, or gets a new limit after the upgrade
	}
	k.requests = slices.Delete(k.requests, i, i+1)
	k.answers.Go(func() { k.answer(w, nil) })
}

// dupOf duplicates a socket for a launch. Nil if we are out of descriptors.
func (k *keeper) dupOf(s *sockets.Held) *protocol.Descriptor {
	d, err := s.Dup()
	if err != nil {
		k.log.Error("cannot pass a held socket on", "err", err)
		return nil
	}
	return d
}

// answer passes d on and closes it; nil means that nothing is held. A launch that is gone by now misses nothing.
func (k *keeper) answer(w *socketRequest, d *protocol.Descriptor) {
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
		k.mu.Lock()
		defer k.mu.Unlock()
		k.requests = append(k.requests, w)
		return
	}
	_ = c.Send(free)
}
