package kubernetes_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"devstack/profiles/prod"
	"devstack/profiles/prod/export"

	"devstack/conformance/kubernetes"
)

// exports are the sample, and the stack with everything that the product's own tests keep, by name.
func exports(t *testing.T) map[string][]prod.File {
	t.Helper()
	const everything = "../../profiles/prod/kubernetes/testdata/golden/everything"
	out := map[string][]prod.File{}
	tree := os.DirFS(everything)
	err := fs.WalkDir(tree, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(tree, path)
		out["everything"] = append(out["everything"], prod.File{Path: path, Data: data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs("../../deploy/kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	sample, err := export.Render(t.Context(), "kubernetes", export.Options{Load: prod.LoadOptions{File: "../../ecosystem.yaml"}, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	out["sample"] = sample.Files
	return out
}

// roots are what a person may apply.
var roots = []string{"base", "overlays/dev-cluster", "overlays/production"}

func TestEveryExportIsValid(t *testing.T) {
	for name, files := range exports(t) {
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
