package stack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tree writes files below a new directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, content := range files {
		put(t, filepath.Join(dir, path), content)
	}
	return dir
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A digest changes with the paths and the content of what the globs name, and with nothing else.
func TestDigest(t *testing.T) {
	for _, tc := range []struct {
		name    string
		globs   []string
		change  func(t *testing.T, dir string)
		changed bool
	}{
		{"content", []string{"sql/**/*.sql"}, func(t *testing.T, dir string) { put(t, dir+"/sql/a/1.sql", "other") }, true},
		{"a new file", []string{"sql/**/*.sql"}, func(t *testing.T, dir string) { put(t, dir+"/sql/2.sql", "") }, true},
		{"another extension", []string{"sql/**/*.sql"}, func(t *testing.T, dir string) { put(t, dir+"/sql/2.txt", "") }, false},
		{"below a directory", []string{"sql"}, func(t *testing.T, dir string) { put(t, dir+"/sql/a/b/2.txt", "") }, true},
		{"elsewhere", []string{"sql"}, func(t *testing.T, dir string) { put(t, dir+"/other", "") }, false},
		{"a renamed file", []string{"sql"}, func(t *testing.T, dir string) {
			if err := os.Rename(dir+"/sql/a/1.sql", dir+"/sql/a/0.sql"); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"times", []string{"sql"}, func(t *testing.T, dir string) {
			if err := os.Chtimes(dir+"/sql/a/1.sql", time.Unix(1, 0), time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"installed packages", []string{"**"}, func(t *testing.T, dir string) { put(t, dir+"/node_modules/x/i.js", "x") }, false},
		{"a named package", []string{"node_modules/x"}, func(t *testing.T, dir string) { put(t, dir+"/node_modules/x/i.js", "x") }, true},
		{"one file", []string{"sql/a/1.sql"}, func(t *testing.T, dir string) { put(t, dir+"/sql/a/1.sql", "x") }, true},
		{"a file that appears", []string{"none.sql"}, func(t *testing.T, dir string) { put(t, dir+"/none.sql", "") }, true},
		{"a directory behind a link", []string{"link/*.sql"}, func(t *testing.T, dir string) { put(t, dir+"/sql/a/2.sql", "x") }, true},
		{"a file behind a link", []string{"current"}, func(t *testing.T, dir string) { put(t, dir+"/sql/a/1.sql", "x") }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := tree(t, map[string]string{"sql/a/1.sql": "create"})
			for link, target := range map[string]string{"link": "sql/a", "current": "sql/a/1.sql"} {
				if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
					t.Fatal(err)
				}
			}
			digestOf := func() string {
				t.Helper()
				sum, err := Digest(dir, tc.globs)
				if err != nil {
					t.Fatal(err)
				}
				return sum
			}
			before := digestOf()
			tc.change(t, dir)
			if after := digestOf(); (after != before) != tc.changed {
				t.Errorf("digest of %v: %s, then %s; want changed = %v", tc.globs, before, after, tc.changed)
			}
		})
	}
}

// The order of globs, files that two of them name, and where the directory is do not count.
func TestDigestIsOfFiles(t *testing.T) {
	files := map[string]string{"a.sql": "1", "b.sql": "2"}
	one, err := Digest(tree(t, files), []string{"a.sql", "b.sql"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := Digest(tree(t, files), []string{"*.sql", "a.sql"})
	if err != nil || one != other {
		t.Errorf("digests %s and %s (%v), want the same", one, other, err)
	}
}

func TestDigestIsBounded(t *testing.T) {
	dir := tree(t, map[string]string{"a": "123456", "b": "123456"})
	for want, limits := range map[string]digestLimits{
		"cannot digest the files of *: more than 1 files are too many":                       {entries: 9, files: 1, bytes: 99},
		"cannot digest the files of *: more than 11 bytes are too many":                      {entries: 9, files: 9, bytes: 11},
		"cannot digest the files of *: there are more than 2 files and directories below it": {entries: 2, files: 9, bytes: 99},
	} {
		if _, err := digest(dir, []string{"*"}, limits); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("limits %v: %v, want %q", limits, err, want)
		}
	}
	if _, err := digest(dir, []string{"*"}, digestLimits{entries: 3, files: 2, bytes: 12}); err != nil {
		t.Error(err)
	}
}
