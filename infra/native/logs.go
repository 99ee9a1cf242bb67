package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"time"

	"devstack/infra"
	keeper "devstack/procs/keeper/protocol"
)

const (
	maxLog   = 10 << 20 // bytes at which a log begins anew, at a start and while it is written; one older file is kept
	cutEvery = time.Minute
	logAgain = 100 * time.Millisecond
)

// cut makes a large log begin anew. Nobody can tell the server that may write it to open another file, so its lines are copied.
// What it writes between the copy and the cut is lost. A disk that cannot take the copy keeps the log as it is.
func cut(path string, limit int64) error {
	if info, err := os.Stat(path); err != nil || info.Size() <= limit {
		return err
	}
	from, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path+".1", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	return from.Truncate(0)
}

// logs are those of the servers of one project directory.
type logs struct {
	layout layout
	work   *infra.Background
	log    *slog.Logger
}

// keepSmall keeps a log from growing without end until its writer's life is over.
func (g logs) keepSmall(ctx context.Context, path string, over <-chan struct{}) {
	next := time.NewTicker(cutEvery)
	defer next.Stop()
	for {
		select {
		case <-next.C:
			if err := cut(path, maxLog); err != nil {
				g.log.Warn("cannot let a log begin anew", "err", err)
			}
		case <-over:
			return
		case <-ctx.Done():
			return
		}
	}
}

// rewind goes on from the beginning of a log that was cut.
func rewind(f *os.File) {
	at, err := f.Seek(0, io.SeekCurrent)
	if info, e := f.Stat(); err == nil && e == nil && info.Size() < at {
		_, _ = f.Seek(0, io.SeekStart)
	}
}

// announce begins a start in the log, with a time for lines of the server that have none.
func announce(path, text string) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return // the launch will say so
	}
	defer f.Close()
	_, _ = fmt.Fprintf(f, "%s UTC [devstack] %s\n", time.Now().UTC().Format("2006-01-02 15:04:05.000"), text)
}

// lines are those of a server's log since the container was made.
func (g logs) lines(ctx context.Context, id string, o infra.LogOptions) (<-chan infra.LogLine, error) {
	r, err := g.layout.load(id)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(g.layout.of(r).log())
	if os.IsNotExist(err) { // it was never started
		f, err = os.Open(os.DevNull)
	}
	if err != nil {
		return nil, err
	}
	return infra.Stream(ctx, g.work, func(ctx context.Context, out chan<- infra.LogLine) {
		defer f.Close()
		g.copy(ctx, f, r, o, out)
	}), nil
}

// copy sends the lines that are there and then, to follow, those that come while the server may write.
func (g logs) copy(ctx context.Context, f *os.File, r record, o infra.LogOptions, out chan<- infra.LogLine) {
	c := cutter{since: r.Created.Truncate(time.Millisecond)}
	if o.Since.After(c.since) {
		c.since = o.Since
	}
	if info, err := f.Stat(); err == nil && info.Size() > maxLog {
		_, _ = f.Seek(-maxLog, io.SeekEnd)
	}
	lines := c.read(f)
	if o.Tail >= 0 && len(lines) > o.Tail {
		lines = lines[len(lines)-o.Tail:]
	}
	again := time.NewTicker(logAgain)
	defer again.Stop()
	for infra.Send(ctx, out, lines...) && o.Follow && g.mayGrow(r) {
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
		rewind(f)
		lines = c.read(f)
	}
	infra.Send(ctx, out, append(c.read(f), c.last()...)...)
}

// mayGrow says whether the container runs still, so that more lines may come.
func (g logs) mayGrow(r record) bool {
	now, err := g.layout.load(r.ID)
	return err == nil && (g.layout.alive(now) || now.State == starting)
}

// orderly reads in the log whether a server has ended as one that was asked to, where nobody knows its exit code: it has
// outlived its keeper. Otherwise it is nil.
func (p place) orderly(r record) *keeper.Exit {
	f, err := os.Open(p.log())
	if err != nil {
		return nil
	}
	defer f.Close()
	_, _ = f.Seek(-4096, io.SeekEnd) // a shorter one is read from its beginning
	text, _ := io.ReadAll(f)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	last := lines[len(lines)-1]
	at, ok := timeIn(last)
	if !ok || !strings.Contains(last, r.Definition.Kind.family().farewell) {
		return nil
	}
	return &keeper.Exit{Key: r.key(), At: at}
}

// cutter makes lines of what is read.
type cutter struct {
	since time.Time
	rest  []byte    // of an unfinished line
	at    time.Time // of the last line with one
}

func (c *cutter) read(r io.Reader) []infra.LogLine {
	b, _ := io.ReadAll(r)
	c.rest = append(c.rest, b...)
	var out []infra.LogLine
	for {
		end := bytes.IndexByte(c.rest, '\n')
		if end < 0 {
			return out
		}
		out = append(out, c.line(string(c.rest[:end]))...)
		c.rest = c.rest[end+1:]
	}
}

// last is a line without an end.
func (c *cutter) last() []infra.LogLine {
	if len(c.rest) == 0 {
		return nil
	}
	return c.line(string(c.rest))
}

// line is one line, or none: from before the time that was asked for.
func (c *cutter) line(text string) []infra.LogLine {
	if at, ok := timeIn(text); ok {
		c.at = at
	}
	if c.at.Before(c.since) {
		return nil
	}
	return []infra.LogLine{{Time: c.at, Stream: "stderr", Text: strings.TrimSuffix(text, "\r")}}
}

var (
	redisTime    = regexp.MustCompile(`^\d+:[A-Z] (\d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3}) `)
	postgresTime = regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) UTC \[`)
)

// timeIn reads a server's own timestamp, which is in UTC: we have told it to.
func timeIn(line string) (time.Time, bool) {
	if m := redisTime.FindStringSubmatch(line); m != nil {
		at, err := time.Parse("02 Jan 2006 15:04:05.000", m[1])
		return at, err == nil
	}
	if m := postgresTime.FindStringSubmatch(line); m != nil {
		at, err := time.Parse("2006-01-02 15:04:05.000", m[1])
		return at, err == nil
	}
	return time.Time{}, false
}
