package compose

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/profiles/prod"
)

var update = flag.Bool("update", false, "write the golden files")

// a case is a stack and how it is exported.
type exported struct {
	name, file string
	prod       prod.Options
	options    Options
}

var cases = []exported{
	{name: "sample", file: "../../../ecosystem.yaml"},
	{
		name: "everything", file: "testdata/cases/everything/ecosystem.yaml",
		prod: prod.Options{
			Containers: []string{"redis", "postgres"},
			Images:     map[string]string{"worker": "registry.example.com/everything/worker@sha256:2222222222222222222222222222222222222222222222222222222222222222"},
		},
		options: Options{Publish: map[string]string{"tcp": "127.0.0.1:9000"}},
	},
}

// model loads and derives a case.
func (c exported) model(t *testing.T) (prod.Model, prod.Report) {
	t.Helper()
	st, err := prod.Load(t.Context(), prod.LoadOptions{File: c.file})
	if err != nil {
		t.Fatal(err)
	}
	m, r, err := prod.Derive(st, c.prod)
	if err != nil {
		t.Fatal(err)
	}
	return m, r
}

// render renders twice: the same bytes come out.
func render(t *testing.T, m prod.Model, o Options) ([]prod.File, []prod.Entry) {
	t.Helper()
	files, entries, err := Render(m, o)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := Render(m, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		if !bytes.Equal(f.Data, again[i].Data) {
			t.Errorf("%s differs when it is rendered again", f.Path)
		}
	}
	return files, entries
}

func TestGolden(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, r := c.model(t)
			files, entries := render(t, m, c.options)
			for _, f := range files {
				golden(t, filepath.Join(c.name, f.Path), f.Data)
			}
			golden(t, filepath.Join(c.name, "report.txt"), []byte(r.With(entries...).For(Target).Text(false)))
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: -want +got:\n%s", path, diff)
	}
}

// Every entry is about a key that the general report has, so that it takes that one's place.
func TestEntriesMeetTheGeneralReport(t *testing.T) {
	for _, c := range cases {
		m, r := c.model(t)
		_, entries := render(t, m, c.options)
		known := map[string]bool{}
		for _, e := range r.Entries {
			known[e.Subject+" "+e.Key] = true
		}
		for _, e := range entries {
			if e.Target != Target || !known[e.Subject+" "+e.Key] {
				t.Errorf("%s: entry for %q %s %s is about nothing that the files have", c.name, e.Target, e.Subject, e.Key)
			}
		}
	}
}
