package keeper

import (
	"errors"
	"time"
)

// quiesce brings everything to a stop that would change while it is gathered: who reads waits between two reads, nothing is
// written to processes or log files. Undo it with unquiesce, also after an error.
func (k *keeper) quiesce() error {
	k.mu.Lock()
	k.quiet = true
	channels := k.channels()
	k.mu.Unlock()
	over := time.After(quietTime)
	streams := k.logs.streams()
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
	return k.logs.hold()
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
func stopReaders(streams []*stream, channels []*channel, over <-chan time.Time) bool {
	parked := make([]<-chan struct{}, 0, len(streams)+len(channels))
	ended := make([]<-chan struct{}, 0, len(streams)+len(channels))
	for _, s := range streams {
		parked, ended = append(parked, s.parking.stop(s.r.SetReadDeadline)), append(ended, s.ended)
	}
	for _, c := range channels {
		c.hush()
		parked, ended = append(parked, c.parking.stop(c.conn.SetReadDeadline)), append(ended, c.closed)
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
	_ = c.conn.SetWriteDeadline(past)
}

// unquiesce lets everything go on.
func (k *keeper) unquiesce() {
	k.mu.Lock()
	k.quiet = false
	channels := k.channels()
	k.mu.Unlock()
	k.logs.goOn()
	for _, s := range k.logs.streams() {
		s.parking.resume(s.r.SetReadDeadline)
	}
	for _, c := range channels {
		c.speak()
		c.parking.resume(c.conn.SetReadDeadline)
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

// streams are those that have not ended.
func (ls *logs) streams() []*stream {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var all []*stream
	for s := range ls.open {
		all = append(all, s)
	}
	return all
}

func (ls *logs) all() []*file {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var all []*file
	for _, f := range ls.files {
		all = append(all, f)
	}
	return all
}

// hold waits a moment for everything to be written, then stops the writing. A disk that stands still makes it fail.
func (ls *logs) hold() error {
	files := ls.all()
	over := time.After(flushTime)
	for _, f := range files {
		select {
		case <-f.idle():
			continue
		case <-over:
		}
		break
	}
	over = time.After(ls.retry + flushTime)
	for _, f := range files {
		select {
		case <-f.stop():
		case <-over:
			return errors.New("cannot write " + f.path + ": the disk does not answer")
		}
	}
	return nil
}

// stop lets the writer end after the write that is under way. What it returns is closed then.
func (f *file) stop() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = make(chan struct{})
	if !f.writing {
		close(f.held)
	}
	return f.held
}

// goOn undoes hold.
func (ls *logs) goOn() {
	for _, f := range ls.all() {
		f.mu.Lock()
		f.held = nil
		f.begin()
		f.mu.Unlock()
	}
}
