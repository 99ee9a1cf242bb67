package kubernetes_test

import (
	"strings"
	"testing"

	"devstack/profiles/prod"
	render "devstack/profiles/prod/kubernetes"

	"devstack/conformance/kubernetes"
)

// Names that YAML, kustomize or an older API take for something else are names all the same.
func TestNamesThatMeanSomethingElse(t *testing.T) {
	long := "a" + strings.Repeat("b", 39)
	names := []string{"on", "y", "no", "true", "null", "kustomization", "network", "config", "default-deny", "x", "x-config", "stack", "stack-secrets", "service", "a1e3", long}
	for _, stack := range []string{"stack", "on", "y", "null", long} {
		m := prod.Model{Name: stack, Source: "ecosystem.yaml"}
		for i, name := range names {
			w := workload()
			w.Name, w.App, w.Image.Repository = name, name, stack+"/"+name
			w.Kind = []prod.Kind{prod.Service, prod.Job, prod.Cron}[i%3]
			w.Secrets = []prod.Secret{{Name: "on"}, {Name: "null"}}
			w.Config = []prod.Variable{{Name: "y", Value: "n"}, {Name: "true", Value: "null"}}
			w.Schedule = prod.Schedule{Expression: "*/5 * * * *"}
			if w.Kind == prod.Service {
				w.Ports = []prod.Port{{Name: "http", Number: 3000, Protocol: "tcp"}}
			}
			m.Workloads = append(m.Workloads, w)
		}
		files, _, err := render.Render(m, render.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, root := range roots {
			built, err := kubernetes.Build(files, root)
			if err != nil {
				t.Fatalf("%s: %s: %v", stack, root, err)
			}
			for _, problem := range kubernetes.Problems(built) {
				t.Errorf("%s: %s: %s", stack, root, problem)
			}
			if made := len(build(t, files, root).pods); made != len(names) {
				t.Errorf("%s: %s: %d workloads of %d", stack, root, made, len(names))
			}
		}
	}
}
