package kubernetes_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"devstack/profiles/prod"

	"devstack/conformance/kubernetes"
)

// goldens are the exports that the product's own tests keep, by name.
func goldens(t *testing.T) map[string][]prod.File {
	t.Helper()
	const root = "../../profiles/prod/kubernetes/testdata/golden"
	dirs, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]prod.File{}
	for _, d := range dirs {
		tree := os.DirFS(filepath.Join(root, d.Name()))
		err := fs.WalkDir(tree, ".", func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			data, err := fs.ReadFile(tree, path)
			out[d.Name()] = append(out[d.Name()], prod.File{Path: path, Data: data})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) == 0 {
		t.Fatal("there are no golden files")
	}
	return out
}

// roots are what a person may apply.
var roots = []string{"base", "overlays/dev-cluster", "overlays/production"}

func TestEveryGoldenIsValid(t *testing.T) {
	for name, files := range goldens(t) {
		for _, root := range roots {
			built, err := kubernetes.Build(files, root)
			if err != nil {
				t.Errorf("%s: kustomize build %s: %v", name, root, err)
				continue
			}
			for _, problem := range kubernetes.Problems(built) {
				t.Errorf("%s: %s: %s", name, root, problem)
			}
		}
	}
}
