package procs

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"slices"
	"time"

	"devstack/procs/keeper/logs"
	"devstack/stack"
)

// followEvery is how often somebody who follows looks for new lines. Nobody looks when nobody follows.
const followEvery = 100 * time.Millisecond

// ExitLines is how many last lines an exit keeps.
const ExitLines = 20

// LogSource is one app's output on disk.
type LogSource struct {
	App      string
	ID       *int // the process id of records; nil: unknown
	Instance int
	Out, Err string // absolute paths; the same for merged streams; empty: none
	Format   string // as in keeper.Logs: "", text, json
	Layout   string // of text
}

// SourceOf is where the output of an app's n-th instance is.
func SourceOf(app stack.App, n int, id *int) LogSource {
	format, layout := logFormat(app)
	app = app.Instance(n)
	return LogSource{App: app.Name, ID: id, Instance: n, Out: app.OutFile, Err: app.ErrorFile, Format: format, Layout: layout}
}

// LogQuery says which lines ReadLogs yields.
type LogQuery struct {
	Sources  []LogSource
	StateDir string    // where the keeper keeps its log indexes; without it raw lines have no time
	Lines    int       // of history, per stream; negative: all
	Stream   string    // out, err, or empty for both
	Follow   bool      // go on until ctx ends
	Since    time.Time // zero: no limit; lines from before are left out
}

// LogRecord is one line.
type LogRecord struct {
	Time     time.Time // zero: unknown
	Stream   string    // out, err
	App      string
	ID       *int
	Instance int
	Message  string // without the line end and the timestamp that the keeper put before it

	file string // that it is in
}

// ReadLogs yields history, merged by time over all streams, and then, if Follow is set, what programs write from then on. It
// needs no daemon. The lines of one stream stay in their order whatever their times say. A stream that cannot be read
// yields one error and is left out.
func ReadLogs(ctx context.Context, q LogQuery) iter.Seq2[LogRecord, error] {
	return func(yield func(LogRecord, error) bool) {
		streams := openStreams(q)
		defer func() {
			for _, s := range streams {
				s.close()
			}
		}()
		if !mergeAvailable(ctx, streams, q, yield) || !q.Follow {
			return
		}
		ticker := time.NewTicker(followEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if !mergeAvailable(ctx, streams, q, yield) {
				return
			}
		}
	}
}

// LastLines returns the newest n lines of an app since the given time, both streams merged by time, and the files that they
// are in. Neither stream pushes out the newest n/2 lines of the other: what one of them says may be the cause.
func LastLines(src LogSource, stateDir string, n int, since time.Time) (lines, files []string) {
	var records []LogRecord
	for r, err := range ReadLogs(context.Background(), LogQuery{Sources: []LogSource{src}, StateDir: stateDir, Lines: n, Since: since}) {
		if err == nil {
			records = append(records, r)
		}
	}
	return newest(records, n)
}

// newest are the newest n of the records of at most two files, which come oldest first, and those files.
func newest(records []LogRecord, n int) (lines, files []string) {
	surplus, of := len(records)-n, map[string]int{}
	for _, r := range records {
		of[r.file]++
	}
	lines, files = []string{}, []string{}
	for _, r := range records {
		if surplus > 0 && of[r.file] > n/2 {
			surplus--
			of[r.file]--
			continue
		}
		lines = append(lines, r.Message)
		if !slices.Contains(files, r.file) {
			files = append(files, r.file)
		}
	}
	return lines, files
}

// Flush empties the log files of an app's n-th instance, rotated ones included. Whoever follows them goes on.
func Flush(app stack.App, n int, stateDir string) error {
	app = app.Instance(n)
	var failed []error
	for _, path := range []string{app.OutFile, app.ErrorFile, app.LogFile} {
		if path != "" && path != os.DevNull {
			failed = append(failed, logs.EmptyLog(stateDir, path))
		}
	}
	return errors.Join(failed...)
}

// mergeAvailable yields everything that can be read now, the oldest first.
func mergeAvailable(ctx context.Context, streams []*logStream, q LogQuery, yield func(LogRecord, error) bool) bool {
	for ctx.Err() == nil {
		var oldest *logStream
		for _, s := range streams {
			if err := s.fill(!q.Follow); err != nil && !yield(LogRecord{App: s.src.App, Stream: s.stream}, err) {
				return false
			}
			if s.head != nil && (oldest == nil || s.head.Time.Before(oldest.head.Time)) {
				oldest = s
			}
		}
		if oldest == nil {
			return true
		}
		r := *oldest.head
		oldest.head = nil
		if !r.Time.Before(q.Since) && (q.Stream == "" || r.Stream == q.Stream) && !yield(r, nil) {
			return false
		}
	}
	return false
}

// logStream is one file being read.
type logStream struct {
	src      LogSource
	stream   string
	path     string
	stateDir string
	tail     *tail
	head     *LogRecord // read and not yet yielded
	last     time.Time  // of the record before; one without a time of its own has the same
	quiet    int        // looks in a row that found an unfinished line
	failed   bool
	index    *logs.Index
	indexed  *os.File // the file that index belongs to
}

// openStreams opens each path once, also when streams or apps share it.
func openStreams(q LogQuery) []*logStream {
	var streams []*logStream
	seen := map[string]bool{}
	for _, src := range q.Sources {
		for _, part := range []struct{ stream, path string }{{"out", src.Out}, {"err", src.Err}} {
			shared := src.Out == src.Err || src.Format == "json"
			unwanted := q.Stream != "" && q.Stream != part.stream && !shared
			if part.path == "" || part.path == os.DevNull || seen[part.path] || unwanted {
				continue
			}
			seen[part.path] = true
			var from *position
			switch {
			case q.Lines >= 0:
				from = lastLinesStart(part.path, q.Lines, nil)
			case !q.Since.IsZero():
				from = firstSince(part.path, q.Since)
			}
			t := openTail(part.path, from)
			if !q.Follow {
				end := endOf(part.path)
				t.stop = &end
			}
			streams = append(streams, &logStream{src: src, stream: part.stream, path: part.path, stateDir: q.StateDir, tail: t})
		}
	}
	return streams
}

// fill makes head the next record, if there is one. An unfinished line counts at once if nothing more is awaited, else
// when it has stayed unfinished for a while.
func (s *logStream) fill(final bool) error {
	if s.head != nil || s.failed {
		return nil
	}
	line, err := s.tail.next()
	switch {
	case err == nil:
		s.quiet = 0
	case !errors.Is(err, io.EOF):
		s.failed = true
		return err
	default:
		if s.quiet++; !final && s.quiet < 5 {
			return nil
		}
		var ok bool
		if line, ok = s.tail.rest(); !ok {
			return nil
		}
	}
	r := LogRecord{App: s.src.App, ID: s.src.ID, Instance: s.src.Instance, Stream: s.stream, file: s.path}
	parseLine(&r, line.text, s.src.Format, s.src.Layout)
	if r.Time.IsZero() {
		r.Time = s.indexTime(line)
	}
	if r.Time.IsZero() {
		r.Time = s.last
	}
	s.last, s.head = r.Time, &r
	return nil
}

// indexTime asks the keeper's index of the file that the line is in.
func (s *logStream) indexTime(line logLine) time.Time {
	if s.stateDir == "" {
		return time.Time{}
	}
	if s.indexed != line.file {
		if s.index != nil {
			s.index.Close()
		}
		s.index, s.indexed = nil, line.file
		if fi, err := line.file.Stat(); err == nil {
			s.index, _ = logs.OpenIndex(s.stateDir, s.path, fi) // without an index there is no time
		}
	}
	if s.index == nil {
		return time.Time{}
	}
	at, _ := s.index.Time(line.offset)
	return at
}

func (s *logStream) close() {
	s.tail.close()
	if s.index != nil {
		s.index.Close()
	}
}
