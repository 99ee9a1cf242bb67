package monit

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

const (
	minWidth  = 80
	minHeight = 24
	sideWidth = 140 // from here on the logs are beside the table
	divider   = " │ "
)

// layout is how the screen is divided, in characters.
type layout struct {
	side                 bool // logs beside the table
	tableWidth, logWidth int
	tableRows, logRows   int // without their headers
	help                 []string
}

func (m *model) layout() layout {
	l := layout{tableWidth: m.width, logWidth: m.width, help: helpLines(m.hints(), m.width)}
	rest := m.height - 2 - len(l.help) // title and note
	switch {
	case m.logs.alone:
		l.logRows = rest
	case m.width >= sideWidth:
		l.side = true
		l.tableWidth = minWidth
		l.logWidth = m.width - l.tableWidth - ansi.StringWidth(divider)
		l.logRows = rest - 1                     // its header
		l.tableRows = min(len(m.rows), rest-1-3) // its header, and the detail of the selected row
	default:
		rest -= 3 // both headers and the detail
		l.tableRows = min(len(m.rows), max(3, rest/2))
		l.logRows = rest - l.tableRows
	}
	return l
}

// screen is all of the terminal: as many lines as it has.
func (m *model) screen() string {
	if m.width < minWidth || m.height < minHeight {
		if m.width == 0 {
			return "" // not known yet
		}
		text := fmt.Sprintf("devstack monit needs %d×%d characters, here are %d×%d. q quits.", minWidth, minHeight, m.width, m.height)
		return ansi.Hardwrap(text, m.width, false)
	}
	l := m.layout()
	var lines []string
	switch {
	case m.logs.alone:
		lines = append([]string{m.logs.title(m.current().name, m.width)}, m.logs.pane(m.width, l.logRows, true)...)
	case l.side:
		left := append(m.draw(l), wrapDetail(clean(m.current().detail), l.tableWidth)...)
		right := append([]string{m.logs.title(m.current().name, l.logWidth)}, m.logs.pane(l.logWidth, l.logRows, false)...)
		lines = append([]string{m.title()}, beside(left, right, l.tableWidth)...)
	default:
		lines = append([]string{m.title()}, m.draw(l)...)
		lines = append(lines, warn.paint(ansi.Truncate("  "+clean(m.current().detail), m.width, "…")), m.logs.title(m.current().name, m.width))
		lines = append(lines, m.logs.pane(m.width, l.logRows, false)...)
	}
	lines = append(lines, m.noteLine())
	return strings.Join(append(lines, l.help...), "\n")
}

// title is which stack this is and how it is.
func (m *model) title() string {
	right := m.ready()
	if m.link.trouble != "" {
		right = bad.paint("not connected")
	}
	left := bold.paint("devstack monit") + "  " + sentence([]string{m.state.Project, m.state.Profile, m.state.Infra})
	return spread(left, right, m.width)
}

// wrapDetail is the detail below a table that has room under it.
func wrapDetail(detail string, width int) []string {
	lines := strings.Split(ansi.Wrap(detail, width-2, ""), "\n")
	for i := range lines {
		lines[i] = "  " + warn.paint(lines[i])
	}
	return lines[:min(len(lines), 3)]
}

// noteLine is what has to be said now: the filter being typed, trouble with the daemon, or the last note.
func (m *model) noteLine() string {
	text, t := m.note.text, m.note.tone
	switch {
	case m.logs.typing:
		text, t = "filter: "+m.logs.filter+"▏  (enter keeps it, esc clears it)", warn
	case m.link.trouble != "":
		text = m.link.trouble + " since " + m.link.since.Format(time.TimeOnly) + ": this is the last state. Asking again."
		t = bad
	}
	return t.paint(ansi.Truncate(text, m.width, "…"))
}

// hints are what the keys do now.
func (m *model) hints() []string {
	if m.logs.alone {
		return []string{"enter back", "PgUp PgDn Home End scroll", "f follow", "/ filter", "q quit"}
	}
	hints := []string{"↑↓ select"}
	for _, a := range actions() {
		hints = append(hints, a.key+" "+string(a.verb))
	}
	return append(hints, "PgUp PgDn scroll", "f follow", "/ filter", "enter logs alone", "q quit")
}

// helpLines packs hints into as few lines as they need.
func helpLines(hints []string, width int) []string {
	lines := []string{""}
	for _, hint := range hints {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = hint
		case ansi.StringWidth(*last)+3+ansi.StringWidth(hint) <= width:
			*last += "   " + hint
		default:
			lines = append(lines, hint)
		}
	}
	for i := range lines {
		lines[i] = faint.paint(lines[i])
	}
	return lines
}

// beside joins two columns; the right one is as long as both are.
func beside(left, right []string, leftWidth int) []string {
	var lines []string
	for i, text := range right {
		cell := ""
		if i < len(left) {
			cell = left[i]
		}
		lines = append(lines, strings.TrimRight(fill(cell, leftWidth)+faint.paint(divider)+text, " "))
	}
	return lines
}

// spread puts right at the right edge.
func spread(left, right string, width int) string {
	left = ansi.Truncate(left, width-ansi.StringWidth(right)-2, "…")
	return fill(left, width-ansi.StringWidth(right)) + right
}

// fill is s with spaces up to width characters.
func fill(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
}
