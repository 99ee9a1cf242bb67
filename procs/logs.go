package procs

import (
	"context"
	"iter"
	"regexp"
	"time"

	"devstack/probe"
	"devstack/stack"
)

// LogSource is one app's output on disk.
type LogSource struct {
	App      string
	ID       *int // the process id of records; nil: unknown
	Instance int
	Out, Err string // absolute paths; the same for merged streams; empty: none
	Format   string // as in keeper.Logs: "", text, json
	Layout   string // of text
}

// SourceOf is where an app's output is.
func SourceOf(app stack.App, id *int) LogSource {
	format, layout := logFormat(app)
	return LogSource{App: app.Name, ID: id, Out: app.OutFile, Err: app.ErrorFile, Format: format, Layout: layout}
}

// LogQuery says which lines ReadLogs yields.
type LogQuery struct {
	Sources  []LogSource
	StateDir string    // where the keeper keeps its log indexes; empty: raw lines have no time
	Lines    int       // of history, per stream; negative: all
	Stream   string    // out, err, or empty for both
	Follow   bool      // go on until ctx ends
	Since    time.Time // zero: no limit; older history is left out
}

// LogRecord is one line.
type LogRecord struct {
	Time     time.Time // zero: unknown
	Stream   string    // out, err
	App      string
	ID       *int
	Instance int
	Message  string // without the line end and the timestamp that the keeper put before it
}

// ReadLogs yields history, merged by time over all streams, and then, if asked, what is written from then on.
func ReadLogs(ctx context.Context, q LogQuery) iter.Seq2[LogRecord, error] {
	return func(func(LogRecord, error) bool) {}
}

// LastLines returns the newest n lines of an app, both streams merged by time.
func LastLines(src LogSource, stateDir string, n int) []string { return []string{} }

const exitLines = 20

type logOffsets struct{}

func offsetsOf(stack.App) logOffsets                                { return logOffsets{} }
func lastLinesSince(app stack.App, o logOffsets, n int) []string    { return []string{} }
func newLogProbe(*regexp.Regexp, stack.App, logOffsets) probe.Probe { return nil }
