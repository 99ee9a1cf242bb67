package kubernetes

import "devstack/profiles/prod"

// yours is the first line of a file that is made once.
const yours = "# Made once by devstack export, and yours from then on.\n"

type kustomization struct {
	APIVersion string          `yaml:"apiVersion"`
	Kind       string          `yaml:"kind"`
	Namespace  string          `yaml:"namespace,omitempty"`
	Resources  []string        `yaml:"resources"`
	Generators []generator     `yaml:"configMapGenerator,omitempty"`
	Images     []imageOverride `yaml:"images,omitempty"`
}

type generator struct {
	Name    string   `yaml:"name"`
	Envs    []string `yaml:"envs"`
	Options fields   `yaml:"options"`
}

type imageOverride struct {
	Name    string `yaml:"name"`
	NewName string `yaml:"newName,omitempty"`
	NewTag  string `yaml:"newTag"`
}

func newKustomization() kustomization {
	return kustomization{APIVersion: "kustomize.config.k8s.io/v1beta1", Kind: "Kustomization"}
}

// base lists what the base is made of. The generator gives every ConfigMap the hash of its content as a suffix.
func (r *renderer) base() kustomization {
	k := newKustomization()
	k.Resources = []string{"networkpolicy.yaml"}
	for _, w := range r.Model.Workloads {
		k.Resources = append(k.Resources, "apps/"+w.Name+".yaml")
		if len(configLines(w)) > 0 {
			k.Generators = append(k.Generators, generator{
				Name: configName(w), Envs: []string{configFile(w)},
				Options: fields{"labels": r.labels(w.Name, string(w.Kind))},
			})
		}
	}
	for _, b := range r.Model.Backing {
		if b.Container != nil {
			k.Resources = append(k.Resources, "services/"+b.Name+".yaml")
		}
	}
	return k
}

type overlay struct {
	name  string
	files []overlayFile
}

type overlayFile struct {
	name      string
	header    string
	documents []any
}

// overlays are what depends on a cluster: a namespace that enforces the restricted profile, images, and who may connect
// from outside of the stack.
func (r *renderer) overlays() []overlay {
	dev := overlay{name: "dev-cluster"}
	dev.files = r.overlayFiles(r.Model.Name+"-dev", "# Images as they are built here and loaded into the cluster.\n",
		func(i prod.Image) imageOverride { return imageOverride{Name: i.Repository, NewTag: "dev"} })
	production := overlay{name: "production"}
	production.files = r.overlayFiles(r.Model.Name, "# Write your registry below, and a tag that never moves, or a digest.\n",
		func(i prod.Image) imageOverride {
			return imageOverride{Name: i.Repository, NewName: "registry.example.com/" + i.Repository, NewTag: "CHANGE-ME"}
		})
	return []overlay{dev, production}
}

func (r *renderer) overlayFiles(namespace, hint string, image func(prod.Image) imageOverride) []overlayFile {
	k := newKustomization()
	k.Namespace = namespace
	k.Resources = []string{"../../base", "namespace.yaml"}
	var open []any
	for _, w := range r.Model.Workloads {
		if w.Image.Reference == "" {
			k.Images = append(k.Images, image(w.Image))
		}
		if len(w.Ports) > 0 && w.Kind == prod.Service {
			open = append(open, r.network.fromOutside(w))
		}
	}
	if len(k.Images) == 0 {
		hint = ""
	}
	var out []overlayFile
	if len(open) > 0 {
		k.Resources = append(k.Resources, "networkpolicy.yaml")
		out = append(out, overlayFile{"networkpolicy.yaml", yours + "# Who may connect from outside of the stack: every namespace. Narrow it to what brings traffic in, or remove it.\n", open})
	}
	return append([]overlayFile{
		{"kustomization.yaml", yours + hint, []any{k}},
		{"namespace.yaml", yours, []any{namespaceObject(namespace)}},
	}, out...)
}

func namespaceObject(name string) object {
	return object{APIVersion: "v1", Kind: "Namespace", Metadata: metadata{Name: name, Labels: fields{"pod-security.kubernetes.io/enforce": "restricted"}}}
}
