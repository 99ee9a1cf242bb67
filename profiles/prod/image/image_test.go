package image

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/profiles/prod"
	"devstack/stack"
)

var update = flag.Bool("update", false, "write the golden files")

const sample = "../../../examples/agentic-sdlc"

// sampleModel is the sample stack in production.
func sampleModel(t *testing.T) (prod.Model, prod.Report) {
	t.Helper()
	st, err := prod.Load(t.Context(), prod.LoadOptions{File: "../../../ecosystem.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	m, r, err := prod.Derive(st, prod.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m, r
}

func look(t *testing.T, dir string) Workspace {
	t.Helper()
	ws, err := Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

// pnpmSample is the sample as a workspace of pnpm, whose lock file it has, too.
func pnpmSample(t *testing.T) Workspace {
	t.Helper()
	ws := look(t, copySample(t, func(name string, data []byte) []byte {
		if name == "package.json" {
			return bytes.Replace(data, []byte(`"private": true,`), []byte(`"private": true, "packageManager": "pnpm@10.34.9",`), 1)
		}
		return data
	}))
	return ws
}

// copySample copies what git knows of the sample: a clean clone of it.
func copySample(t *testing.T, edit func(name string, data []byte) []byte) string {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(sample)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, name := range sampleFiles(t) {
		data, err := root.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if edit != nil {
			data = edit(name, data)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func sampleFiles(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(sample, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "dist") {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			name, err := filepath.Rel(sample, path)
			out = append(out, name)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGolden(t *testing.T) {
	m, _ := sampleModel(t)
	for name, ws := range map[string]Workspace{"npm": look(t, sample), "pnpm": pnpmSample(t)} {
		files, entries, err := Render(m, Options{Workspace: ws})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			golden(t, filepath.Join(name, f.Path), f.Data)
		}
		golden(t, filepath.Join(name, "report.txt"), []byte(prod.Report{Entries: entries}.Text(true)))
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

// Both lock files of the sample describe the same workspace.
func TestBothLockFilesSayTheSame(t *testing.T) {
	npm, pnpm := look(t, sample), pnpmSample(t)
	if diff := cmp.Diff(npm.Packages, pnpm.Packages); diff != "" {
		t.Errorf("-npm +pnpm:\n%s", diff)
	}
	if npm.Manager != "npm" || pnpm.Manager != "pnpm" || pnpm.Version != "10.34.9" || len(npm.Packages) != 8 {
		t.Errorf("npm is %+v, pnpm is %+v", npm, pnpm)
	}
}

func TestEntriesMeetTheGeneralReport(t *testing.T) {
	m, r := sampleModel(t)
	_, entries, err := Render(m, Options{Workspace: look(t, sample)})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, e := range r.Entries {
		known[e.Subject+" "+e.Key] = true
	}
	for _, e := range entries {
		if e.Target != Target || !known[e.Subject+" "+e.Key] {
			t.Errorf("entry for %q %s %s is about nothing that the files have", e.Target, e.Subject, e.Key)
		}
	}
}

func TestRefusals(t *testing.T) {
	ws := look(t, sample)
	for want, w := range map[string]prod.Workload{
		"interpreter: an image of Node.js has no python3": {Name: "a", App: "A", Runtime: "python3", WorkDir: "/app", Command: []string{"python3", "x.py"}},
		"script: src/x.ts is source code":                 {Name: "a", App: "A", Runtime: "node", WorkDir: "/app", Command: []string{"node", "src/x.ts"}},
		"cwd: no Dockerfile takes the path":               {Name: "a", App: "A", Runtime: "node", WorkDir: "/app/a b", Command: []string{"node", "x.js"}},
	} {
		_, _, err := Render(prod.Model{Build: prod.Build{Context: "."}, Workloads: []prod.Workload{w}}, Options{Workspace: ws})
		var refused stack.Errors
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	// An image that is given is not built, whatever it runs.
	w := prod.Workload{Runtime: "python3", Image: prod.Image{Reference: "x@sha256:0"}}
	if _, _, err := Render(prod.Model{Build: prod.Build{Context: "."}, Workloads: []prod.Workload{w}}, Options{Workspace: ws}); err != nil {
		t.Errorf("an image that is given: %v", err)
	}
}
