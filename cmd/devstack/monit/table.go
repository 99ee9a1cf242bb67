package monit

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// table is the header and the rows that fit, the selected one among them. Its columns do not move when values change.
func (m *model) table(l layout) []string {
	const rest = 2 + 15 + 9 + 5 + 6 + 4 + 4 + 6*2 // mark, the other columns, gaps
	name := min(24, l.tableWidth-rest)
	first := max(0, min(m.selected-l.tableRows/2, len(m.rows)-l.tableRows))
	title := "NAME"
	if l.tableRows < len(m.rows) {
		title = fmt.Sprintf("NAME (%d of %d)", m.selected+1, len(m.rows))
	}
	header := row{name: title, state: "STATE", health: "HEALTH", cpu: "CPU", memory: "MEM", restarts: "↺", up: "UP"}
	lines := []string{bold.paint("  " + header.line(name, false))}
	for i := first; i < first+l.tableRows; i++ {
		r := m.rows[i]
		if i == m.selected {
			lines = append(lines, bold.paint("> ")+r.line(name, true))
		} else {
			lines = append(lines, "  "+r.line(name, true))
		}
	}
	return lines
}

// line is a row in columns.
func (r row) line(nameWidth int, painted bool) string {
	cells := []string{
		left(r.name, nameWidth), left(r.state, 15), left(r.health, 9), right(r.cpu, 5), right(r.memory, 6), right(r.restarts, 4), right(r.up, 4),
	}
	if painted {
		cells[1], cells[2] = toneOf(r.state).paint(cells[1]), toneOf(r.health).paint(cells[2])
	}
	return strings.Join(cells, "  ")
}

func left(s string, width int) string { return fill(ansi.Truncate(clean(s), width, "…"), width) }

func right(s string, width int) string {
	s = ansi.Truncate(s, width, "…")
	return strings.Repeat(" ", width-ansi.StringWidth(s)) + s
}

// tone is a colour or an emphasis, as the parameter of an escape sequence. Nothing is said by it alone.
type tone string

const (
	good  tone = "32"
	warn  tone = "33"
	bad   tone = "31"
	faint tone = "2"
	bold  tone = "1"
)

func (t tone) paint(s string) string {
	if t == "" || s == "" {
		return s
	}
	return "\x1b[" + string(t) + "m" + s + "\x1b[m"
}

// toneOf is how a state or a health looks.
func toneOf(word string) tone {
	switch word {
	case "online", "running", "healthy", "ready":
		return good
	case "errored", "unhealthy", "exited", "dead":
		return bad
	case "stopped", "absent", "-":
		return faint
	}
	return warn
}
