package logs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"time"
	"unicode/utf8"

	"devstack/procs/keeper/pause"
)

// Stream is one pipe of a launch.
type Stream struct {
	logs   *Recorder
	r      *os.File
	sinks  []*file
	own    chan struct{} // one token per queued buffer of this stream
	format format
	ended  chan struct{} // closed when everything was read and queued

	rest    []byte      // an unfinished line, read but not yet passed on
	stuck   bool        // the disk stood still when we last waited for it
	parking pause.Point // where it waits during an upgrade
}

// run reads until every process that holds the pipe has closed it.
func (s *Stream) run() {
	defer s.logs.streamEnded(s)
	defer close(s.ended)
	defer s.r.Close()
	raw, err := s.r.SyscallConn()
	if err != nil {
		s.logs.log.Error("cannot read output", "err", err)
		return
	}
	for {
		buf, n, err := s.read(raw)
		at := time.Now()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.parking.Wait()
			continue
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrClosed) {
				s.logs.log.Error("cannot read output", "err", err)
			}
			s.finish(at)
			return
		}
		cut := cutLines(buf[:n], n == bufSize)
		s.rest = append(s.rest[:0], buf[cut:n]...)
		if cut == 0 {
			s.logs.release(buf)
			continue
		}
		s.emit(buf, cut, at)
	}
}

// read waits for output and takes a buffer only when there is some, so that an idle stream holds no memory. The
// unfinished line comes first in the buffer; n counts it, too.
func (s *Stream) read(raw syscall.RawConn) (buf []byte, n int, err error) {
	waitErr := raw.Read(func(fd uintptr) bool {
		buf = s.logs.buffer()
		n = copy(buf, s.rest)
		var got int
		for {
			got, err = syscall.Read(int(fd), buf[n:])
			if !errors.Is(err, syscall.EINTR) {
				break
			}
		}
		if err == nil && got > 0 {
			n += got
			return true
		}
		s.logs.release(buf)
		if err == nil {
			err = io.EOF
		}
		return !errors.Is(err, syscall.EAGAIN)
	})
	if waitErr != nil {
		err = waitErr
	}
	return buf, n, err
}

// finish passes on a last line without a newline.
func (s *Stream) finish(at time.Time) {
	if len(s.rest) > 0 {
		buf := s.logs.buffer()
		s.emit(buf, copy(buf, s.rest), at)
	}
}

// cutLines returns how much of b can be passed on: up to its last newline; of one overlong line, what fits in whole
// characters; else nothing.
func cutLines(b []byte, full bool) int {
	if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
		return i + 1
	}
	if !full {
		return 0
	}
	for i := 1; i < utf8.UTFMax; i++ { // back to the start of an unfinished character, if there is one
		if start := len(b) - i; utf8.RuneStart(b[start]) {
			if !utf8.FullRune(b[start:]) {
				return start
			}
			break
		}
	}
	return len(b)
}

// emit formats buf[:n] and queues it; buf is given away.
func (s *Stream) emit(buf []byte, n int, at time.Time) {
	if s.format.raw() {
		s.queue(buf[:n], at)
		return
	}
	stamp := s.format.stamp(at)
	out := s.logs.buffer()[:0]
	for lines := buf[:n]; len(lines) > 0; {
		line, rest, _ := bytes.Cut(lines, []byte("\n"))
		lines = rest
		// A record is at least as long as its line; a longer one makes out grow past the pool's size, and be dropped
		// from the pool afterwards.
		if len(out) > 0 && len(out)+len(stamp)+len(line)+256 > bufSize {
			s.queue(out, at)
			out = s.logs.buffer()[:0]
		}
		out = s.format.append(out, stamp, line)
	}
	s.logs.release(buf)
	s.queue(out, at)
}

// queue hands a chunk to every file, or drops it and has it counted.
func (s *Stream) queue(b []byte, at time.Time) {
	for _, f := range s.sinks[1:] {
		s.queueTo(f, append(s.logs.buffer()[:0], b...), at)
	}
	s.queueTo(s.sinks[0], b, at)
}

func (s *Stream) queueTo(f *file, b []byte, at time.Time) {
	if s.acquire(f) {
		f.put(chunk{data: b, from: s, at: at})
		return
	}
	f.drop(s, bytes.Count(b, []byte("\n"))+unfinished(b))
	s.logs.release(b)
}

// acquire takes the right to queue one buffer. It waits while the disk works; not for one that fails, nor again for
// one that stood still.
func (s *Stream) acquire(f *file) bool {
	if s.tryAcquire() {
		s.stuck = false
		return true
	}
	if s.stuck || f.failing() {
		return false
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case s.own <- struct{}{}:
	case <-timer.C:
		s.stuck = true
		return false
	}
	select {
	case s.logs.tokens <- struct{}{}:
		return true
	case <-timer.C:
		<-s.own
		s.stuck = true
		return false
	}
}

func (s *Stream) tryAcquire() bool {
	select {
	case s.own <- struct{}{}:
	default:
		return false
	}
	select {
	case s.logs.tokens <- struct{}{}:
		return true
	default:
		<-s.own
		return false
	}
}

// giveBack is called when a queued buffer has been written.
func (s *Stream) giveBack(b []byte) {
	<-s.own
	<-s.logs.tokens
	s.logs.release(b)
}

// unfinished counts the lines, 0 or 1, that b begins and does not end.
func unfinished(b []byte) int {
	if len(b) == 0 || b[len(b)-1] == '\n' {
		return 0
	}
	return 1
}
