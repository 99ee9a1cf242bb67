package logs

import (
	"os"
	"syscall"
	"time"

	"devstack/procs/keeper/protocol"
)

// What is carried of streams and files in an upgrade; the keeper's carried says how.

// CarriedStream is one that is open, or that has ended and is still spoken of.
type CarriedStream struct {
	FD     int      `json:"fd"` // -1: it has ended
	Rest   []byte   `json:"rest,omitempty"`
	Kind   string   `json:"kind,omitempty"` // of the format
	Layout string   `json:"layout,omitempty"`
	Head   []byte   `json:"head,omitempty"`
	Sinks  []string `json:"sinks"`
}

// CarriedFile is one that has a writer.
type CarriedFile struct {
	Path     string         `json:"path"`
	MaxSize  int64          `json:"max_size"`
	MaxFiles int            `json:"max_files,omitempty"`
	Torn     bool           `json:"torn,omitempty"` // it ends inside a line of the stream Last
	Last     int            `json:"last,omitempty"`
	Queue    []carriedChunk `json:"queue,omitempty"` // what the disk did not take
}

type carriedChunk struct {
	Data    []byte    `json:"data,omitempty"`
	From    int       `json:"from"`
	At      time.Time `json:"at"`
	Dropped int       `json:"dropped,omitempty"`
	Reason  string    `json:"reason,omitempty"`
}

// Carrier collects it, with the number of every descriptor that stays open by fd.
type Carrier struct {
	Streams []CarriedStream
	Files   []CarriedFile

	fd    func(syscall.Conn) int
	index map[*Stream]int
}

// Carry describes every file and every stream that is open. Nothing is read or written meanwhile.
func (ls *Recorder) Carry(fd func(syscall.Conn) int) *Carrier {
	c := &Carrier{fd: fd, index: map[*Stream]int{}}
	for _, s := range ls.OpenStreams() {
		c.Stream(s)
	}
	for _, f := range ls.all() {
		c.file(f)
	}
	return c
}

// Stream is the index of a stream.
func (c *Carrier) Stream(s *Stream) int {
	if i, known := c.index[s]; known {
		return i
	}
	r := CarriedStream{FD: -1, Rest: s.rest, Kind: s.format.kind, Layout: s.format.layout, Head: s.format.head}
	select {
	case <-s.ended:
	default:
		r.FD = c.fd(s.r)
	}
	for _, f := range s.sinks {
		r.Sinks = append(r.Sinks, f.path)
	}
	c.index[s] = len(c.Streams)
	c.Streams = append(c.Streams, r)
	return c.index[s]
}

func (c *Carrier) file(f *file) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.disk
	r := CarriedFile{Path: f.path, MaxSize: d.max, MaxFiles: d.out.MaxBackups}
	if d.torn && d.last != nil && d.file != nil {
		r.Torn, r.Last = true, c.Stream(d.last)
	}
	for _, q := range f.queue {
		r.Queue = append(r.Queue, carriedChunk{Data: q.data, From: c.Stream(q.from), At: q.at, Dropped: q.dropped, Reason: q.reason})
	}
	c.Files = append(c.Files, r)
}

// Restore returns the streams by their index. Nothing is read before begin.
func (ls *Recorder) Restore(carried []CarriedStream, files []CarriedFile) []*Stream {
	for _, f := range files {
		ls.file(f.Path, protocol.Logs{MaxSize: f.MaxSize, MaxFiles: f.MaxFiles})
	}
	streams := make([]*Stream, len(carried))
	for i, s := range carried {
		var r *os.File
		if s.FD >= 0 {
			r = logPipeEnd(s.FD)
		}
		streams[i] = ls.newStream(r, format{kind: s.Kind, layout: s.Layout, head: s.Head})
		streams[i].rest = s.Rest
		if r == nil {
			close(streams[i].ended)
		}
		for _, path := range s.Sinks {
			streams[i].sinks = append(streams[i].sinks, ls.file(path, protocol.Logs{}))
		}
	}
	for _, c := range files {
		f := ls.files[c.Path]
		if c.Torn && f.disk.open() == nil {
			f.disk.torn, f.disk.last = true, streams[c.Last]
		}
		f.mu.Lock()
		for _, q := range c.Queue {
			f.enqueue(chunk{data: q.Data, from: streams[q.From], at: q.At, dropped: q.Dropped, reason: q.Reason, carried: true})
		}
		f.mu.Unlock()
	}
	return streams
}

func logPipeEnd(fd int) *os.File {
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "log pipe")
}
