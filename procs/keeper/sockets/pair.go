package sockets

import (
	"net"

	"devstack/procs/keeper/protocol"
)

// Pair returns the two ends of a connection over the loopback device: the one that dialled and the one that accepted.
func Pair() (dialled, accepted *protocol.Descriptor, err error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	near, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	defer near.Close()
	far, err := acceptFrom(l, near.LocalAddr().String())
	if err != nil {
		return nil, nil, err
	}
	defer far.Close()
	if dialled, err = protocol.DupConn(near.(*net.TCPConn)); err != nil {
		return nil, nil, err
	}
	if accepted, err = protocol.DupConn(far.(*net.TCPConn)); err != nil {
		dialled.Close()
		return nil, nil, err
	}
	return dialled, accepted, nil
}

// acceptFrom turns away whoever else has found the port in the meantime.
func acceptFrom(l net.Listener, peer string) (net.Conn, error) {
	for {
		c, err := l.Accept()
		if err != nil || c.RemoteAddr().String() == peer {
			return c, err
		}
		c.Close()
	}
}
