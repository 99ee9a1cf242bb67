package keeper

import (
	"errors"
	"time"

	"devstack/procs/keeper/ipc"
	"devstack/procs/keeper/logs"
)

// quiesce brings everything to a stop that would change while it is gathered: who reads waits between two reads, nothing is
// written to processes or log files. Undo it with unquiesce, also after an error.
func (u *upgrade) quiesce() error {
	k := u.k
	k.sockets.setQuiet(true)
	_, channels := k.launches.open()
	over := time.After(quietTime)
	streams := k.logs.OpenStreams()
	if !stopReaders(streams, channels, over) {
		return errors.New("what processes say is not taken: a disk or a process does not answer")
	}
	if !within(quietTime, &k.sockets.answers) {
		return errors.New("a process does not take its answer")
	}
	for _, c := range channels {
		if !c.Settle(over) {
			return errors.New("a process does not take its message")
		}
	}
	return k.logs.Hold()
}

// stopReaders returns true when nobody reads any more.
func stopReaders(streams []*logs.Stream, channels []*ipc.Channel, over <-chan time.Time) bool {
	parked := make([]<-chan struct{}, 0, len(streams)+len(channels))
	ended := make([]<-chan struct{}, 0, len(streams)+len(channels))
	for _, s := range streams {
		p, e := s.Pause()
		parked, ended = append(parked, p), append(ended, e)
	}
	for _, c := range channels {
		p, e := c.Hush()
		parked, ended = append(parked, p), append(ended, e)
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

// unquiesce lets everything go on.
func (u *upgrade) unquiesce() {
	k := u.k
	k.sockets.setQuiet(false)
	_, channels := k.launches.open()
	k.logs.GoOn()
	for _, s := range k.logs.OpenStreams() {
		s.Resume()
	}
	for _, c := range channels {
		c.Speak()
	}
	k.sockets.answerAll()
}
