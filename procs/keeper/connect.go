package keeper

import (
	"encoding/json"
	"fmt"
	"slices"
	"syscall"

	"devstack/procs/keeper/ipc"
	"devstack/procs/keeper/protocol"
	"devstack/procs/keeper/sockets"
)

// connect hands one end of a new connection to a launch and returns the other one, once the launch has it.
func (ls *launches) connect(r protocol.ConnectReq) (*protocol.Descriptor, error) {
	ls.mu.Lock()
	l := ls.byKey[r.Key]
	listens := l != nil && l.exit == nil && l.channel != nil && slices.Contains(l.listening, r.Address)
	ls.mu.Unlock()
	if !listens {
		return nil, fmt.Errorf("cannot connect to %s: it does not listen on port %d: %w", r.Key.App, r.Address.Port, syscall.ENOTCONN)
	}
	near, far, err := sockets.Pair()
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", r.Key.App, err)
	}
	arrived := make(chan bool, 1)
	err = l.channel.Pass(connectionLine(r.Address), far, ipc.Passed{Arrived: arrived})
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
	case <-l.channel.Closed:
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
