package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// elapsed is a duration as a stopwatch shows it.
func elapsed(d time.Duration) string {
	switch {
	case d < 0:
		return "0.0s"
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}

// clip cuts s to width characters; s has no colours.
func clip(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	if width <= 0 {
		return ""
	}
	return string([]rune(s)[:width-1]) + "…"
}

// pad fills s with spaces to width characters; s has no colours.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// printable is s on one line and without what a terminal obeys: escape sequences as a whole, and control characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ', r >= 0x7f && r < 0xa0:
			return -1
		}
		return r
	}, ansi.Strip(longForm(s)))
}

// longForm writes the control characters that begin a sequence for some terminals as those that do so for all.
func longForm(s string) string {
	return strings.NewReplacer(
		"\u009b", "\x1b[", "\u009d", "\x1b]", "\u0090", "\x1bP", "\u0098", "\x1bX", "\u009e", "\x1b^", "\u009f", "\x1b_",
	).Replace(s)
}

// printableLines is printable line by line.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// excerpt is a line of a log in a report. In colours it keeps those that the program has chosen.
func excerpt(line string, c style) string {
	text := printable(line)
	if !c {
		return "│ " + text
	}
	var coloured strings.Builder
	parser := ansi.NewParser()
	for state, rest := byte(0), longForm(line); rest != ""; {
		var seq string
		var n int
		seq, _, n, state = ansi.DecodeSequence(rest, state, parser)
		if rest = rest[n:]; isColour(seq) {
			coloured.WriteString(seq)
		} else {
			coloured.WriteString(printable(seq))
		}
	}
	if coloured.String() == text {
		return c.dim("│ " + text)
	}
	return c.dim("│ ") + coloured.String() + "\x1b[0m"
}

// isColour says whether a sequence does nothing but choose colours and the like.
func isColour(seq string) bool {
	parameters, starts := strings.CutPrefix(seq, "\x1b[")
	parameters, ends := strings.CutSuffix(parameters, "m")
	return starts && ends && strings.Trim(parameters, "0123456789;:") == ""
}
