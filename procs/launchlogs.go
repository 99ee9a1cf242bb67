package procs

import (
	"context"
	"fmt"
	"regexp"
	"sync"

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

// lastLinesSince returns the newest n lines of a launch: its standard error, or its output if it wrote no errors.
func lastLinesSince(app stack.App, start logStart, n int) []string {
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
			return lines[max(0, len(lines)-n):]
		}
	}
	return []string{}
}

// logProbe is ready from the first line of a launch that matches.
type logProbe struct {
	pattern *regexp.Regexp
	app     stack.App

	mu    sync.Mutex
	tails []*tail
	found string
}

func newLogProbe(pattern *regexp.Regexp, app stack.App, start logStart) *logProbe {
	p := &logProbe{pattern: pattern, app: app}
	for i, path := range logPaths(app) {
		p.tails = append(p.tails, openTail(path, start.of(i)))
	}
	return p
}

// Check reads what is new.
func (p *logProbe) Check(ctx context.Context) probe.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	format, layout := logFormat(p.app)
	for _, t := range p.tails {
		for p.found == "" && ctx.Err() == nil {
			line, err := t.next()
			if err != nil {
				break
			}
			var r LogRecord
			parseLine(&r, line.text, format, layout)
			if p.pattern.MatchString(r.Message) {
				p.found = r.Message
			}
		}
	}
	if p.found != "" {
		return probe.Result{Ready: true, Detail: "log line: " + p.found}
	}
	return probe.Result{Detail: fmt.Sprintf("no log line matches %q yet", p.pattern)}
}

func (p *logProbe) close() {
	for _, t := range p.tails {
		t.close()
	}
}
