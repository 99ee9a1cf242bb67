// Package kubernetes renders the production model as a kustomize base and two overlays.
//
//	base/kustomization.yaml      what the base is made of, and the ConfigMaps' generators
//	base/networkpolicy.yaml      nothing is reached that is not asked for
//	base/apps/NAME.yaml          everything of one app: ServiceAccount, Service, Deployment (Job, CronJob) ...
//	base/config/NAME.env         its plain configuration, a line each
//	base/services/NAME.yaml      a backing service that is a container
//	secrets.required.yaml        the Secrets that must exist: names and who needs them, never values
//	overlays/dev-cluster/        made once, then the user's: images, namespace, who may connect from outside
//	overlays/production/         the same for production
//
// What it promises: the pods pass the restricted Pod Security profile; every value of the model reaches its process byte
// for byte through kustomize, the API server and the kubelet; a changed value changes the ConfigMap's name, by kustomize's
// generator, and so replaces the pods, also when an overlay changes it. What it does not: it knows no cluster, so images,
// Secrets, storage and who may connect from outside are the overlay's.
package kubernetes

import (
	"fmt"
	"maps"
	"slices"

	"devstack/profiles/prod"
	"devstack/stack"
)

// target is the name of this target in reports.
const target = "kubernetes"

// Options is what neither stack nor model say.
type Options struct {
	// Autoscale gives apps (by their names in ecosystem.yaml) a HorizontalPodAutoscaler with this many replicas at most;
	// the app's instances are the least, and 70 % of the requested processor the aim.
	Autoscale map[string]int
}

// renderer writes the files of one stack.
type renderer struct {
	report
	objects
	network network
}

// Render is the model as files, with the report's entries that hold for Kubernetes alone. What Kubernetes cannot express
// is stack.Errors, all problems at once; an app in Options that the model does not have is a *stack.UnknownError.
func Render(m prod.Model, o Options) ([]prod.File, []prod.Entry, error) {
	objects := objects{m.Name}
	r := &renderer{report{prod.Notes{Target: target, Model: m}, o}, objects, network{objects, m}}
	for _, app := range slices.Sorted(maps.Keys(o.Autoscale)) {
		if !slices.ContainsFunc(m.Workloads, func(w prod.Workload) bool { return w.App == app }) {
			return nil, nil, &stack.UnknownError{Kind: "app", Name: app}
		}
	}
	files, err := r.files()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot write the manifests: %w", err)
	}
	if len(r.Found) > 0 {
		return nil, nil, r.Found
	}
	return files, r.Entries, nil
}

// files are all files, in the order in which a person would read them.
func (r *renderer) files() ([]prod.File, error) {
	var out []prod.File
	add := func(path, header string, once bool, documents ...any) error {
		data, err := encode(header, documents...)
		out = append(out, prod.File{Path: path, Data: data, Once: once})
		return err
	}
	if err := add("base/kustomization.yaml", prod.Header, false, r.base()); err != nil {
		return nil, err
	}
	if err := add("base/networkpolicy.yaml", prod.Header, false, r.network.defaultDeny()); err != nil {
		return nil, err
	}
	for _, w := range r.Model.Workloads {
		r.check(w)
		r.account(w)
		if err := add(appFile(w), prod.Header, false, r.app(w)...); err != nil {
			return nil, err
		}
		if lines := configLines(w); len(lines) > 0 {
			out = append(out, prod.File{Path: "base/" + configFile(w), Data: lines})
		}
	}
	for _, b := range r.Model.Backing {
		if b.Container != nil {
			if err := add(backingFile(b), prod.Header, false, r.backing(b)...); err != nil {
				return nil, err
			}
		}
	}
	if secrets := r.requiredSecrets(); len(secrets.Secrets) > 0 {
		if err := add("secrets.required.yaml", prod.Header, false, secrets); err != nil {
			return nil, err
		}
	}
	for _, o := range r.overlays() {
		for _, f := range o.files {
			if err := add("overlays/"+o.name+"/"+f.name, f.header, true, f.documents...); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func appFile(w prod.Workload) string    { return "base/apps/" + w.Name + ".yaml" }
func configFile(w prod.Workload) string { return "config/" + w.Name + ".env" }
func backingFile(b prod.Backing) string { return "base/services/" + b.Name + ".yaml" }
