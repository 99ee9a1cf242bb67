package daemon

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// A one_shot that has done its work does it again when its files have other content, by itself with none of them, also for the
// next daemon.
func TestUpRunsAOneShotAgainForItsInputs(t *testing.T) {
	r := newProject(t, `
apps:
  - {name: migrate, one_shot: true, command: "true", cwd: db, inputs: ["migrations/*.sql", schema]}
  - {name: other, one_shot: true, command: "true"}
`)
	write := func(name, content string) {
		path := filepath.Join(r.at.Dir, "db", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(name string) {
		if err := os.Remove(filepath.Join(r.at.Dir, "db", name)); err != nil {
			t.Fatal(err)
		}
	}
	write("migrations/1.sql", "one")
	r.mustUp()
	runs := int64(1)
	for _, step := range []struct {
		name   string
		change func()
		again  bool
	}{
		{"nothing", func() {}, false},
		{"the same content, written again", func() { write("migrations/1.sql", "one") }, false},
		{"a file that is no input", func() { write("migrations/notes.txt", "n") }, false},
		{"another content", func() { write("migrations/1.sql", "two") }, true},
		{"a new file", func() { write("migrations/2.sql", "two") }, true},
		{"a new file in a new directory", func() { write("schema/a/b.sql", "b") }, true},
		{"a removed file", func() { remove("migrations/1.sql") }, true},
		{"a daemon that was killed", r.killDaemon, false},
		{"another content under the next daemon", func() { write("migrations/2.sql", "three") }, true},
		{"a start by hand on other inputs", func() {
			write("migrations/2.sql", "four")
			r.act(api.Start, "migrate")
			runs++
		}, false},
	} {
		step.change()
		says := func(note string) bool {
			return strings.HasPrefix(note, "migrate: it runs again: its inputs have changed")
		}
		result := r.mustUp()
		if step.again {
			runs++
		}
		if got := r.process("migrate").Generation; got != runs || slices.ContainsFunc(result.Notes, says) != step.again {
			t.Fatalf("%s: run %d, want %d; notes %q", step.name, got, runs, result.Notes)
		}
	}
	if got := r.process("other").Generation; got != 1 {
		t.Errorf("the other one ran %d times", got)
	}
}

// What a watch has run for a changed file needs no other run of up.
func TestInputsOfALaunchThatNobodyAskedFor(t *testing.T) {
	r := newProject(t, "apps: [{name: migrate, one_shot: true, command: \"true\", watch: [one.sql]}]\n")
	path := filepath.Join(r.at.Dir, "one.sql")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.mustUp()
	if err := os.WriteFile(path, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, err := range r.client.Events(r.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		if p := r.process("migrate"); p.Generation == 2 && p.Status == view.Completed {
			break
		}
	}
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	st, err := stack.Digest(r.at.Dir, []string{"one.sql"})
	for err == nil {
		l, failed := readIntent(r.at.StateDir)
		if err = failed; l.Inputs["migrate"] == st {
			break
		}
		<-look.C
	}
	if err != nil {
		t.Fatal(err)
	}
	r.mustUp()
	if got := r.process("migrate").Generation; got != 2 {
		t.Errorf("it ran %d times", got)
	}
}

func TestInputsOfLaunches(t *testing.T) {
	completed, waiting, running := was("done", view.Completed), was("waits", view.Waiting), was("runs", view.Online)
	processes := []procs.Process{completed, waiting, running}
	now := map[string]string{"done": "new", "waits": "new", "runs": "new", "first": "new", "unknown": "new"}
	i := intent{lasting: lasting{Inputs: map[string]string{"done": "old", "waits": "old", "runs": "old"}}}.clone()
	if got := i.outdated(now, append(processes, was("unknown", view.Completed))); !slices.Equal(got, []string{"done"}) {
		t.Errorf("outdated are %v", got)
	}
	i.readInputs(now, processes)
	if i.Inputs["done"] != "old" || i.Inputs["runs"] != "old" || i.Inputs["waits"] != "new" || i.Inputs["first"] != "new" || i.Inputs["unknown"] != "new" {
		t.Errorf("noted %v", i.Inputs)
	}
	i.launchOutdated([]string{"done"}, processes)
	i.readInputs(now, processes)
	if i.Inputs["done"] != "new" || !i.Launches.awaits(completed) {
		t.Errorf("noted %v, launches %v", i.Inputs, i.Launches)
	}
}
