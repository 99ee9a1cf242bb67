package monit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// table is the rows and which one is selected.
type table struct {
	rows     []row
	selected int
}

// show takes over other rows; the selection stays with its row.
func (t *table) show(rows []row) {
	key := t.current().key
	t.rows = rows
	if i := slices.IndexFunc(rows, func(r row) bool { return r.key == key }); i >= 0 {
		t.selected = i
	}
	t.move(0)
}

// move selects another row, as far as there is one, and says whether it did.
func (t *table) move(by int) bool {
	from := t.selected
	t.selected = max(0, min(from+by, len(t.rows)-1))
	return t.selected != from
}

// current is the selected row; empty if there is none.
func (t *table) current() row {
	if len(t.rows) == 0 {
		return row{}
	}
	return t.rows[t.selected]
}

// ready counts the rows that are, for the title.
func (t *table) ready() string {
	n := 0
	for _, r := range t.rows {
		if r.ready {
			n++
		}
	}
	return fmt.Sprintf("%d of %d ready", n, len(t.rows))
}

// draw is the header and the rows that fit, the selected one among thet. Its columns do not move when values change.
func (t *table) draw(l layout) []string {
	const rest = 2 + 15 + 9 + 5 + 6 + 4 + 4 + 6*2 // mark, the other columns, gaps
	name := min(24, l.tableWidth-rest)
	first := max(0, min(t.selected-l.tableRows/2, len(t.rows)-l.tableRows))
	title := "NAME"
	if l.tableRows < len(t.rows) {
		title = fmt.Sprintf("NAME (%d of %d)", t.selected+1, len(t.rows))
	}
	header := row{name: title, state: "STATE", health: "HEALTH", cpu: "CPU", memory: "MEM", restarts: "↺", up: "UP"}
	lines := []string{bold.paint("  " + header.line(name, false))}
	for i := first; i < first+l.tableRows; i++ {
		r := t.rows[i]
		if i == t.selected {
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
