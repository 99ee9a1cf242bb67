package keeper

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"devstack/procs/keeper/protocol"
)

// parkTime is how long a launch waits for another one to report the socket that both of them want.
const parkTime = time.Second

// maxParked bounds the requests of all launches that wait.
const maxParked = 256

// wanting is the request of a launch that found an address taken and waits for its socket.
type wanting struct {
	launch  *launch
	address protocol.Address
	id      int64
}

// want serves a launch that found an address taken: it gets the socket that is held, or the word to bind once more.
// While another launch of the app runs, that one may be about to report it.
func (k *keeper) want(l *launch, a protocol.Address, id int64) {
	w := &wanting{launch: l, address: a, id: id}
	k.mu.Lock()
	d, park := k.wanted(w)
	if park {
		k.wanting = append(k.wanting, w)
		k.limitParking(w)
	}
	k.mu.Unlock()
	if !park {
		k.answer(w, d)
	}
}

// wanted returns a duplicate of the socket, whether to wait for it, or neither. k.mu is held.
func (k *keeper) wanted(w *wanting) (d *protocol.Descriptor, park bool) {
	l, a := w.launch, w.address
	if !l.holds || k.ending {
		return nil, false
	}
	if s := k.held.find(l.key.App, a); s != nil {
		return k.dupOf(s), false
	}
	if k.closeStale(l.key.App, a.Port) {
		return nil, false
	}
	for _, other := range k.launches {
		if other != l && other.key.App == l.key.App && other.holds && other.exit == nil {
			return nil, len(k.wanting) < maxParked
		}
	}
	return nil, false
}

// closeStale closes what the app holds on a port, under other hosts, for nobody who runs: the app has moved.
func (k *keeper) closeStale(app string, port int) (closed bool) {
	for _, s := range k.held[app] {
		if s.address.Port == port && !k.inUse(app, s) {
			clear(s.claims)
			closed = true
		}
	}
	k.held.sweep(app)
	return closed
}

func (k *keeper) inUse(app string, s *heldSocket) bool {
	for c := range s.claims {
		l := k.launches[protocol.Key{App: app, Instance: c.instance, Generation: c.generation}]
		if l != nil && l.exit == nil {
			return true
		}
	}
	return false
}

// answerAllWanting begins their waiting anew, after an upgrade. k.mu is held.
func (k *keeper) answerAllWanting() {
	for _, w := range slices.Clone(k.wanting) {
		k.limitParking(w)
		k.answerWanting(w.launch.key.App)
	}
}

// answerWanting serves who waits for what is held now. k.mu is held.
func (k *keeper) answerWanting(app string) {
	k.wanting = slices.DeleteFunc(k.wanting, func(w *wanting) bool {
		if w.launch.key.App != app {
			return false
		}
		s := k.held.find(app, w.address)
		if s == nil {
			return false
		}
		d := k.dupOf(s)
		k.answers.Go(func() { k.answer(w, d) })
		return true
	})
}

func (k *keeper) limitParking(w *wanting) { time.AfterFunc(parkTime, func() { k.giveUp(w) }) }

func (k *keeper) giveUp(w *wanting) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.Index(k.wanting, w)
	if i < 0 || k.quiet {
		return // it has its answer, or gets a new limit after the upgrade
	}
	k.wanting = slices.Delete(k.wanting, i, i+1)
	k.answers.Go(func() { k.answer(w, nil) })
}

// dupOf is for a launch: Node wants it non-blocking. Nil if we are out of descriptors.
func (k *keeper) dupOf(s *heldSocket) *protocol.Descriptor {
	d, err := s.socket.Dup()
	if err != nil {
		k.log.Error("cannot pass a held socket on", "err", err)
		return nil
	}
	_ = syscall.SetNonblock(d.FD, true)
	return d
}

// answer passes d on and closes it; nil means that nothing is held. A launch that is gone by now misses nothing.
func (k *keeper) answer(w *wanting, d *protocol.Descriptor) {
	c := w.launch.channel
	free := fmt.Sprintf(`{"cmd":"NODE_DEVSTACK","free":%d}`, w.id)
	if d == nil {
		_ = c.send(free)
		return
	}
	defer d.Close()
	held := fmt.Sprintf(`{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_DEVSTACK","held":%d}}`, w.id)
	err := c.pass(held, d, passed{nack: free})
	if err == nil {
		return
	}
	if c.isQuiet() { // it is asked for anew after the upgrade
		k.mu.Lock()
		defer k.mu.Unlock()
		k.wanting = append(k.wanting, w)
		return
	}
	_ = c.send(free)
}
