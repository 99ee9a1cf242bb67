package preflight

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devstack/stack"
)

func TestStale(t *testing.T) {
	dir := t.TempDir()
	at := time.Now().Add(-time.Hour)
	file := func(name string, minutes int) string {
		t.Helper()
		path := filepath.Join(dir, name)
		write(t, path, 0o644)
		when := at.Add(time.Duration(minutes) * time.Minute)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		return path
	}
	script := file("packages/api/dist/server.js", 1)
	s := Subject{
		Stack: &stack.Stack{Dir: dir, Build: &stack.Build{Command: []string{"make", "it"}}},
		Apps:  []stack.App{{Script: script}, {Script: script}, {Command: []string{"sleep"}}, {Script: "/elsewhere/dist/x.js"}},
	}
	check := func(what, status, says string) {
		t.Helper()
		if c := Stale(s); c.Status != status || !strings.Contains(c.Detail+c.Fix, says) {
			t.Errorf("%s: %+v", what, c)
		}
	}
	check("no sources", OK, "")
	file("packages/api/src/server.ts", 0)
	file("packages/api/src/notes.md", 30)
	file("packages/api/src/node_modules/x/index.js", 30)
	check("built after the sources", OK, "")
	source := file("packages/api/src/deep/util.ts", 5)
	check("a newer source", Warning, "packages/api/dist is older than packages/api/src/deep/util.ts")
	check("the way out", Warning, "up --build, which runs: make it")
	file("packages/api/dist/deep/util.js", 6) // an incremental build writes only what has changed
	check("built again", OK, "")
	if err := os.Chtimes(source, at.Add(time.Hour), at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for i := range scanLimit {
		if err := os.WriteFile(filepath.Join(dir, "packages/api/src", "f"+time.Duration(i).String()+".json"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	check("too much to look at", OK, "")
}
