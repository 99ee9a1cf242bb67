package rehearse

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// Text is the report as a table, then what it comes to.
func (r Report) Text() string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TARGET\tSUBJECT\tCLAIM\tVERDICT\tTOOK\tDETAIL")
	for _, c := range r.Checks {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", c.Target, c.Subject, c.Claim, c.Verdict, took(c.Took), oneLine(c.Detail))
	}
	_ = table.Flush() // into memory
	return b.String() + "\n" + r.summary() + "\n"
}

// Markdown is the report as a page.
func (r Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Rehearsal\n\nThe last report of `make rehearse`: production definitions of the sample on the real engines.\n\n%s\n\n", r.summary())
	fmt.Fprintln(&b, "| Target | Subject | Claim | Verdict | Took | Seen |\n|---|---|---|---|---|---|")
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", c.Target, c.Subject, c.Claim, c.Verdict, took(c.Took), strings.ReplaceAll(oneLine(c.Detail), "|", `\|`))
	}
	return b.String()
}

func (r Report) summary() string {
	count := map[Verdict]int{}
	for _, c := range r.Checks {
		count[c.Verdict]++
	}
	return fmt.Sprintf("%d passed, %d failed, %d not proven", count[Passed], count[Failed], count[NotProven])
}

func took(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
