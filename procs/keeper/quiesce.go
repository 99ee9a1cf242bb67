package keeper

import (
	"errors"
	"time"

	"devstack/procs/keeper/logs"

	"devstack/procs/keeper/pause"
)

// quiesce brings everything to a stop that would change while it is gathered: who reads waits between two reads, nothing is
// written to processes or log files. Undo it with unquiesce, also after an error.
func (k *keeper) quiesce() error {
	k.mu.Lock()
	k.quiet = true
	channels := k.channels()
	k.mu.Unlock()
	over := time.After(quietTime)
	streams := k.logs.OpenStreams()
	if !stopReaders(streams, channels, over) {
		return errors.New("what processes say is not taken: a disk or a process does not answer")
	}
	answered := make(chan struct{})
	go func() {
		k.answers.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-over:
		return errors.New("a process does not take its answer")
	}
	for _, c := range channels {
		select {
		case c.turn <- struct{}{}:
			c.turned = true
		case <-c.closed:
		case <-over:
			return errors.New("a process does not take its message")
		}
	}
	return k.logs.Hold()
}

// channels are those whose process has not closed its end. k.mu is held.
func (k *keeper) channels() []*channel {
	var all []*channel
	for l := range k.talking {
		all = append(all, l.channel)
	}
	return all
}

// stopReaders returns true when nobody reads any more.
func stopReaders(streams []*logs.Stream, channels []*channel, over <-chan time.Time) bool {
	parked := make([]<-chan struct{}, 0, len(streams)+len(channels))
	ended := make([]<-chan struct{}, 0, len(streams)+len(channels))
	for _, s := range streams {
		p, e := s.Pause()
		parked, ended = append(parked, p), append(ended, e)
	}
	for _, c := range channels {
		c.hush()
		parked, ended = append(parked, c.parking.Stop(c.conn.SetReadDeadline)), append(ended, c.closed)
	}
	for i := range parked {
		select {
		case <-parked[i]:
		case <-ended[i]:
		case <-over:
			return false
		}
	}
	return true
}

func (c *channel) isQuiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.quiet
}

// hush interrupts what is being written; it and what follows is kept for afterwards.
func (c *channel) hush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quiet = true
	_ = c.conn.SetWriteDeadline(pause.Past)
}

// unquiesce lets everything go on.
func (k *keeper) unquiesce() {
	k.mu.Lock()
	k.quiet = false
	channels := k.channels()
	k.mu.Unlock()
	k.logs.GoOn()
	for _, s := range k.logs.OpenStreams() {
		s.Resume()
	}
	for _, c := range channels {
		c.speak()
		c.parking.Resume(c.conn.SetReadDeadline)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answerAllWanting()
}

// speak undoes hush.
func (c *channel) speak() {
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
	go func() {
		if len(b) > 0 {
			c.finish(b, true)
		}
		<-c.turn
	}()
}
