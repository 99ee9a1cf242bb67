package prod_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/profiles/prod"
)

func TestTextSaysOnceWhatHoldsForSeveral(t *testing.T) {
	lost := func(subject, key, how string) prod.Entry {
		return prod.Entry{Subject: subject, Key: key, Verdict: prod.IsDropped, How: how, Fix: "fix it", Asked: true}
	}
	r := prod.Report{Entries: []prod.Entry{
		lost("stack", "log_dir", "no files"),
		lost("app a", "port", "closed"),
		lost("app a", "watch", "no"),
		lost("app a", "args", "one"),
		lost("app b", "watch", "no"),
		lost("app b", "args", "another"),
		lost("app c", "watch", "no"),
		lost("app c", "port", "closed"),
		{Subject: "app c", Key: "cwd", Verdict: prod.IsMapped, How: "there", Asked: true},
		{Subject: "app c", Key: "min_uptime", Verdict: prod.IsDropped, How: "only a default", Fix: "none"},
		lost("service a", "watch", "no"),
	}}
	want := `11 keys: 1 mapped, 0 approximated, 10 dropped

stack
  dropped       log_dir                         no files
                                                -> fix it

every app
  dropped       watch                           no
                                                -> fix it

apps a, c
  dropped       port                            closed
                                                -> fix it

app a
  dropped       args                            one
                                                -> fix it

app b
  dropped       args                            another
                                                -> fix it

service a
  dropped       watch                           no
                                                -> fix it
`
	if diff := cmp.Diff(want, r.Text(false)); diff != "" {
		t.Error(diff)
	}
}
