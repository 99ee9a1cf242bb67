package stack_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devstack/stack"
)

// write makes a directory with files in it; its path is the real one.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// load loads dir's ecosystem.yaml, which must be good.
func load(t testing.TB, dir string, environ ...string) *stack.Stack {
	t.Helper()
	s, err := stack.Load(context.Background(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml"), Environment: environ})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// loadError loads an ecosystem.yaml of this content and returns what is wrong with it, without the directory.
func loadError(t testing.TB, content string, environ ...string) string {
	t.Helper()
	dir := write(t, map[string]string{"ecosystem.yaml": content})
	_, err := stack.Load(context.Background(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml"), Environment: environ})
	if err == nil {
		t.Fatal("loaded without an error")
	}
	return strings.ReplaceAll(err.Error(), dir+"/", "")
}

// app returns the app of this name.
func app(t testing.TB, s *stack.Stack, name string) stack.App {
	t.Helper()
	for _, a := range s.Apps {
		if a.Name == name {
			return a
		}
	}
	t.Fatalf("there is no app %q", name)
	return stack.App{}
}
