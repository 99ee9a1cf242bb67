package logs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"
)

// backupStamp is the time that lumberjack puts into the name of a rotated file.
const backupStamp = "2006-01-02T15-04-05.000"

// disk is one log file as it lies on disk: rotation between lines, the time index beside it, recovery from a
// removed directory, a truncated file and a half-done write. Used by one goroutine.
type disk struct {
	path, stateDir string
	max            int64
	out            *lumberjack.Logger

	file  os.FileInfo // what is open, nil if nothing is
	size  int64
	last  *Stream // whose output was written last
	torn  bool    // the file ends inside a line
	index *indexWriter
}

// write writes as much of c as belongs into the current file and the next ones, and returns how much of it is done.
func (d *disk) write(c chunk) (done int, err error) {
	if err := d.ready(); err != nil {
		return 0, err
	}
	if d.torn && d.last != c.from {
		if _, err := d.append([]byte("\n")); err != nil { // another stream's unfinished line: do not join the two
			return 0, err
		}
		d.torn = false
	}
	limit := d.max
	if d.torn {
		limit += longLine
	}
	data := c.data
	for len(data) > 0 {
		part := data
		if room := limit - d.size; int64(len(part)) > room {
			part = part[:bytes.LastIndexByte(part[:max(room, 0)], '\n')+1]
			if len(part) == 0 && d.size == 0 {
				part = data // a chunk without a line end that is larger than a whole file
			}
		}
		if len(part) == 0 {
			if err := d.rotate(); err != nil {
				return done, err
			}
			limit = d.max
			continue
		}
		d.index.note(d.size, c.at)
		n, err := d.append(part)
		done += n
		data = data[n:]
		if n > 0 {
			d.last, d.torn = c.from, part[n-1] != '\n'
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// append writes p at the end. Of a write that was cut short, only whole lines stay.
func (d *disk) append(p []byte) (int, error) {
	n, err := d.out.Write(p)
	if err != nil && n > 0 {
		whole := bytes.LastIndexByte(p[:n], '\n') + 1
		if os.Truncate(d.path, d.size+int64(whole)) == nil {
			n = whole
		}
	}
	d.size += int64(n)
	return n, err
}

// ready makes sure that the file that is open is the one at path.
func (d *disk) ready() error {
	now, err := os.Stat(d.path)
	if err == nil && d.file != nil && os.SameFile(now, d.file) {
		if now.Size() < d.size { // truncated by somebody
			d.size, d.torn = now.Size(), false
			d.index.begin(d.file, d.size)
		}
		return nil
	}
	if err == nil && !now.Mode().IsRegular() {
		return fmt.Errorf("cannot log to %s: it is not a regular file", d.path)
	}
	return d.open()
}

// open opens or creates the file.
func (d *disk) open() error {
	d.out.Close()
	d.file, d.torn = nil, false
	if _, err := d.out.Write(nil); err != nil {
		return err
	}
	// A file that lumberjack has made is not in append mode, and after a truncation by somebody else the next write
	// would leave a hole. One that it finds is.
	d.out.Close()
	if _, err := d.out.Write(nil); err != nil {
		return err
	}
	fi, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	d.file, d.size = fi, fi.Size()
	if d.index == nil {
		d.index = &indexWriter{dir: indexDir(d.stateDir, d.path)}
	}
	d.index.begin(fi, d.size)
	return nil
}

// rotate sets the file aside and begins a new one.
func (d *disk) rotate() error {
	// lumberjack names backups by the millisecond and would overwrite one that has the name already.
	for {
		if _, err := os.Lstat(d.backupName(time.Now())); err != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	d.file = nil
	if err := d.out.Rotate(); err != nil {
		return err
	}
	if err := d.open(); err != nil {
		return err
	}
	backups, err := Backups(d.path)
	if err == nil {
		d.index.prune(append(backups, d.path))
	}
	return nil
}

func (d *disk) backupName(at time.Time) string {
	ext := filepath.Ext(d.path)
	return d.path[:len(d.path)-len(ext)] + "-" + at.UTC().Format(backupStamp) + ext
}
