package logs

import (
	"errors"
	"time"
)

// OpenStreams are those that have not ended.
func (ls *Recorder) OpenStreams() []*Stream {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var all []*Stream
	for s := range ls.open {
		all = append(all, s)
	}
	return all
}

func (ls *Recorder) all() []*file {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var all []*file
	for _, f := range ls.files {
		all = append(all, f)
	}
	return all
}

// flushTime is how long queued output may take to be written; of a disk that is full it is carried.
const flushTime = 2 * time.Second

// Hold waits a moment for everything to be written, then stops the writing. A disk that stands still makes it fail.
func (ls *Recorder) Hold() error {
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

// GoOn undoes hold.
func (ls *Recorder) GoOn() {
	for _, f := range ls.all() {
		f.mu.Lock()
		f.held = nil
		f.begin()
		f.mu.Unlock()
	}
}

// Pause makes the stream wait between two reads. parked is closed when it waits, ended if it ends instead.
func (s *Stream) Pause() (parked, ended <-chan struct{}) {
	return s.parking.Stop(s.r.SetReadDeadline), s.ended
}

// Resume undoes pause.
func (s *Stream) Resume() { s.parking.Resume(s.r.SetReadDeadline) }

// Settle waits until the stream has ended and all of it is on disk; false: over came first.
func (s *Stream) Settle(over <-chan time.Time) bool {
	select {
	case <-s.ended:
	case <-over:
		return false
	}
	for _, f := range s.sinks {
		select {
		case <-f.idle():
		case <-over:
			return false
		}
	}
	return true
}
