package keeper

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"syscall"

	"devstack/procs/keeper/protocol"
)

// anyHost is the host of a socket that the keeper bound itself: it stands for every host.
const anyHost = "*"

// claim is the use that a launch has for a held socket. It outlives the launch, until it is released.
type claim struct {
	instance   int
	generation int64
}

// heldSocket is a listening socket that the keeper keeps open for the launches of one app. It never accepts.
type heldSocket struct {
	address protocol.Address // as the first launch asked for it
	bound   netip.AddrPort
	socket  *protocol.Descriptor
	claims  map[claim]bool
}

// holding is all that is held, by app, in the order in which it came. keeper.mu guards it.
type holding map[string][]*heldSocket

// find returns the socket that serves an address of an app, nil if none is held.
func (h holding) find(app string, a protocol.Address) *heldSocket {
	var general *heldSocket
	for _, s := range h[app] {
		if s.address == a {
			return s
		}
		if s.address == (protocol.Address{Host: anyHost, Port: a.Port}) {
			general = s
		}
	}
	return general
}

// bound returns the socket itself, whatever it was asked for as.
func (h holding) bound(app string, at netip.AddrPort) *heldSocket {
	for _, s := range h[app] {
		if s.bound == at {
			return s
		}
	}
	return nil
}

// add keeps d, and closes it if the app holds that address already.
func (h holding) add(app string, a protocol.Address, at netip.AddrPort, d *protocol.Descriptor) *heldSocket {
	s := h.bound(app, at)
	if s == nil {
		s = h.find(app, a)
	}
	if s != nil {
		d.Close()
		return s
	}
	s = &heldSocket{address: a, bound: at, socket: d, claims: map[claim]bool{}}
	h[app] = append(h[app], s)
	return s
}

// release drops the claims that are meant.
func (h holding) release(r protocol.ReleaseReq) {
	for _, s := range h[r.App] {
		maps.DeleteFunc(s.claims, func(c claim, _ bool) bool { return c.instance == r.Instance && r.Covers(c.generation) })
	}
	h.sweep(r.App)
}

// sweep closes what nobody claims.
func (h holding) sweep(app string) {
	h[app] = slices.DeleteFunc(h[app], func(s *heldSocket) bool {
		if len(s.claims) > 0 {
			return false
		}
		s.socket.Close()
		return true
	})
	if len(h[app]) == 0 {
		delete(h, app)
	}
}

func (h holding) closeAll() {
	for app, sockets := range h {
		for _, s := range sockets {
			s.socket.Close()
		}
		delete(h, app)
	}
}

// boundTo returns where a descriptor listens; an error if it is not a listening TCP socket.
func boundTo(d *protocol.Descriptor) (netip.AddrPort, error) {
	kind, err := syscall.GetsockoptInt(d.FD, syscall.SOL_SOCKET, syscall.SO_TYPE)
	if err != nil {
		return netip.AddrPort{}, err
	}
	listens, err := syscall.GetsockoptInt(d.FD, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	if err != nil {
		return netip.AddrPort{}, err
	}
	name, err := syscall.Getsockname(d.FD)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if kind == syscall.SOCK_STREAM && listens != 0 {
		switch a := name.(type) {
		case *syscall.SockaddrInet4:
			return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)), nil
		case *syscall.SockaddrInet6:
			addr := netip.AddrFrom16(a.Addr)
			if a.ZoneId != 0 {
				addr = addr.WithZone(fmt.Sprint(a.ZoneId))
			}
			return netip.AddrPortFrom(addr, uint16(a.Port)), nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("not a listening TCP socket: %w", syscall.EINVAL)
}

// listening serves a launch's report that it listens on d.
func (k *keeper) listening(l *launch, a protocol.Address, d *protocol.Descriptor) {
	at, err := boundTo(d)
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
		s := k.held.add(l.key.App, a, at, d)
		s.claims[l.claim()] = true
		k.answerWanting(l.key.App)
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
	k.held.release(r)
}
