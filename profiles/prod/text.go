package prod

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Text is the report for a terminal: how many keys came to what, then every entry that is no plain mapping. What is said
// of several subjects is there once, under their names; what is said of most of them comes first. With all, the mapped
// ones, too. It has no colours and ends with a newline.
func (r Report) Text(all bool) string {
	count := map[Verdict]int{}
	for _, e := range r.Entries {
		count[e.Verdict]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d keys: %d mapped, %d approximated, %d dropped\n",
		len(r.Entries), count[IsMapped], count[IsApproximated], count[IsDropped])
	for _, s := range r.sections(all) {
		fmt.Fprintf(&b, "\n%s\n", s.title)
		for _, e := range s.entries {
			e.write(&b)
		}
	}
	return b.String()
}

func (e Entry) write(b *strings.Builder) {
	key := e.Key
	if e.Target != "" {
		key += " (" + e.Target + ")"
	}
	fmt.Fprintf(b, "  %-12s  %-30s  %s\n", e.Verdict, key, e.How)
	if e.Fix != "" {
		fmt.Fprintf(b, "  %-12s  %-30s  -> %s\n", "", "", e.Fix)
	}
}

// section is what a report says of the same subjects.
type section struct {
	kind    string // stack, app, service
	names   []string
	title   string
	entries []Entry
}

// sections gather the entries of a report by the subjects of which the same is said. Kinds and entries stay in the
// report's order.
func (r Report) sections(all bool) []section {
	said := map[Entry][]string{} // an entry without its subject's name -> the names
	known := map[string][]string{}
	var kinds []string
	var once []Entry
	for _, e := range r.Entries {
		kind, name, _ := strings.Cut(e.Subject, " ")
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
		if !slices.Contains(known[kind], name) {
			known[kind] = append(known[kind], name)
		}
		if !all && (e.Verdict == IsMapped || !e.Asked) {
			continue
		}
		e.Subject, e.Asked = kind, true
		if said[e] == nil {
			once = append(once, e)
		}
		said[e] = append(said[e], name)
	}
	var out []section
	for _, e := range once {
		i := slices.IndexFunc(out, func(s section) bool { return s.kind == e.Subject && slices.Equal(s.names, said[e]) })
		if i < 0 {
			i = len(out)
			out = append(out, section{kind: e.Subject, names: said[e], title: title(e.Subject, said[e], known[e.Subject])})
		}
		out[i].entries = append(out[i].entries, e)
	}
	slices.SortStableFunc(out, func(a, b section) int {
		return cmp.Or(
			cmp.Compare(slices.Index(kinds, a.kind), slices.Index(kinds, b.kind)),
			cmp.Compare(len(b.names), len(a.names)),
		)
	})
	return out
}

func title(kind string, names, known []string) string {
	switch {
	case len(names) == 1:
		return strings.TrimSpace(kind + " " + names[0])
	case len(names) == len(known):
		return "every " + kind
	}
	return kind + "s " + strings.Join(names, ", ")
}
