package sockets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"devstack/procs/keeper/protocol"
)

// FirstFD is where a launch's descriptors after its standard ones begin: held sockets, then the IPC channel.
const FirstFD = 3

// Born returns the sockets that a launch is born with; that of Hold.Bind, which is bound now if need be, is the first.
func (h Holding) Born(req protocol.Launch) ([]*Held, error) {
	if req.Hold == nil {
		return nil, nil
	}
	app, port := req.Key.App, req.Hold.Bind
	if port == 0 {
		return slices.Clone(h[app]), nil
	}
	first := h.everywhere(app, port)
	if first == nil {
		d, err := bind(port)
		if err != nil {
			return nil, fmt.Errorf("cannot bind port %d for %s: %w", port, app, err)
		}
		at, err := BoundTo(d)
		if err != nil {
			d.Close()
			return nil, err
		}
		first = h.Add(app, protocol.Address{Host: AnyHost, Port: port}, at, d)
	}
	first.Address.Host = AnyHost
	sockets := []*Held{first}
	for _, s := range h[app] {
		if s != first {
			sockets = append(sockets, s)
		}
	}
	return sockets, nil
}

// everywhere returns what an app holds on a port: what we bound, else what a launch bound on every address, else
// any other, which keeps us from binding anew.
func (h Holding) everywhere(app string, port int) (found *Held) {
	for _, s := range h[app] {
		if s.Address.Port != port {
			continue
		}
		if s.Address.Host == AnyHost {
			return s
		}
		if found == nil || s.Bound.Addr().IsUnspecified() {
			found = s
		}
	}
	return found
}

// bind listens on every address of the machine, with the kernel's longest queue. As systemd's, the socket blocks
// until a program wants otherwise.
func bind(port int) (*protocol.Descriptor, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return nil, err
	}
	defer l.Close()
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.New("not a TCP listener")
	}
	d, err := protocol.DupConn(tcp)
	if err != nil {
		return nil, err
	}
	if err := syscall.SetNonblock(d.FD, false); err != nil {
		d.Close()
		return nil, os.NewSyscallError("fcntl", err)
	}
	return d, nil
}

// HeldEnv tells a launch what it was born with; LISTEN_PID is added by the launch itself.
func HeldEnv(req protocol.Launch, born []*Held) []string {
	if len(born) == 0 {
		return nil
	}
	type inherited struct {
		protocol.Address
		FD int `json:"fd"`
	}
	list := make([]inherited, len(born))
	for i, s := range born {
		list[i] = inherited{s.Address, FirstFD + i}
	}
	text, _ := json.Marshal(list) // strings and numbers: cannot fail
	env := []string{protocol.HeldEnv + "=" + string(text)}
	if req.Hold.Bind != 0 {
		env = append(env, "LISTEN_FDS=1", "LISTEN_FDNAMES="+strings.ReplaceAll(req.Key.App, ":", "_"))
	}
	return env
}
