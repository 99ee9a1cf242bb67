package monit

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"devstack/daemon/api"
)

const (
	keep      = 2000 // lines
	maxLength = 4096 // characters of a line
)

// logs is the output of the selected row.
type logs struct {
	generation int                // counts selections: what comes for an older one is void
	stop       context.CancelFunc // ends the reading; nil before the first
	ended      string             // why nothing comes any more; empty while it does

	lines     []line // oldest first
	following bool
	back      int // how many lines that match are below the pane

	filter string // only lines that hold it, in upper or lower case
	typing bool
	alone  bool // fill the screen
}

type line struct {
	text string
	err  bool
}

// begin forgets the lines of the selection before. The filter stays.
func (l *logs) begin() {
	if l.stop != nil {
		l.stop()
	}
	l.generation++
	l.lines, l.ended, l.following, l.back = nil, "", true, 0
}

// add appends what was written. A pane that does not follow stays where it is.
func (l *logs) add(records []api.LogRecord) {
	for _, r := range records {
		added := line{clean(r.Message), r.Type == "err"}
		l.lines = append(l.lines, added)
		if !l.following && l.matches(added) {
			l.back++
		}
	}
	if over := len(l.lines) - keep; over > 0 {
		l.lines = append([]line(nil), l.lines[over:]...)
	}
}

func (l *logs) matches(x line) bool {
	return l.filter == "" || strings.Contains(strings.ToLower(x.text), strings.ToLower(l.filter))
}

func (l *logs) matching() []line {
	if l.filter == "" {
		return l.lines
	}
	var lines []line
	for _, x := range l.lines {
		if l.matches(x) {
			lines = append(lines, x)
		}
	}
	return lines
}

// setFilter goes back to the end: what is above it is another thing now.
func (l *logs) setFilter(filter string) {
	l.filter, l.following, l.back = filter, true, 0
}

// scroll goes up by a number of lines, or down if it is negative. At the end it follows again.
func (l *logs) scroll(lines int) {
	l.back = max(0, min(l.back+lines, len(l.matching())-1))
	l.following = l.back == 0
}

// toggle holds the pane where it is, or goes to the end and follows.
func (l *logs) toggle() {
	l.following = !l.following
	if l.following {
		l.back = 0
	}
}

// typed is a key while the filter is typed.
func (l *logs) typed(msg tea.KeyPressMsg) {
	switch msg.String() {
	case "enter":
		l.typing = false
	case "esc":
		l.typing = false
		l.setFilter("")
	case "backspace":
		if runes := []rune(l.filter); len(runes) > 0 {
			l.setFilter(string(runes[:len(runes)-1]))
		}
	default:
		l.setFilter(l.filter + clean(msg.Text))
	}
}

// escape leaves the innermost of what was entered, and says whether there was anything.
func (l *logs) escape() bool {
	switch {
	case l.filter != "":
		l.setFilter("")
	case l.alone:
		l.alone = false
	default:
		return false
	}
	return true
}

// title says whose output it is, and what of it.
func (l *logs) title(name string, width int) string {
	if name == "" {
		return faint.paint("── no logs: the stack is empty")
	}
	text := "── logs of " + name
	switch {
	case l.ended != "":
		text += " ── " + l.ended
	case l.following:
		text += " ── following"
	default:
		text += fmt.Sprintf(" ── held, %d more below, f follows", l.back)
	}
	if l.filter != "" {
		text += fmt.Sprintf(" ── only %q", l.filter)
	}
	text = ansi.Truncate(text+" ", width, "…")
	return faint.paint(text + strings.Repeat("─", max(0, width-ansi.StringWidth(text))))
}

// pane is exactly height lines of width characters at the most, the newest at the bottom. Long lines are wrapped.
// Plain ones have no mark for their stream.
func (l *logs) pane(width, height int, plain bool) []string {
	lines := l.matching()
	end := max(0, len(lines)-l.back)
	var out []string
	for i := end - 1; i >= 0 && len(out) < height; i-- {
		out = append(wrapped(lines[i], width, plain), out...)
	}
	if len(out) > height {
		out = out[len(out)-height:]
	}
	for i := end; i < len(lines) && len(out) < height; i++ { // scrolled to the top: fill what is left below
		out = append(out, wrapped(lines[i], width, plain)...)
	}
	for len(out) < height {
		out = append(out, "")
	}
	return out[:height]
}

// wrapped is a line of output as lines of the screen. The streams can be told apart without colours, too.
func wrapped(x line, width int, plain bool) []string {
	mark := "| "
	if x.err {
		mark = bad.paint("!") + " "
	}
	if plain {
		mark = ""
	}
	parts := strings.Split(ansi.Hardwrap(x.text, max(1, width-ansi.StringWidth(mark)), true), "\n")
	for i := range parts {
		if plain && x.err {
			parts[i] = bad.paint(parts[i])
		}
		parts[i] = mark + parts[i]
	}
	return parts
}

// clean is text without what would move a cursor, colour the screen or turn the direction of writing: escape sequences
// and control characters are left out, a tab is four spaces, a line that is too long ends with an ellipsis.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r != '\t' && (unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)) {
			return -1
		}
		return r
	}, ansi.Strip(strings.ToValidUTF8(s, "\uFFFD")))
	s = strings.ReplaceAll(s, "\t", "    ")
	if len(s) > maxLength {
		if runes := []rune(s); len(runes) > maxLength {
			s = string(runes[:maxLength-1]) + "…"
		}
	}
	return s
}
