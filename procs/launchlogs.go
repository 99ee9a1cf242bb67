package procs

import (
	"context"

	"devstack/probe"
	"devstack/stack"
)

// logStart is where a launch's output begins, in the order of its paths.
type logStart []position

// logPaths are the files that hold an app's output, each once.
func logPaths(app stack.App) []string {
	var paths []string
	for _, p := range []string{app.OutFile, app.ErrorFile} {
		if p != "" && p != "/dev/null" && (len(paths) == 0 || paths[0] != p) {
			paths = append(paths, p)
		}
	}
	return paths
}

func logStartOf(app stack.App) logStart {
	var start logStart
	for _, p := range logPaths(app) {
		start = append(start, endOf(p))
	}
	return start
}

// of returns the start in the i-th path, nil if that file did not exist or is not known.
func (s logStart) of(i int) *position {
	if i >= len(s) || s[i].Inode == 0 {
		return nil
	}
	return &s[i]
}

// lastLinesSince returns the newest n lines of a launch and the files that they are in, as LastLines does.
func lastLinesSince(app stack.App, start logStart, stateDir string, n int) (lines, files []string) {
	src := LogSource{App: app.Name}
	src.Format, src.Layout = logFormat(app)
	var streams []*logStream
	for i, path := range logPaths(app) {
		end, t := endOf(path), openTail(path, lastLinesStart(path, n, start.of(i)))
		t.stop = &end // a child that has left the tree may still write
		streams = append(streams, &logStream{src: src, path: path, stateDir: stateDir, tail: t})
	}
	var records []LogRecord
	mergeAvailable(context.Background(), streams, LogQuery{}, func(r LogRecord, err error) bool {
		if err == nil {
			records = append(records, r)
		}
		return true
	})
	for _, s := range streams {
		s.close()
	}
	return newest(records, n)
}

// linesSince are the lines of a launch as they are written. Call done after the last line.
func linesSince(app stack.App, start logStart) (next probe.Lines, done func()) {
	var tails []*tail
	for i, path := range logPaths(app) {
		tails = append(tails, openTail(path, start.of(i)))
	}
	format, layout := logFormat(app)
	next = func() (string, bool) {
		for _, t := range tails {
			if line, err := t.next(); err == nil {
				var r LogRecord
				parseLine(&r, line.text, format, layout)
				return r.Message, true
			}
		}
		return "", false
	}
	return next, func() {
		for _, t := range tails {
			t.close()
		}
	}
}
