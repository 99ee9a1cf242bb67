package kubernetes

import (
	"path"

	"devstack/profiles/prod"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Build is what `kubectl kustomize DIR` prints of an export.
func Build(files []prod.File, dir string) ([]byte, error) {
	memory := filesys.MakeFsInMemory()
	for _, f := range files {
		if err := memory.WriteFile(path.Join("/", f.Path), f.Data); err != nil {
			return nil, err
		}
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(memory, path.Join("/", dir))
	if err != nil {
		return nil, err
	}
	return resources.AsYaml()
}
