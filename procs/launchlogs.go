package procs

import (
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

// lastLinesSince returns the newest n lines of a launch, and the file that they are in: its standard error, or its output if
// it wrote no errors. The file is empty if there are no lines.
func lastLinesSince(app stack.App, start logStart, n int) (lines []string, file string) {
	format, layout := logFormat(app)
	paths := logPaths(app)
	for i := len(paths) - 1; i >= 0; i-- {
		t := openTail(paths[i], lastLinesStart(paths[i], n, start.of(i)))
		lines := []string{}
		for {
			line, err := t.next()
			if err != nil {
				last, ok := t.rest()
				if !ok {
					break
				}
				line = last
			}
			var r LogRecord
			parseLine(&r, line.text, format, layout)
			lines = append(lines, r.Message)
		}
		t.close()
		if len(lines) > 0 {
			return lines[max(0, len(lines)-n):], paths[i]
		}
	}
	return []string{}, ""
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
