package ipc

import (
	"os"
	"syscall"

	"devstack/procs/keeper/protocol"
)

// CarriedChannel is what is carried of a channel in an upgrade.
type CarriedChannel struct {
	FD        int      `json:"fd"`
	Line      []byte   `json:"line,omitempty"` // the beginning of a message
	Long      bool     `json:"long,omitempty"`
	Arrived   []int    `json:"arrived,omitempty"`   // descriptors that came with it
	Unwritten []byte   `json:"unwritten,omitempty"` // to the process
	Unacked   []string `json:"unacked,omitempty"`   // descriptors on their way: what follows if one does not arrive
}

// Carry describes the channel, with the number of its descriptor that stays open by fd; nil: the process has closed it.
func (c *Channel) Carry(fd func(syscall.Conn) int) *CarriedChannel {
	select {
	case <-c.Closed:
		return nil
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &CarriedChannel{FD: fd(c.conn), Line: c.in.line, Long: c.in.long, Unwritten: c.unwritten}
	for _, d := range c.conn.Arrived {
		out.Arrived = append(out.Arrived, d.FD)
	}
	for _, p := range c.unacked {
		out.Unacked = append(out.Unacked, p.Nack)
	}
	return out
}

// RestoreChannel is the channel that was carried. Nothing is read or written before speak.
func RestoreChannel(r *CarriedChannel) (*Channel, error) {
	syscall.CloseOnExec(r.FD)
	w, err := protocol.NewFDConn(os.NewFile(uintptr(r.FD), "socket"))
	if err != nil {
		return nil, err
	}
	for _, fd := range r.Arrived {
		syscall.CloseOnExec(fd)
		w.Arrived = append(w.Arrived, &protocol.Descriptor{FD: fd})
	}
	c := NewChannel(w)
	c.in.line, c.in.long, c.unwritten = r.Line, r.Long, r.Unwritten
	for _, nack := range r.Unacked {
		c.unacked = append(c.unacked, Passed{Nack: nack})
	}
	return c, nil
}
