// Package logs records what processes write: pipes to rotated files, with an index of times beside them, and reads both
// back. It knows nothing of processes; the keeper above gives it the reading ends.
package logs

import (
	"log/slog"
	"os"
	"sync"
	"time"

	"devstack/procs/keeper/protocol"
)

// How output travels: one goroutine per stream waits for the pipe, reads, cuts at a line end, formats, and puts
// the chunk into the queue of its file; the file's goroutine writes. While the disk works, a process that writes
// faster than the disk is slowed down by its pipe, as with any file. When the disk fails or stands still, reading
// goes on and whole lines are dropped and counted. Queued output is bounded, per stream and in all; beside it each
// stream holds one buffer while it reads, and an unfinished line of at most 64 KiB.
const (
	bufSize     = 64 << 10           // a read, and the longest line that stays in one piece
	poolBuffers = 16 << 20 / bufSize // queued, of all streams
	ownBuffers  = 1 << 20 / bufSize  // queued, of one stream
	patience    = time.Second        // a stream waits so long for a disk that does not answer, then drops
)

// Recorder is every log file and every stream of a keeper.
type Recorder struct {
	stateDir string
	retry    time.Duration // until a failed write is tried again
	log      *slog.Logger
	tokens   chan struct{} // one per queued buffer
	buffers  sync.Pool     // of *[bufSize]byte

	reading sync.WaitGroup // one per stream
	writing sync.WaitGroup // one per file that is being written

	mu      sync.Mutex       // guards what follows
	files   map[string]*file // by path, for the keeper's life
	open    map[*Stream]bool // before EOF
	drained chan struct{}    // closed when none is open any more in a drain
}

// NewRecorder keeps its indexes in stateDir, and tries a failed write again after retry.
func NewRecorder(stateDir string, retry time.Duration, log *slog.Logger) *Recorder {
	return &Recorder{
		stateDir: stateDir,
		retry:    retry,
		log:      log,
		tokens:   make(chan struct{}, poolBuffers),
		buffers:  sync.Pool{New: func() any { return new([bufSize]byte) }},
		files:    map[string]*file{},
		open:     map[*Stream]bool{},
	}
}

// Read starts reading r until its end, into the given file and into the combined one.
func (ls *Recorder) Read(r *os.File, key protocol.Key, kind string, cfg protocol.Logs, path string) *Stream {
	s := ls.newStream(r, newFormat(cfg, key, kind))
	for _, p := range []string{path, cfg.Combined} {
		if Kept(p) {
			s.sinks = append(s.sinks, ls.file(p, cfg))
		}
	}
	ls.Begin(s)
	return s
}

func (ls *Recorder) newStream(r *os.File, format format) *Stream {
	return &Stream{logs: ls, r: r, own: make(chan struct{}, ownBuffers), format: format, ended: make(chan struct{})}
}

// Begin starts reading, unless the stream has ended.
func (ls *Recorder) Begin(s *Stream) {
	if s.r == nil {
		return
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.open[s] = true
	ls.reading.Go(s.run)
}

// file returns the one writer of a path. Size and number of files are those of the path's first launch.
func (ls *Recorder) file(path string, cfg protocol.Logs) *file {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	f := ls.files[path]
	if f == nil {
		f = newFile(ls, path, cfg.MaxSize, cfg.MaxFiles)
		ls.files[path] = f
	}
	return f
}

func (ls *Recorder) streamEnded(s *Stream) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	delete(ls.open, s)
	if len(ls.open) == 0 && ls.drained != nil {
		close(ls.drained)
		ls.drained = nil
	}
}

// Drain waits until every stream has ended and everything is written, each for at most the given time. Nothing is read
// afterwards.
func (ls *Recorder) Drain(limit time.Duration) {
	ls.mu.Lock()
	var drained chan struct{}
	if len(ls.open) > 0 {
		drained = make(chan struct{})
		ls.drained = drained
	}
	files := make([]*file, 0, len(ls.files))
	for _, f := range ls.files {
		files = append(files, f)
	}
	ls.mu.Unlock()
	if drained != nil {
		select {
		case <-drained:
		case <-time.After(limit):
			ls.log.Warn("some output is still held open by a process that survives; not waiting for it")
			ls.hangUp()
		}
	}
	ls.reading.Wait()
	over := time.After(limit)
	for _, f := range files {
		select {
		case <-f.idle():
		case <-over:
			ls.log.Warn("log not written to its end", "path", f.path)
			return // the disk stands still: nobody can wait for who writes
		}
	}
	ls.writing.Wait()
}

// hangUp closes every stream.
func (ls *Recorder) hangUp() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for s := range ls.open {
		s.r.Close()
	}
}

// buffer and release manage the memory of chunks.
func (ls *Recorder) buffer() []byte { return ls.buffers.Get().(*[bufSize]byte)[:] }

func (ls *Recorder) release(b []byte) {
	if cap(b) == bufSize {
		ls.buffers.Put((*[bufSize]byte)(b[:bufSize]))
	}
}
