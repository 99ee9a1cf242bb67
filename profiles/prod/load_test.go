package prod_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"devstack/profiles/prod"
	"devstack/stack"
)

// project writes files into a directory of their own, which is its path.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
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

func loaded(t *testing.T, ecosystem string, params ...string) *stack.Stack {
	t.Helper()
	return loadedWith(t, map[string]string{"ecosystem.yaml": ecosystem}, params...)
}

func loadedWith(t *testing.T, files map[string]string, params ...string) *stack.Stack {
	t.Helper()
	st, err := prod.Load(t.Context(), prod.LoadOptions{File: filepath.Join(project(t, files), "ecosystem.yaml"), Params: params})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func derived(t *testing.T, st *stack.Stack, o prod.Options) (prod.Model, prod.Report) {
	t.Helper()
	m, r, err := prod.Derive(st, o)
	if err != nil {
		t.Fatal(err)
	}
	return m, r
}

// oneApp is a stack of one app with some keys.
func oneApp(keys string) string { return "apps: [{name: web, script: a.js, " + keys + "}]" }

func entry(t *testing.T, r prod.Report, subject, key string) prod.Entry {
	t.Helper()
	i := slices.IndexFunc(r.Entries, func(e prod.Entry) bool { return e.Subject == subject && e.Key == key })
	if i < 0 {
		t.Fatalf("no entry for %s of %s in\n%s", key, subject, r.Text(true))
	}
	return r.Entries[i]
}

func names(secrets []prod.Secret) string {
	var out []string
	for _, s := range secrets {
		out = append(out, s.Name+": "+string(s.Reason))
	}
	return strings.Join(out, "\n")
}

func config(w prod.Workload, name string) string {
	for _, v := range w.Config {
		if v.Name == name {
			return v.Value
		}
	}
	return "unset"
}
