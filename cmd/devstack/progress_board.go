package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"devstack/cmd/devstack/format"
	"devstack/view"
)

// board is what an action has come to, as its events tell it: the content of the live block. It is a value fed with
// events and read with frame; it knows no terminal and no clock.
type board struct {
	title  string
	ending bool // the action ends resources: a row is done when it has stopped, not when it is ready
	start  time.Time
	order  []string // of the rows; those not in it follow in the order of their first event
	rows   []*row
	build  []string
	said   []said // to stay above the block, in order
	over   bool   // the action has ended: only the head is left
}

// said is a warning, or a failure of a resource.
type said struct {
	failed string // the resource; empty: a warning
	text   string
}

func (s said) line(c style) string {
	if s.failed != "" {
		return c.red("✗ " + s.failed + ": " + printable(s.text))
	}
	return c.yellow("warning:") + " " + printable(s.text)
}

// row is one resource.
type row struct {
	name     string
	resource string
	what     string // its state, or the step being done
	waiting  string // names it waits for
	pull     *view.Progress
	done     bool // ready, or ended if that is what the action is for
	failed   bool
	began    time.Time
	ended    time.Time // when it was done or failed
}

// buildLines is how much of the build's output is shown.
const buildLines = 5

func (b *board) apply(e view.Event) {
	switch e.Kind {
	case view.KindBuild:
		b.build = append(b.build, strings.Split(strings.TrimRight(e.Message, "\n"), "\n")...)
		b.build = b.build[max(0, len(b.build)-buildLines):]
		return
	case view.KindWarning:
		if !saidAsFailure(e) {
			b.said = append(b.said, said{text: e.Message})
		}
		return
	case view.KindFailure:
		if !slices.ContainsFunc(b.said, func(s said) bool { return s.failed == e.Resource }) { // another command has told the same
			b.said = append(b.said, said{failed: e.Resource, text: e.Message})
		}
		return
	case view.KindOrder:
		b.order = strings.Split(e.To, ", ")
		return
	}
	if e.Resource == "" || (b.ending && endingHides(e)) {
		return
	}
	if e.Kind != view.KindWaiting {
		b.build = nil // it is over when something happens to a resource
	}
	if b.ending {
		b.row(e).applyEnding(e)
		return
	}
	b.row(e).apply(e)
}

func (b *board) row(e view.Event) *row {
	name := format.Instance(e.Resource, e.Instance)
	for _, r := range b.rows {
		if r.name == name {
			return r
		}
	}
	r := &row{name: name, resource: e.Resource, began: e.Time}
	b.rows = append(b.rows, r)
	slices.SortStableFunc(b.rows, func(x, y *row) int { return b.place(x) - b.place(y) })
	return r
}

func (b *board) place(r *row) int {
	if i := slices.Index(b.order, r.resource); i >= 0 {
		return i
	}
	return len(b.order)
}

func (r *row) apply(e view.Event) {
	switch e.Kind {
	case view.KindService, view.KindProcess:
		r.what, r.pull = e.To, nil
		r.settle(e.To == "errored" || e.To == "unhealthy", e.Time)
	case view.KindReady:
		r.done = e.To == view.IsReady
		r.settle(false, e.Time)
		if r.done {
			r.waiting = ""
		}
	case view.KindReload:
		r.what, r.done = reloadText(view.Event{To: e.To}), e.To == "left"
		r.settle(e.To == "failed", e.Time)
	case view.KindWaiting:
		r.waiting = e.To
	case view.KindOp:
		r.step(e)
	case view.KindPull:
		r.pull, r.what = e.Progress, "pulling"
	}
}

// applyEnding is apply for stop and down.
func (r *row) applyEnding(e view.Event) {
	switch e.Kind {
	case view.KindService, view.KindProcess:
		r.what, r.done = e.To, e.To == "stopped" || e.To == "absent"
		r.settle(false, e.Time)
	case view.KindOp:
		r.step(e)
	}
}

// step shows a step while it is done; what it led to comes next.
func (r *row) step(e view.Event) {
	if e.Step == nil || e.To == "done" {
		return
	}
	r.what, r.pull = stepText(e), nil
	r.settle(e.To == "failed", e.Time)
}

func (r *row) settle(failed bool, at time.Time) {
	r.failed = failed
	r.ended = time.Time{}
	if r.done || failed {
		r.ended = at
	}
}

// frame is the live block at the time now, no wider and no higher than asked.
func (b *board) frame(now time.Time, width, height int, c style) []string {
	width = max(width, 20)
	nameWidth := 0
	for _, r := range b.rows {
		nameWidth = max(nameWidth, len([]rune(r.name)))
	}
	nameWidth = min(nameWidth, width/2)
	lines := []string{c.bold(clip(b.head(now), width))}
	if b.over {
		return lines
	}
	for _, r := range b.visible(max(1, height-1-len(b.build))) {
		lines = append(lines, r.line(now, nameWidth, width, c))
	}
	for _, text := range b.build {
		lines = append(lines, c.dim(clip("  │ "+printable(text), width)))
	}
	return lines[:min(len(lines), max(1, height))]
}

func (b *board) head(now time.Time) string {
	head := fmt.Sprintf("devstack %s  %s", b.title, elapsed(now.Sub(b.start)))
	if len(b.rows) == 0 {
		return head
	}
	done, word := 0, "ready"
	if b.ending {
		word = "ended"
	}
	for _, r := range b.rows {
		if r.done {
			done++
		}
	}
	return head + fmt.Sprintf("  %d of %d %s", done, len(b.rows), word)
}

// visible are the rows that fit: first what failed, then what is being done, what waits, and what is ready.
func (b *board) visible(n int) []*row {
	if len(b.rows) <= n {
		return b.rows
	}
	rows := slices.Clone(b.rows)
	slices.SortStableFunc(rows, func(x, y *row) int { return x.rank() - y.rank() })
	return rows[:n]
}

func (r *row) rank() int {
	switch {
	case r.failed:
		return 0
	case r.done:
		return 3
	case r.waiting != "":
		return 2
	}
	return 1
}

func (r *row) line(now time.Time, nameWidth, width int, c style) string {
	text, paint := r.text(), c.yellow
	switch {
	case r.failed:
		paint = c.red
	case r.done:
		paint = c.green
	case r.waiting != "":
		paint = c.dim
	}
	end := now
	if !r.ended.IsZero() {
		end = r.ended
	}
	clock := elapsed(end.Sub(r.began))
	room := width - nameWidth - len(clock) - 6 // "✔ ", two gaps of two
	if room < 8 {
		return paint(r.glyph(now)) + " " + clip(r.name+" "+text, width-2)
	}
	return paint(r.glyph(now)) + " " + pad(clip(r.name, nameWidth), nameWidth) + "  " +
		paint(pad(clip(text, room), room)) + "  " + c.dim(clock)
}

func (r *row) text() string {
	switch {
	case r.waiting != "" && !r.done:
		return "waits for " + r.waiting
	case r.pull != nil:
		return "pulling " + bar(r.pull) + " " + r.pull.Detail
	case r.done && r.what == "absent":
		return "removed"
	case r.done && r.what != "healthy" && r.what != "stopped":
		return "ready"
	}
	return printable(r.what)
}

// spinner is the glyph of a resource on its way, one step each 100 ms.
const spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

func (r *row) glyph(now time.Time) string {
	switch {
	case r.failed:
		return "✗"
	case r.done:
		return "✔"
	case r.waiting != "":
		return "·"
	}
	frames := []rune(spinner)
	return string(frames[now.UnixMilli()/100%int64(len(frames))])
}

// bar is how far a pull has come, ten characters and the bytes.
func bar(p *view.Progress) string {
	if p.Total <= 0 {
		return format.Size(p.Current)
	}
	done := int(min(p.Current, p.Total) * 10 / p.Total)
	return strings.Repeat("█", done) + strings.Repeat("░", 10-done) + " " + format.Size(p.Current) + "/" + format.Size(p.Total)
}
