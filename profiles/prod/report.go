package prod

import (
	"cmp"
	"slices"
)

// Verdict is what became of a key.
type Verdict string

// The verdicts.
const (
	IsMapped       Verdict = "mapped"       // the definition says the same
	IsApproximated Verdict = "approximated" // it says something near
	IsDropped      Verdict = "dropped"      // it says nothing
)

// Entry accounts for one key of one subject.
type Entry struct {
	Target  string  `json:"target"`  // compose, ecs, kubernetes, image; empty: every target that has no entry of its own
	Subject string  `json:"subject"` // stack, app NAME, service NAME
	Key     string  `json:"key"`     // as in the file: max_memory_restart, healthcheck.http, env.LOG_LEVEL
	Verdict Verdict `json:"verdict"`
	How     string  `json:"how"` // mapped: to what; approximated: how it differs; dropped: why
	Fix     string  `json:"fix"` // what to do about it; empty when nothing is to be done
	// Asked is whether a file says it. What only a default says is accounted for, and no loss.
	Asked bool `json:"asked"`
}

// Report accounts for every source key. Its zero value is empty and ready to use.
type Report struct {
	Entries []Entry `json:"entries"`
}

// StackSubject is the subject of the entries of ecosystem.yaml's top level.
const StackSubject = "stack"

// AppSubject is the subject of an app's entries, by its name in ecosystem.yaml.
func AppSubject(app string) string { return "app " + app }

// ServiceSubject is the subject of a Compose service's entries.
func ServiceSubject(name string) string { return "service " + name }

// With is the report with a renderer's entries. Whether a key was asked for is what the report knows of it, where it does.
func (r Report) With(entries ...Entry) Report {
	out := Report{Entries: slices.Clone(r.Entries)}
	for _, e := range entries {
		if i := slices.IndexFunc(r.Entries, func(x Entry) bool { return x.Subject == e.Subject && x.Key == e.Key }); i >= 0 {
			e.Asked = r.Entries[i].Asked
		}
		out.Entries = append(out.Entries, e)
	}
	return out
}

// For is the report as it holds for one target: its own entries in place of the general ones of the same subject and
// key, and no other target's. Entries of a subject stay together, in the order of the files.
func (r Report) For(target string) Report {
	same := func(a Entry) func(Entry) bool {
		return func(b Entry) bool { return a.Subject == b.Subject && a.Key == b.Key }
	}
	out := Report{Entries: []Entry{}}
	order := map[string]int{}
	for _, e := range r.Entries {
		if _, known := order[e.Subject]; !known {
			order[e.Subject] = len(order)
		}
		if e.Target != "" && e.Target != target {
			continue
		}
		i := slices.IndexFunc(out.Entries, same(e))
		switch {
		case i < 0:
			out.Entries = append(out.Entries, e)
		case e.Target == target && out.Entries[i].Target == "":
			out.Entries[i] = e
		case e.Target == target:
			out.Entries = append(out.Entries, e)
		}
	}
	slices.SortStableFunc(out.Entries, func(a, b Entry) int { return cmp.Compare(order[a.Subject], order[b.Subject]) })
	return out
}

// Losses are the entries that --strict refuses: what a file asks for and no definition says, or not quite.
func (r Report) Losses() []Entry {
	out := []Entry{}
	for _, e := range r.Entries {
		if e.Asked && e.Verdict != IsMapped {
			out = append(out, e)
		}
	}
	return out
}
