package procs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"devstack/procs/keeper/logs"
)

// position is a place in a log, which a rotation's rename does not move.
type position struct {
	Inode  uint64 `json:"inode"`
	Offset int64  `json:"offset"`
}

// logLine is one line and where it begins.
type logLine struct {
	text   []byte // without the line end; valid until the next call
	file   *os.File
	offset int64
}

// tail reads a log line by line, from a position onwards, through every rotation, truncation and re-creation.
type tail struct {
	path    string
	file    *os.File // nil: there is none yet
	offset  int64    // of the next byte to read from file
	pending []byte   // read and not yet returned; begins at offset-len(pending)
	ended   bool     // pending has no further line end, and file had no more to give
	start   *position
	stop    *position // read no further: what is written meanwhile may come faster than it is read; nil: no limit
	midLine bool      // begun behind a line that had no end; the keeper ends it before it writes anything else
	buf     []byte
}

// openTail begins at the given position, or at the beginning of the oldest file if it is nil.
func openTail(path string, from *position) *tail {
	return &tail{path: path, start: from, buf: make([]byte, 32<<10)}
}

func (t *tail) close() {
	if t.file != nil {
		t.file.Close()
		t.file = nil
	}
}

// next returns the next complete line, or io.EOF when there is none for now. It can be called again then.
func (t *tail) next() (logLine, error) {
	for {
		if line, ok := t.take(); ok {
			skip := t.midLine && len(line.text) == 0
			t.midLine = false
			if skip {
				continue
			}
			return line, nil
		}
		if t.file == nil {
			if err := t.open(); err != nil {
				return logLine{}, err
			}
		}
		n, err := t.read()
		if err != nil {
			return logLine{}, err
		}
		if n > 0 {
			continue
		}
		moved, err := t.follow()
		if err != nil {
			return logLine{}, err
		}
		if !moved {
			t.ended = true
			return logLine{}, io.EOF
		}
	}
}

// rest returns what follows the last line end, if that is all there is for now.
func (t *tail) rest() (logLine, bool) {
	if !t.ended || len(t.pending) == 0 {
		return logLine{}, false
	}
	line := logLine{text: t.pending, file: t.file, offset: t.offset - int64(len(t.pending))}
	t.pending = nil
	return line, true
}

func (t *tail) take() (logLine, bool) {
	i := bytes.IndexByte(t.pending, '\n')
	if i < 0 {
		return logLine{}, false
	}
	line := logLine{
		text: bytes.TrimSuffix(t.pending[:i], []byte("\r")), file: t.file, offset: t.offset - int64(len(t.pending)),
	}
	t.pending = t.pending[i+1:]
	return line, true
}

func (t *tail) read() (int, error) {
	buf := t.buf
	if t.stop != nil && inode(t.file) == t.stop.Inode {
		buf = buf[:max(0, min(int64(len(buf)), t.stop.Offset-t.offset))]
	}
	n, err := t.file.ReadAt(buf, t.offset)
	if err != nil && err != io.EOF {
		return 0, err
	}
	if n > 0 {
		t.pending = append(t.pending[:len(t.pending):len(t.pending)], buf[:n]...)
		t.offset += int64(n)
		t.ended = false
	}
	return n, nil
}

// follow moves on at the end of a file: back to the start of a truncated one, or to the file that came after it. A
// line that was not ended in the old file is ended there.
func (t *tail) follow() (moved bool, err error) {
	fi, err := t.file.Stat()
	if err != nil {
		return false, err
	}
	if t.stop != nil && inodeOf(fi) == t.stop.Inode {
		return false, nil
	}
	if fi.Size() < t.offset {
		t.offset, t.pending = 0, nil
		return true, nil
	}
	now, err := os.Stat(t.path)
	if err != nil || os.SameFile(fi, now) {
		return false, nil // the same file, or the moment between a rename and the new file
	}
	if fi, err = t.file.Stat(); err != nil || fi.Size() > t.offset {
		return err == nil, err // it was written to before it was rotated
	}
	if len(t.pending) > 0 {
		t.pending = append(t.pending[:len(t.pending):len(t.pending)], '\n')
		return true, nil
	}
	files := logFiles(t.path)
	defer closeFiles(files)
	next, stops := 0, t.stop == nil
	for i, f := range files {
		if inode(f) == inodeOf(fi) {
			next = i + 1
		}
		stops = stops || inode(f) == t.stop.Inode
	}
	if next == len(files) || !stops { // not: rotation has overtaken us and removed even the file to stop at
		return false, nil
	}
	t.file.Close()
	t.file, t.offset = files[next], 0
	files[next] = nil
	return true, nil
}

// open finds the file to begin with.
func (t *tail) open() error {
	files := logFiles(t.path)
	defer closeFiles(files)
	if len(files) == 0 {
		return io.EOF
	}
	chosen := 0
	t.offset = 0
	if t.start != nil {
		for i, f := range files {
			if inode(f) == t.start.Inode {
				chosen, t.offset = i, t.start.Offset
			}
		}
		t.start = nil
	}
	var before [1]byte
	if n, _ := files[chosen].ReadAt(before[:], t.offset-1); t.offset > 0 && n == 1 {
		t.midLine = before[0] != '\n'
	}
	t.file = files[chosen]
	files[chosen] = nil
	return nil
}

// logFiles opens a log and its rotated predecessors, oldest first. What is gone by the time it is opened is left out.
func logFiles(path string) []*os.File {
	current, err := os.Open(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	backups, _ := logs.Backups(path) // unreadable folder: current could not be opened either
	var files []*os.File
	for _, b := range backups {
		f, err := os.Open(b)
		if err != nil {
			continue
		}
		files = append(files, f)
		if current != nil && inode(f) == inode(current) { // rotated just now
			current.Close()
			current = nil
		}
	}
	if current != nil {
		files = append(files, current)
	}
	return files
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

func inode(f *os.File) uint64 {
	fi, err := f.Stat()
	if err != nil {
		return 0
	}
	return inodeOf(fi)
}

func inodeOf(fi os.FileInfo) uint64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

// endOf is the position after everything that a log holds now.
func endOf(path string) position {
	fi, err := os.Stat(path)
	if err != nil {
		return position{}
	}
	return position{Inode: inodeOf(fi), Offset: fi.Size()}
}
