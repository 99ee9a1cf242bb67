// Package sockets is the listening sockets that outlive the processes that listen on them: which are held of an app and who
// claims them, how one is bound, and pairs of connected ones.
package sockets

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"syscall"

	"devstack/procs/keeper/protocol"
)

// AnyHost is the host of a socket that the keeper bound itself: it stands for every host.
const AnyHost = "*"

// Claim is the use that a launch has for a held socket. It outlives the launch, until it is released.
type Claim struct {
	Instance   int
	Generation int64
}

// Held is a listening socket that the keeper keeps open for the launches of one app. It never accepts.
type Held struct {
	Address protocol.Address // as the first launch asked for it
	Bound   netip.AddrPort
	Socket  *protocol.Descriptor
	Claims  map[Claim]bool
}

// Holding is all that is held, by app, in the order in which it came. The keeper guards it by its lock.
type Holding map[string][]*Held

// Find returns the socket that serves an address of an app, nil if none is held.
func (h Holding) Find(app string, a protocol.Address) *Held {
	var general *Held
	for _, s := range h[app] {
		if s.Address == a {
			return s
		}
		if s.Address == (protocol.Address{Host: AnyHost, Port: a.Port}) {
			general = s
		}
	}
	return general
}

// bound returns the socket itself, whatever it was asked for as.
func (h Holding) bound(app string, at netip.AddrPort) *Held {
	for _, s := range h[app] {
		if s.Bound == at {
			return s
		}
	}
	return nil
}

// Add keeps d, and closes it if the app holds that address already.
func (h Holding) Add(app string, a protocol.Address, at netip.AddrPort, d *protocol.Descriptor) *Held {
	s := h.bound(app, at)
	if s == nil {
		s = h.Find(app, a)
	}
	if s != nil {
		d.Close()
		return s
	}
	s = &Held{Address: a, Bound: at, Socket: d, Claims: map[Claim]bool{}}
	h[app] = append(h[app], s)
	return s
}

// Release drops the claims that are meant.
func (h Holding) Release(r protocol.ReleaseReq) {
	for _, s := range h[r.App] {
		maps.DeleteFunc(s.Claims, func(c Claim, _ bool) bool { return c.Instance == r.Instance && r.Covers(c.Generation) })
	}
	h.Sweep(r.App)
}

// Sweep closes what nobody claims.
func (h Holding) Sweep(app string) {
	h[app] = slices.DeleteFunc(h[app], func(s *Held) bool {
		if len(s.Claims) > 0 {
			return false
		}
		s.Socket.Close()
		return true
	})
	if len(h[app]) == 0 {
		delete(h, app)
	}
}

// CloseAll closes everything that is held.
func (h Holding) CloseAll() {
	for app, sockets := range h {
		for _, s := range sockets {
			s.Socket.Close()
		}
		delete(h, app)
	}
}

// BoundTo returns where a descriptor listens; an error if it is not a listening TCP socket.
func BoundTo(d *protocol.Descriptor) (netip.AddrPort, error) {
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

// Dup is for a launch: Node wants it non-blocking.
func (s *Held) Dup() (*protocol.Descriptor, error) {
	d, err := s.Socket.Dup()
	if err == nil {
		_ = syscall.SetNonblock(d.FD, true)
	}
	return d, err
}
