package kubernetes_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/profiles/prod"
	"devstack/profiles/prod/kubernetes"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares files with a directory of testdata/golden, which holds no other.
func golden(t *testing.T, name string, files []prod.File) {
	t.Helper()
	dir := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(dir, asFS(files)); err != nil {
			t.Fatal(err)
		}
	}
	want := readAll(t, dir)
	got := map[string]string{}
	for _, f := range files {
		got[f.Path] = string(f.Data)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want +got:\n%s", dir, diff)
	}
}

// load is a model from an ecosystem.yaml.
func load(t *testing.T, file string, o prod.Options) (prod.Model, prod.Report) {
	t.Helper()
	st, err := prod.Load(t.Context(), prod.LoadOptions{File: file})
	if err != nil {
		t.Fatal(err)
	}
	m, r, err := prod.Derive(st, o)
	if err != nil {
		t.Fatal(err)
	}
	return m, r
}

// everything is a stack with all that is rendered in a way of its own.
func everything(t *testing.T) (prod.Model, prod.Report, kubernetes.Options) {
	t.Helper()
	m, r := load(t, "testdata/cases/everything/ecosystem.yaml", prod.Options{
		Containers: []string{"mail", "postgres", "redis"},
		Images:     map[string]string{"admin": "registry.example.com/admin@sha256:" + strings.Repeat("0a", 32)},
	})
	return m, r, kubernetes.Options{Autoscale: map[string]int{"Web API": 8}}
}

func TestEverything(t *testing.T) {
	m, r, o := everything(t)
	files, entries, err := kubernetes.Render(m, o)
	if err != nil {
		t.Fatal(err)
	}
	report := r.With(entries...).For("kubernetes").Text(true)
	golden(t, "everything", append(files, prod.File{Path: "report.txt", Data: []byte(report)}))
}

// A managed service is outside of the cluster: no policy speaks of its pods, and its port is open.
func TestManagedServicesHaveNoPods(t *testing.T) {
	m, _ := load(t, "testdata/cases/everything/ecosystem.yaml", prod.Options{})
	files, _, err := kubernetes.Render(m, kubernetes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	open := false
	for _, f := range files {
		if strings.Contains(string(f.Data), "name: postgres\n") {
			t.Errorf("%s selects the pods of postgres", f.Path)
		}
		open = open || strings.Contains(string(f.Data), "port: 5432\n")
	}
	if !open {
		t.Error("nobody may reach postgres")
	}
}
