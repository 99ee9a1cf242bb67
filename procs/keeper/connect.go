package keeper

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"syscall"

	"devstack/procs/keeper/protocol"
)

// connect hands one end of a new connection to a launch and returns the other one, once the launch has it.
func (k *keeper) connect(r protocol.ConnectReq) (*protocol.Descriptor, error) {
	k.mu.Lock()
	l := k.launches[r.Key]
	listens := l != nil && l.exit == nil && l.channel != nil && slices.Contains(l.listening, r.Address)
	k.mu.Unlock()
	if !listens {
		return nil, fmt.Errorf("cannot connect to %s: it does not listen on port %d: %w", r.Key.App, r.Address.Port, syscall.ENOTCONN)
	}
	near, far, err := tcpPair()
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", r.Key.App, err)
	}
	arrived := make(chan bool, 1)
	err = l.channel.pass(connectionLine(r.Address), far, passed{arrived: arrived})
	far.Close()
	if err != nil {
		near.Close()
		return nil, err
	}
	select {
	case ok := <-arrived:
		if ok {
			return near, nil
		}
	case <-l.channel.closed:
	case <-l.ended:
	}
	near.Close()
	return nil, fmt.Errorf("cannot connect to %s: it did not take the connection: %w", r.Key.App, syscall.ENOTCONN)
}

func connectionLine(a protocol.Address) string {
	type message struct {
		Cmd        string           `json:"cmd"`
		Connection protocol.Address `json:"connection"`
	}
	line, _ := json.Marshal(struct { // strings and numbers: cannot fail
		Cmd  string  `json:"cmd"`
		Type string  `json:"type"`
		Msg  message `json:"msg"`
	}{"NODE_HANDLE", "net.Native", message{"NODE_DEVSTACK", a}})
	return string(line)
}

// tcpPair returns the two ends of a connection over the loopback device: the one that dialled and the one that accepted.
func tcpPair() (dialled, accepted *protocol.Descriptor, err error) {
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
