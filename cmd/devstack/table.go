package main

import (
	"strings"
	"unicode/utf8"
)

// table is text in columns. Cells hold no colours; paint adds them when the widths are known.
type table struct {
	header []string
	right  []bool // columns aligned to the right
	rows   [][]string
	paint  func(row, column int, padded string) string
}

// render is the table, at most width characters wide if width is not 0: first the gaps shrink, then the columns that
// flexible names, in this order, are clipped.
func (t *table) render(width int, flexible ...int) string {
	widths := make([]int, len(t.header))
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	gap := 2
	over := func() int {
		total := gap * (len(widths) - 1)
		for _, w := range widths {
			total += w
		}
		return total - width
	}
	if width > 0 && over() > 0 {
		gap = 1
		for _, i := range flexible {
			if n := over(); n > 0 {
				widths[i] = max(min(widths[i], 8), widths[i]-n)
			}
		}
	}
	var out strings.Builder
	t.line(&out, -1, t.header, widths, gap)
	for i, row := range t.rows {
		t.line(&out, i, row, widths, gap)
	}
	return out.String()
}

func (t *table) line(out *strings.Builder, index int, row []string, widths []int, gap int) {
	var line strings.Builder
	end := 0 // of the last cell that is not blank
	for i, cell := range row {
		cell = clip(cell, widths[i])
		blank := cell == ""
		if i < len(t.right) && t.right[i] {
			cell = strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + cell
		} else if i < len(row)-1 {
			cell = pad(cell, widths[i])
		}
		line.WriteString(t.paint(index, i, cell))
		if !blank {
			end = line.Len()
		}
		line.WriteString(strings.Repeat(" ", gap))
	}
	out.WriteString(line.String()[:end] + "\n")
}
