package rehearse

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"devstack/profiles/prod"
)

// kustomization is an overlay, as a user writes one. JSON is YAML, too.
type kustomization struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Namespace  string      `json:"namespace"`
	Resources  []string    `json:"resources"`
	Images     []kubeImage `json:"images,omitempty"`
}

type kubeImage struct {
	Name    string `json:"name"`
	NewName string `json:"newName"`
	NewTag  string `json:"newTag,omitempty"`
	Digest  string `json:"digest,omitempty"`
}

// imageFor is an overlay's line for a base's image name: reference is NAME[:TAG][@DIGEST].
func imageFor(name, reference string) kubeImage {
	reference, digest, _ := strings.Cut(reference, "@")
	out := kubeImage{Name: name, NewName: reference, Digest: digest}
	if colon := strings.LastIndexByte(reference, ':'); colon > strings.LastIndexByte(reference, '/') {
		out.NewName = reference[:colon]
		if digest == "" {
			out.NewTag = reference[colon+1:]
		}
	}
	return out
}

// apply puts the base on the cluster, and is what kustomize made of it.
func (k *kubeRun) apply(ctx context.Context) ([]byte, error) {
	began := time.Now()
	changed := changedFiles(k.Dir, k.Export.Files)
	if len(changed) > 0 {
		return nil, fmt.Errorf("the files in %s are not the export's: %s", k.Dir, strings.Join(changed, ", "))
	}
	images, err := k.images(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := k.writeOverlay(images)
	if err != nil {
		return nil, err
	}
	manifests, err := k.kube.run(ctx, nil, "kustomize", k.work)
	if err != nil {
		return nil, err
	}
	k.say("applying the base")
	_, err = k.kube.run(ctx, nil, "apply", "-k", k.work)
	k.judge("stack", "base applied unchanged", time.Since(began), err, seen+"; "+k.kube.versions(ctx))
	return manifests, err
}

// changedFiles are those that are not byte for byte what the export says. The user's own are not compared.
func changedFiles(dir string, files []prod.File) []string {
	var out []string
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Path)))
		if !f.Once && (err != nil || !bytes.Equal(data, f.Data)) {
			out = append(out, f.Path)
		}
	}
	return out
}

// images are the overlay's lines for what the base leaves open, in file order.
func (k *kubeRun) images(ctx context.Context) ([]kubeImage, error) {
	var out []kubeImage
	for _, w := range k.model.Workloads {
		reference := k.Images[w.App]
		switch {
		case reference == "" && w.Image.Reference == "":
			return nil, fmt.Errorf("nobody gave an image for %s", w.App)
		case reference == "":
			continue
		case k.Registry != "":
			k.say("pushing %s", w.Image.Repository)
			pushed, err := pushImage(ctx, reference, k.Registry, w.Image.Repository)
			if err != nil {
				return nil, err
			}
			reference = pushed
		}
		out = append(out, imageFor(w.Image.Repository, reference))
	}
	return out, nil
}

// writeOverlay makes the overlay beside nothing of the user's: namespace, images, and the network policies that an export
// writes once for the user's overlay. It is what it did, in words.
func (k *kubeRun) writeOverlay(images []kubeImage) (string, error) {
	// kustomize takes no absolute path, and follows symbolic links before it compares.
	dir, err := filepath.EvalSymlinks(k.Dir)
	if err != nil {
		return "", err
	}
	if k.work, err = filepath.EvalSymlinks(k.work); err != nil {
		return "", err
	}
	base, err := filepath.Rel(k.work, filepath.Join(dir, "base"))
	if err != nil {
		return "", err
	}
	overlay := kustomization{
		APIVersion: "kustomize.config.k8s.io/v1beta1", Kind: "Kustomization", Namespace: k.kube.namespace,
		Resources: []string{filepath.ToSlash(base)}, Images: images,
	}
	seen := "the overlay sets a namespace and " + plural(len(images), "image")
	const policies = "overlays/production/networkpolicy.yaml"
	if at := slices.IndexFunc(k.Export.Files, func(f prod.File) bool { return f.Path == policies }); at >= 0 {
		overlay.Resources = append(overlay.Resources, "networkpolicy.yaml")
		seen += ", and has production's policy of who may connect from outside"
		if err := os.WriteFile(filepath.Join(k.work, "networkpolicy.yaml"), k.Export.Files[at].Data, 0o600); err != nil {
			return "", err
		}
	}
	data, err := json.MarshalIndent(overlay, "", "  ")
	if err != nil {
		return "", err
	}
	return seen, os.WriteFile(filepath.Join(k.work, "kustomization.yaml"), data, 0o600)
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// requiredSecrets are the Secrets that secrets.required.yaml names, as manifests. Values are taken by their keys.
func requiredSecrets(files []prod.File, values map[string]string) ([][]byte, error) {
	var required struct {
		Secrets []struct {
			Name string `yaml:"name"`
			Keys []struct {
				Key string `yaml:"key"`
			} `yaml:"keys"`
		} `yaml:"secrets"`
	}
	for _, f := range files {
		if f.Path != "secrets.required.yaml" {
			continue
		}
		if err := yaml.Unmarshal(f.Data, &required); err != nil {
			return nil, fmt.Errorf("cannot read secrets.required.yaml: %w", err)
		}
	}
	var out [][]byte
	for _, s := range required.Secrets {
		data := map[string]string{}
		for _, key := range s.Keys {
			value, given := values[key.Key]
			if !given {
				return nil, fmt.Errorf("nobody gave a value for %s of the Secret %s", key.Key, s.Name)
			}
			data[key.Key] = value
		}
		manifest, err := json.Marshal(map[string]any{
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]string{"name": s.Name}, "stringData": data,
		})
		if err != nil {
			return nil, err
		}
		out = append(out, manifest)
	}
	return out, nil
}
