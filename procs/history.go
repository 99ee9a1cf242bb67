package procs

import (
	"bytes"
	"io"
	"os"
	"time"
)

// lastLinesStart is where the newest n lines of a log begin, counted over its rotated files; nil is the very beginning.
// It looks no further back than notBefore, if that is given. A last line without an end counts.
func lastLinesStart(path string, n int, notBefore *position) *position {
	files := logFiles(path)
	defer closeFiles(files)
	if len(files) == 0 {
		return nil
	}
	for i := len(files) - 1; i >= 0; i-- {
		f := files[i]
		fi, err := f.Stat()
		if err != nil {
			continue
		}
		bound, last := int64(0), false
		if notBefore != nil && notBefore.Inode == inodeOf(fi) && notBefore.Offset <= fi.Size() {
			bound, last = notBefore.Offset, true
		}
		offset, left := scanBack(f, bound, fi.Size(), n)
		if left == 0 || last {
			return &position{Inode: inodeOf(fi), Offset: offset}
		}
		n = left
	}
	return nil
}

// scanBack finds the start of the last n lines between bound and end; left is how many more there should have been.
func scanBack(f *os.File, bound, end int64, n int) (offset int64, left int) {
	if n <= 0 {
		return end, 0
	}
	const block = 64 << 10
	buf := make([]byte, block)
	if end > bound { // the line end at the very end ends the last line, it does not begin another
		var last [1]byte
		if _, err := f.ReadAt(last[:], end-1); err == nil && last[0] == '\n' {
			end--
			if end == bound { // an empty line is a line
				return bound, n - 1
			}
		}
	} else {
		return bound, n
	}
	for at := end; at > bound; {
		size := min(block, at-bound)
		at -= size
		if _, err := f.ReadAt(buf[:size], at); err != nil && err != io.EOF {
			return bound, 0
		}
		for part := buf[:size]; ; {
			i := bytes.LastIndexByte(part, '\n')
			if i < 0 {
				break
			}
			if n--; n == 0 {
				return at + int64(i) + 1, 0
			}
			part = part[:i]
		}
	}
	return bound, n - 1 // the first line of the file has no line end before it
}

// firstSince is the beginning of the oldest file of a log that was written to at or after the given time; nil is the
// very beginning.
func firstSince(path string, since time.Time) *position {
	files := logFiles(path)
	defer closeFiles(files)
	var newest *position
	for _, f := range files {
		fi, err := f.Stat()
		if err != nil {
			continue
		}
		newest = &position{Inode: inodeOf(fi)}
		if !fi.ModTime().Before(since) {
			return newest
		}
	}
	return newest
}
