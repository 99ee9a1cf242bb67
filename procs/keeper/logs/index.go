package logs

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The index of a log file tells when its bytes were read from the process, so that raw files of several processes
// can be merged by time. It lies in the state directory under the log's inode, and so follows a rotation's rename:
// index/<12 hex of the path's sha256>/<inode>.idx, records of 16 bytes: offset and Unix nanoseconds, big-endian.
const (
	indexRecord = 16
	indexEvery  = 10 * time.Millisecond // at most one record in this time
)

func indexDir(stateDir, path string) string {
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(stateDir, "index", hex.EncodeToString(sum[:])[:12])
}

func indexFile(dir string, fi os.FileInfo) string {
	inode := uint64(0)
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		inode = st.Ino
	}
	return filepath.Join(dir, strconv.FormatUint(inode, 10)+".idx")
}

// indexWriter is best effort: logs are complete without it, only their order in time is lost.
type indexWriter struct {
	dir  string
	file *os.File
	last time.Time
}

// begin opens the index of a log file that has the given size; an empty file has none yet, whatever lies there.
func (w *indexWriter) begin(fi os.FileInfo, size int64) {
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
	w.last = time.Time{}
	if os.MkdirAll(w.dir, 0o700) != nil {
		return
	}
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if size == 0 {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(indexFile(w.dir, fi), flags, 0o600)
	if err != nil {
		return
	}
	w.file = f
}

// note records that what follows the offset was read at the given time.
func (w *indexWriter) note(offset int64, at time.Time) {
	if w.file == nil || at.Sub(w.last) < indexEvery {
		return
	}
	var rec [indexRecord]byte
	binary.BigEndian.PutUint64(rec[:8], uint64(offset))
	binary.BigEndian.PutUint64(rec[8:], uint64(at.UnixNano()))
	n, err := w.file.Write(rec[:])
	if err == nil {
		w.last = at
		return
	}
	if fi, statErr := w.file.Stat(); n > 0 && statErr == nil {
		_ = w.file.Truncate(fi.Size() - fi.Size()%indexRecord)
	}
}

// prune removes the indexes of files that are gone.
func (w *indexWriter) prune(logs []string) {
	keep := map[string]bool{}
	for _, path := range logs {
		if fi, err := os.Stat(path); err == nil {
			keep[filepath.Base(indexFile(w.dir, fi))] = true
		}
	}
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".idx") && !keep[e.Name()] {
			os.Remove(filepath.Join(w.dir, e.Name()))
		}
	}
}

// Index answers when a part of a log file was read from its process. It may be asked while the file grows.
type Index struct {
	file *os.File
}

// OpenIndex opens the index of the log that is or was at path, fi being the file itself, rotated or not. A log
// that was never indexed gives an error for which os.IsNotExist holds.
func OpenIndex(stateDir, path string, fi os.FileInfo) (*Index, error) {
	f, err := os.Open(indexFile(indexDir(stateDir, path), fi))
	if err != nil {
		return nil, err
	}
	return &Index{file: f}, nil
}

// Close releases the index.
func (x *Index) Close() error { return x.file.Close() }

// Time returns when the byte at offset was read, exact to 10 ms; false if that is before the index begins.
func (x *Index) Time(offset int64) (time.Time, bool) {
	fi, err := x.file.Stat()
	if err != nil {
		return time.Time{}, false
	}
	lo, hi := int64(0), fi.Size()/indexRecord // the first record beyond offset is in [lo, hi]
	var found time.Time
	ok := false
	for lo < hi {
		mid := (lo + hi) / 2
		at, when, err := x.record(mid)
		if err != nil {
			return time.Time{}, false
		}
		if at <= offset {
			found, ok, lo = when, true, mid+1
		} else {
			hi = mid
		}
	}
	return found, ok
}

func (x *Index) record(i int64) (offset int64, at time.Time, err error) {
	var rec [indexRecord]byte
	if _, err := x.file.ReadAt(rec[:], i*indexRecord); err != nil {
		return 0, time.Time{}, fmt.Errorf("cannot read a log index: %w", err)
	}
	nanos := int64(binary.BigEndian.Uint64(rec[8:]))
	return int64(binary.BigEndian.Uint64(rec[:8])), time.Unix(0, nanos), nil
}
