package drift

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/profiles/prod"
	"devstack/stack"
)

func files(pairs ...string) []prod.File {
	var out []prod.File
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, prod.File{Path: pairs[i], Data: []byte(pairs[i+1]), Once: strings.HasPrefix(pairs[i], "overlays/")})
	}
	return out
}

// tree is everything in a directory.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func exported(t *testing.T, dir string, rendered []prod.File, want ...string) {
	t.Helper()
	got, err := Export(dir, "t", rendered)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Join(want, " "), strings.Join(got, " ")); diff != "" {
		t.Fatalf("written -want +got:\n%s", diff)
	}
}

func state(t *testing.T, dir string, rendered []prod.File) State {
	t.Helper()
	all, err := Check(dir, "t", rendered)
	if err != nil {
		t.Fatal(err)
	}
	return Worst(all)
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestExportAgainAndAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deploy", "t")
	first := files("base/a.yaml", "a: 1\n", "base/b.yaml", "b: 1\n", "overlays/prod.yaml", "mine: 0\n")
	if got := state(t, dir, first); got != Stale {
		t.Errorf("nothing is written: %s", got)
	}
	exported(t, dir, first, "base/a.yaml", "base/b.yaml", "overlays/prod.yaml", LockName)
	if got := state(t, dir, first); got != OK {
		t.Errorf("right after it: %s", got)
	}
	before := tree(t, dir)
	exported(t, dir, first)
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("twice: %s", diff)
	}

	put(t, dir, "overlays/prod.yaml", "mine: 1\n")
	put(t, dir, "notes.txt", "mine")
	second := files("base/a.yaml", "a: 2\n", "more/c.yaml", "c: 1\n", "overlays/prod.yaml", "mine: 9\n")
	if got := state(t, dir, second); got != Stale {
		t.Errorf("changed definitions: %s", got)
	}
	exported(t, dir, second, "base/a.yaml", "base/b.yaml", "more/c.yaml", LockName)
	want := map[string]string{
		"base/a.yaml": "a: 2\n", "more/c.yaml": "c: 1\n", "overlays/prod.yaml": "mine: 1\n", "notes.txt": "mine",
		LockName: string(NewLock("t", second).Bytes()),
	}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	exported(t, dir, files("base/a.yaml", "a: 2\n"), "more/c.yaml", LockName)
	if _, err := os.Stat(filepath.Join(dir, "more")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory is left: %v", err)
	}
}

func TestAnEditIsNeverLost(t *testing.T) {
	first, second := files("a.yaml", "a: 1\n", "b.yaml", "b: 1\n"), files("a.yaml", "a: 2\n", "b.yaml", "b: 2\n")
	for _, c := range []struct {
		name  string
		spoil func(dir string)
		fresh []prod.File
		want  State
	}{
		{"edited", func(dir string) { put(t, dir, "a.yaml", "a: mine\n") }, first, Edited},
		{"edited and changed", func(dir string) { put(t, dir, "a.yaml", "a: mine\n") }, second, Conflict},
		{"edited and gone", func(dir string) { put(t, dir, "a.yaml", "a: mine\n") }, files("b.yaml", "b: 2\n"), Conflict},
		{"in the way", func(dir string) { put(t, dir, "c.yaml", "mine\n") }, append(files("c.yaml", "c: 1\n"), second...), Conflict},
		{"a directory in the way", func(dir string) { put(t, dir, "c.yaml/x", "mine\n") }, append(files("c.yaml", "c: 1\n"), second...), Conflict},
		{"a link in the way", func(dir string) {
			put(t, dir, "mine.txt", "mine\n")
			if err := errors.Join(os.Remove(filepath.Join(dir, "a.yaml")), os.Symlink("mine.txt", filepath.Join(dir, "a.yaml"))); err != nil {
				t.Fatal(err)
			}
		}, second, Conflict},
		{"without a lock", func(dir string) {
			if err := os.Remove(filepath.Join(dir, LockName)); err != nil {
				t.Fatal(err)
			}
		}, second, Conflict},
	} {
		dir := t.TempDir()
		exported(t, dir, first, "a.yaml", "b.yaml", LockName)
		c.spoil(dir)
		before := tree(t, dir)
		if got := state(t, dir, c.fresh); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
		_, err := Export(dir, "t", c.fresh)
		var refused *Error
		if !errors.As(err, &refused) || refused.Exit() != c.want.Exit() {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
			t.Errorf("%s: something was written: %s", c.name, diff)
		}
	}
}

// A lock that is gone costs nothing when the files are as they would be written.
func TestALostLock(t *testing.T) {
	dir := t.TempDir()
	rendered := files("a.yaml", "a: 1\n")
	exported(t, dir, rendered, "a.yaml", LockName)
	if err := os.Remove(filepath.Join(dir, LockName)); err != nil {
		t.Fatal(err)
	}
	if got := state(t, dir, rendered); got != Stale {
		t.Error(got)
	}
	exported(t, dir, rendered, LockName)
	put(t, dir, LockName, "<<<<<<< HEAD\n")
	_, err := Export(dir, "t", rendered)
	var problem *stack.Error
	if !errors.As(err, &problem) || problem.File != LockName || problem.Hint == "" {
		t.Errorf("%v", err)
	}
}

// What is written between the look and the write is seen.
func TestSomebodyElseWritesMeanwhile(t *testing.T) {
	dir := t.TempDir()
	first, second := files("a.yaml", "a: 1\n"), files("a.yaml", "a: 2\n", "new.yaml", "n: 1\n")
	exported(t, dir, first, "a.yaml", LockName)
	for name, content := range map[string]string{"a.yaml": "mine\n", "new.yaml": "mine\n"} {
		lock, disk, err := Observe(dir, second)
		if err != nil {
			t.Fatal(err)
		}
		before := tree(t, dir)
		put(t, dir, name, content)
		if _, err := Apply(dir, "t", disk, Compare("t", lock, disk, second), second); err == nil || !strings.Contains(err.Error(), "somebody else has just changed") {
			t.Errorf("%s: %v", name, err)
		}
		if got := tree(t, dir)[name]; got != content {
			t.Errorf("%s has %q", name, got)
		}
		if before["a.yaml"] == "a: 1\n" {
			put(t, dir, "a.yaml", "a: 1\n")
		}
		if err := os.RemoveAll(filepath.Join(dir, "new.yaml")); err != nil {
			t.Fatal(err)
		}
	}
}

// A way out of the output directory leads nowhere.
func TestNothingIsWrittenOutside(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "base")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"base/a.yaml", "../a.yaml", "/tmp/a.yaml"} {
		if _, err := Export(dir, "t", files(path, "a: 1\n")); err == nil {
			t.Errorf("%s was written", path)
		}
	}
	if left := tree(t, outside); len(left) != 0 {
		t.Errorf("%v", left)
	}
}

func TestAdoptingOnDisk(t *testing.T) {
	dir := t.TempDir()
	first := files("a.yaml", prod.Header+"a: 1\nb: 1\n", "b.json", "{\n  \"b\": 1\n}\n")
	exported(t, dir, first, "a.yaml", "b.json", LockName)
	put(t, dir, "a.yaml", prod.Header+"a: mine\nb: 1\n")
	done, err := ExportAdopting(dir, "t", first, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("adopted/a.yaml.1.yaml "+LockName, strings.Join(done, " ")); diff != "" {
		t.Errorf("written: %s", diff)
	}
	if got := state(t, dir, first); got != OK {
		t.Errorf("after adopting: %s", got)
	}

	// The definitions go on, and the edit stays.
	second := files("a.yaml", prod.Header+"a: 1\nb: 2\nc: 3\n", "b.json", "{\n  \"b\": 1\n}\n")
	exported(t, dir, second, "a.yaml", LockName)
	if got := tree(t, dir)["a.yaml"]; got != prod.Header+"a: mine\nb: 2\nc: 3\n" {
		t.Errorf("the edit and the definitions: %q", got)
	}

	// A second edit is a second overlay; the first is the user's.
	overlay := tree(t, dir)["adopted/a.yaml.1.yaml"]
	put(t, dir, "a.yaml", prod.Header+"a: mine\nb: 2\nc: 3\nd: 4\n")
	put(t, dir, "b.json", `{"b": 2}`)
	if _, err := ExportAdopting(dir, "t", second, nil); err != nil {
		t.Fatal(err)
	}
	now := tree(t, dir)
	if now["adopted/a.yaml.1.yaml"] != overlay || now["adopted/a.yaml.2.yaml"] == "" || now["b.json"] != "{\n  \"b\": 2\n}\n" || state(t, dir, second) != OK {
		t.Errorf("%v", now)
	}
}

func TestAdoptingInAConflict(t *testing.T) {
	dir := t.TempDir()
	first, second := files("a.yaml", "a: 1\nb: 1\n", "Dockerfile", "FROM a\n"), files("a.yaml", "a: 1\nb: 2\n", "Dockerfile", "FROM a\n")
	exported(t, dir, first, "Dockerfile", "a.yaml", LockName)
	put(t, dir, "a.yaml", "a: mine\nb: 1\n")
	before := tree(t, dir)
	if _, err := ExportAdopting(dir, "t", second, nil); err == nil {
		t.Error("adopted without knowing what it was before")
	}
	put(t, dir, "Dockerfile", "FROM b\n")
	base := func(path, sha256 string) []byte { return first[0].Data }
	var problems stack.Errors
	if _, err := ExportAdopting(dir, "t", second, base); !errors.As(err, &problems) || len(problems) != 1 || problems[0].File != "Dockerfile" {
		t.Errorf("%v", err)
	}
	put(t, dir, "Dockerfile", "FROM a\n")
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("something was written: %s", diff)
	}
	if _, err := ExportAdopting(dir, "t", second, base); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, dir)["a.yaml"]; got != "a: mine\nb: 2\n" || state(t, dir, second) != OK {
		t.Errorf("%q", got)
	}
}
