package ipc

import (
	"time"

	"devstack/procs/keeper/pause"
)

// IsQuiet reports whether an upgrade is under way.
func (c *Channel) IsQuiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.quiet
}

// Hush interrupts what is being written; it and what follows is kept for afterwards.
// The reader waits between two reads: parked is closed then, or ended if the process closes its end.
func (c *Channel) Hush() (parked, ended <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quiet = true
	_ = c.conn.SetWriteDeadline(pause.Past)
	return c.parking.Stop(c.conn.SetReadDeadline), c.Closed
}

// Settle waits, after hush, until nothing is being written; false: over came first.
func (c *Channel) Settle(over <-chan time.Time) bool {
	select {
	case c.turn <- struct{}{}:
		c.turned = true
	case <-c.Closed:
	case <-over:
		return false
	}
	return true
}

// Speak undoes hush.
func (c *Channel) Speak() {
	defer c.parking.Resume(c.conn.SetReadDeadline) // who reads may write, too: after what was left unwritten
	c.mu.Lock()
	c.quiet = false
	_ = c.conn.SetWriteDeadline(time.Time{})
	b := c.unwritten
	c.unwritten = nil
	c.mu.Unlock()
	if !c.turned && len(b) > 0 {
		c.turn <- struct{}{} // soon: nobody has it for long whom hush has interrupted
		c.turned = true
	}
	if !c.turned {
		return
	}
	c.turned = false
	go func() { // it has the turn, for which HangUp waits
		if len(b) > 0 {
			c.finish(b, true)
		}
		<-c.turn
	}()
}
