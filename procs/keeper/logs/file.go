package logs

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"
)

const (
	defaultMaxSize = 10 << 20
	longLine       = 1 << 20 // the piece of an overlong line may exceed the size limit by this much to stay together
)

// chunk is queued output: whole lines of one stream, or a piece of an overlong line; or a count of dropped lines.
type chunk struct {
	data    []byte
	from    *Stream
	at      time.Time
	dropped int
	reason  string
	carried bool // it came through an upgrade: it counts for nobody's tokens
}

// file is the only writer of one path. Its queue is bounded by the tokens of the streams; its goroutine runs only
// while there is something to write.
type file struct {
	logs *Recorder
	path string
	disk *disk

	mu      sync.Mutex
	queue   []chunk
	writing bool
	waiting []chan struct{} // closed when everything is written
	broken  string          // why the last write failed, "" if it did not
	held    chan struct{}   // in an upgrade: nothing is written; closed when nothing is being written, either
}

func newFile(ls *Recorder, path string, maxSize int64, maxFiles int) *file {
	if maxSize <= 0 {
		maxSize = defaultMaxSize
	}
	return &file{logs: ls, path: path, disk: &disk{
		path: path, max: maxSize, stateDir: ls.stateDir,
		// Rotation is ours, at line ends; lumberjack's own limit must never be reached.
		out: &lumberjack.Logger{Filename: path, MaxSize: math.MaxInt32, MaxBackups: maxFiles},
	}}
}

func (f *file) failing() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.broken != ""
}

// put queues a chunk, joined to the one before if that is small and recent, so that a slow disk finds few large
// writes instead of many small ones.
func (f *file) put(c chunk) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.queue); n > 0 {
		last := &f.queue[n-1]
		joins := last.from == c.from || unfinished(last.data)+unfinished(c.data) == 0
		recent := c.at.Sub(last.at) < indexEvery || n >= 8
		if last.dropped == 0 && joins && recent && len(last.data)+len(c.data) <= cap(last.data) {
			last.data = append(last.data, c.data...)
			c.from.giveBack(c.data)
			return
		}
	}
	f.enqueue(c)
}

// drop counts lines of s that could not be queued, at their place between the others.
func (f *file) drop(s *Stream, lines int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.queue); n > 0 && f.queue[n-1].dropped > 0 && f.queue[n-1].from == s {
		f.queue[n-1].dropped += lines
		return
	}
	reason := f.broken
	if reason == "" {
		reason = "the disk does not keep up"
	}
	f.enqueue(chunk{from: s, at: time.Now(), dropped: lines, reason: reason})
}

func (f *file) enqueue(c chunk) {
	f.queue = append(f.queue, c)
	f.begin()
}

// begin lets the queue be written. f.mu is held.
func (f *file) begin() {
	if !f.writing && f.held == nil && len(f.queue) > 0 {
		f.writing = true
		f.logs.writing.Go(f.write)
	}
}

// idle returns a channel that is closed when nothing is left to write.
func (f *file) idle() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	done := make(chan struct{})
	if !f.writing {
		close(done)
	} else {
		f.waiting = append(f.waiting, done)
	}
	return done
}

func (f *file) write() {
	for {
		batch := f.next()
		if batch == nil {
			return
		}
		for i, c := range batch {
			if f.isHeld() {
				f.putBack(batch[i:])
				break
			}
			if rest := f.writeChunk(c); rest != nil {
				batch[i] = *rest
				f.putBack(batch[i:])
				break
			}
		}
	}
}

// next is what to write now. Nil: the writer ends.
func (f *file) next() []chunk {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held == nil && len(f.queue) > 0 {
		batch := f.queue
		f.queue = nil
		return batch
	}
	f.writing = false
	if f.held != nil {
		close(f.held)
	}
	if len(f.queue) == 0 {
		for _, w := range f.waiting {
			close(w)
		}
		f.waiting = nil
	}
	return nil
}

func (f *file) isHeld() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.held != nil
}

func (f *file) putBack(chunks []chunk) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(chunks, f.queue...)
}

// writeChunk returns what a hold kept from being written, else nil.
func (f *file) writeChunk(c chunk) (rest *chunk) {
	if c.dropped > 0 {
		text := fmt.Sprintf("[devstack] %d lines dropped: %s", c.dropped, c.reason)
		return f.writeAll(chunk{data: c.from.format.note(text, c.at), from: c.from, at: c.at, carried: true})
	}
	data := c.data
	rest = f.writeAll(c)
	if !c.carried {
		c.from.giveBack(data)
	}
	return rest
}

// writeAll repeats until the disk has taken everything, or returns what a hold has left.
func (f *file) writeAll(c chunk) (rest *chunk) {
	for {
		n, err := f.disk.write(c)
		c.data = c.data[n:]
		reason := ""
		if err != nil {
			reason = diskError(err)
		}
		f.mu.Lock()
		before := f.broken
		f.broken = reason
		held := f.held != nil
		f.mu.Unlock()
		if reason != before && reason != "" {
			f.logs.log.Error("cannot write log", "path", f.path, "err", err)
		}
		if err == nil {
			return nil
		}
		if held {
			c.data, c.carried = bytes.Clone(c.data), true
			return &c
		}
		time.Sleep(f.logs.retry)
	}
}

// diskError is the short text of a failed write, without path and call.
func diskError(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

// Backups returns the rotated files of a log, oldest first.
func Backups(path string) ([]string, error) {
	dir, base := filepath.Dir(path), filepath.Base(path)
	ext := filepath.Ext(base)
	prefix := base[:len(base)-len(ext)] + "-"
	entries, err := os.ReadDir(dir)
	if err != nil {
		if os.IsNotExist(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("cannot list the rotated files of %s: %w", path, err)
	}
	var found []string
	for _, e := range entries { // sorted by name, and the names sort by time
		name := e.Name()
		if len(name) != len(prefix)+len(backupStamp)+len(ext) || name[:len(prefix)] != prefix || name[len(name)-len(ext):] != ext {
			continue
		}
		if _, err := time.Parse(backupStamp, name[len(prefix):len(name)-len(ext)]); err == nil {
			found = append(found, filepath.Join(dir, name))
		}
	}
	return found, nil
}
