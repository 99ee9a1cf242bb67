package prod

import (
	"fmt"
	"strings"
)

// Text is the report for a terminal: how many keys came to what, then every entry that is no plain mapping, by subject.
// With all, the mapped ones, too. It has no colours and ends with a newline.
func (r Report) Text(all bool) string {
	count := map[Verdict]int{}
	for _, e := range r.Entries {
		count[e.Verdict]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d keys: %d mapped, %d approximated, %d dropped\n",
		len(r.Entries), count[IsMapped], count[IsApproximated], count[IsDropped])
	subject := ""
	for _, e := range r.Entries {
		if !all && (e.Verdict == IsMapped || !e.Asked) {
			continue
		}
		if e.Subject != subject {
			subject = e.Subject
			fmt.Fprintf(&b, "\n%s\n", subject)
		}
		key := e.Key
		if e.Target != "" {
			key += " (" + e.Target + ")"
		}
		fmt.Fprintf(&b, "  %-12s  %-28s  %s\n", e.Verdict, key, e.How)
		if e.Fix != "" {
			fmt.Fprintf(&b, "  %-12s  %-28s  -> %s\n", "", "", e.Fix)
		}
	}
	return b.String()
}
