package drift

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/profiles/prod"
)

// The whole truth table: every combination of what the lock has, what the disk has and what is to be written, out of
// nothing and three contents; files of the user's; and things that are no files.
func TestCompareHasAnAnswerForEverything(t *testing.T) {
	type row struct {
		when func(l, d, r string, once bool) bool
		want State
		do   Action
		says string
	}
	other := func(d string) bool { return d == "directory" }
	rows := []row{
		{func(l, d, r string, once bool) bool { return r != "" && once && d != "" && l == "" }, OK, Keep, ""},
		{func(l, d, r string, once bool) bool { return r != "" && once && d != "" && l != "" }, Stale, Note, "belongs to you"},
		{func(l, d, r string, _ bool) bool { return r != "" && d == "" && l == "" }, Stale, Write, "not written yet"},
		{func(l, d, r string, _ bool) bool { return r != "" && d == "" && l != "" }, Stale, Write, "missing"},
		{func(l, d, r string, _ bool) bool { return r == "" && d == "" && l != "" }, Stale, Note, "gone"},
		{func(l, d, r string, once bool) bool { return !once && r != "" && d == l && d == r }, OK, Keep, ""},
		{func(l, d, r string, once bool) bool { return !once && r != "" && d == r && d != l }, Stale, Note, "devstack.lock is not"},
		{func(l, d, r string, once bool) bool { return !once && r != "" && d != "" && d == l && d != r }, Stale, Write, "definitions have changed"},
		{func(l, d, r string, _ bool) bool { return r == "" && d != "" && d == l }, Stale, Remove, "no longer part"},
		{func(l, d, r string, once bool) bool { return !once && r != "" && d != "" && l == "" && d != r }, Conflict, Refuse, "did not write it"},
		{func(l, d, r string, _ bool) bool { return r == "" && l != "" && d != "" && d != l }, Conflict, Refuse, "edited, and is no longer part"},
		{func(l, d, r string, once bool) bool { return !once && l != "" && l == r && d != "" && d != l }, Edited, Refuse, "it was edited"},
		{func(l, d, r string, once bool) bool {
			return !once && l != "" && r != "" && l != r && d != "" && d != l && d != r
		}, Conflict, Refuse, "edited, and the definitions"},
	}
	used := make([]int, len(rows))
	contents := []string{"", "one\n", "two\n", "three\n"}
	for _, l := range contents {
		for _, d := range append(contents, "directory") {
			for _, r := range contents {
				for _, once := range []bool{false, true} {
					if l == "" && r == "" || r == "" && once {
						continue // nobody asks about it
					}
					matching := -1
					for i, row := range rows {
						if row.when(l, d, r, once) {
							if matching >= 0 {
								t.Fatalf("rows %d and %d both know lock %q, disk %q, fresh %q, once %v", matching, i, l, d, r, once)
							}
							matching = i
						}
					}
					if matching < 0 {
						t.Fatalf("no row knows lock %q, disk %q, fresh %q, once %v", l, d, r, once)
					}
					used[matching]++
					row := rows[matching]
					got := compareOne(t, l, d, r, once)
					if got.State != row.want || got.Action != row.do || !strings.Contains(got.Reason, row.says) {
						t.Errorf("lock %q, disk %q, fresh %q, once %v: %+v", l, d, r, once, got)
					}
					if got.State == OK && (got.Reason+got.Diff+got.Fix != "") || got.State != OK && (got.Reason == "" || got.Fix == "") {
						t.Errorf("lock %q, disk %q, fresh %q, once %v: reason or fix: %+v", l, d, r, once, got)
					}
					if got.Action != Keep && got.Action != Note && !other(d) && got.Diff == "" {
						t.Errorf("lock %q, disk %q, fresh %q, once %v: no diff", l, d, r, once)
					}
				}
			}
		}
	}
	for i, n := range used {
		if n == 0 {
			t.Errorf("row %d is never met", i)
		}
	}
}

func compareOne(t *testing.T, l, d, r string, once bool) Status {
	t.Helper()
	lock, disk, fresh := Lock{}, Disk{}, []prod.File{}
	if l != "" {
		lock.Files = []Locked{{"a/f.yaml", hash([]byte(l))}}
	}
	switch d {
	case "":
	case "directory":
		disk["a/f.yaml"] = Found{Other: true}
	default:
		disk["a/f.yaml"] = Found{Data: []byte(d)}
	}
	if r != "" {
		fresh = append(fresh, prod.File{Path: "a/f.yaml", Data: []byte(r), Once: once})
	}
	all := Compare("ecs", lock, disk, fresh)
	if len(all) != 1 {
		t.Fatalf("%+v", all)
	}
	return all[0]
}

func TestWorst(t *testing.T) {
	for _, c := range []struct {
		states []State
		want   State
		exit   int
	}{
		{nil, OK, 0},
		{[]State{OK, OK}, OK, 0},
		{[]State{OK, Stale}, Stale, 10},
		{[]State{Edited, Stale}, Edited, 11},
		{[]State{Stale, Conflict, Edited}, Conflict, 12},
	} {
		var all []Status
		for _, s := range c.states {
			all = append(all, Status{State: s})
		}
		if got := Worst(all); got != c.want || got.Exit() != c.exit {
			t.Errorf("%v: %s, %d", c.states, got, got.Exit())
		}
	}
}

func TestDiffs(t *testing.T) {
	edited := compareOne(t, "one\n", "two\n", "one\n", false)
	if !strings.Contains(edited.Diff, "\n-one\n+two\n") || !strings.Contains(edited.Fix, "devstack export ecs --adopt") {
		t.Errorf("an edit shows what was done: %+v", edited)
	}
	stale := compareOne(t, "one\n", "one\n", "two\n", false)
	if !strings.Contains(stale.Diff, "\n-one\n+two\n") || stale.Fix != "devstack export ecs" {
		t.Errorf("a stale file shows what will be done: %+v", stale)
	}
}

func TestLock(t *testing.T) {
	l := NewLock("ecs", []prod.File{{Path: "b", Data: []byte("1")}, {Path: "user", Once: true}, {Path: "a/c", Data: []byte("2")}})
	again, err := ParseLock(l.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l, again); diff != "" || len(l.Files) != 2 || l.Files[0].Path != "a/c" {
		t.Errorf("%+v %s", l, diff)
	}
	if none, err := ParseLock(nil); err != nil || none.Version != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	sum := hash(nil)
	for _, bad := range []string{
		"{", "<<<<<<< HEAD\n" + string(l.Bytes()), string(l.Bytes()) + "{}", `{"version": 2}`, `{"version": 1, "filse": []}`,
		`{"version": 1, "files": [{"path": "a", "sha256": "00"}]}`,
		`{"version": 1, "files": [{"path": "../a", "sha256": "` + sum + `"}]}`,
		`{"version": 1, "files": [{"path": "b", "sha256": "` + sum + `"}, {"path": "a", "sha256": "` + sum + `"}]}`,
	} {
		if _, err := ParseLock([]byte(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}
