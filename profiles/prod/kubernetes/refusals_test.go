package kubernetes_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devstack/profiles/prod"
	"devstack/profiles/prod/kubernetes"
	"devstack/stack"
)

// model is a stack of one app.
func model(change func(w *prod.Workload)) prod.Model {
	w := prod.Workload{
		Name: "web", App: "web", Kind: prod.Service, User: 10001, CPUMillis: 250, Replicas: 2, Restart: prod.Always, WorkDir: "/app",
		Image: prod.Image{Repository: "s/web", Variable: "WEB_IMAGE"}, Command: []string{"node", "web.js"}, Runtime: "node",
		Stop: prod.Stop{Signal: "SIGTERM", Grace: 10 * time.Second}, Memory: prod.Memory{Limit: 1 << 29, Reservation: 1 << 29},
	}
	change(&w)
	return prod.Model{Name: "s", Source: "ecosystem.yaml", Workloads: []prod.Workload{w}}
}

func TestWhatIsRefused(t *testing.T) {
	scale := kubernetes.Options{Autoscale: map[string]int{"web": 3}}
	cases := []struct {
		name    string
		change  func(w *prod.Workload)
		options kubernetes.Options
		want    string
	}{
		{"a name of a variable", func(w *prod.Workload) { w.Config = []prod.Variable{{Name: "a b", Value: "x"}} }, kubernetes.Options{}, "app web: env.a b: Kubernetes has no such name"},
		{"a name of a secret", func(w *prod.Workload) { w.Secrets = []prod.Secret{{Name: "1TOKEN"}} }, kubernetes.Options{}, "app web: env.1TOKEN: Kubernetes has no such name"},
		{"a line separator", func(w *prod.Workload) { w.Config = []prod.Variable{{Name: "A", Value: "x\u2028y"}} }, kubernetes.Options{}, "app web: env.A: kustomize does not keep the value"},
		{"a control character", func(w *prod.Workload) { w.Config = []prod.Variable{{Name: "A", Value: "\x7f"}} }, kubernetes.Options{}, "app web: env.A: kustomize does not keep the value"},
		{"an indented line after empty ones", func(w *prod.Workload) { w.Config = []prod.Variable{{Name: "A", Value: "\n\n x"}} }, kubernetes.Options{}, "app web: env.A: kustomize does not keep the value"},
		{"a word of the command", func(w *prod.Workload) { w.Command = append(w.Command, "\u0085") }, kubernetes.Options{}, "app web: command: kustomize does not keep a word"},
		{"a word of the healthcheck", func(w *prod.Workload) { w.Probe = &prod.Probe{Kind: prod.Exec, Command: []string{"\u0085"}} }, kubernetes.Options{}, "app web: healthcheck: kustomize does not keep a word"},
		{"more than a ConfigMap holds", func(w *prod.Workload) { w.Config = []prod.Variable{{Name: "A", Value: strings.Repeat("x", 1<<20)}} }, kubernetes.Options{}, "app web: env: its values are larger than 1 MiB"},
		{"local time", func(w *prod.Workload) {
			w.Kind, w.Schedule = prod.Cron, prod.Schedule{Expression: "0 0 * * *", Zone: "Local"}
		}, kubernetes.Options{}, "app web: cron_restart: a cluster has no local time"},
		{"scaling what is one", func(w *prod.Workload) { w.Singleton, w.Replicas = true, 1 }, scale, "app web: instances: it cannot be scaled: two must never run"},
		{"scaling a job", func(w *prod.Workload) { w.Kind = prod.Job }, scale, "app web: instances: it cannot be scaled: it runs to its end"},
		{"scaling what is not started", func(w *prod.Workload) { w.Replicas = 0 }, scale, "app web: instances: it cannot be scaled: autostart: false"},
		{"scaling below the instances", func(w *prod.Workload) { w.Replicas = 4 }, scale, "app web: instances: at most 3 replicas are fewer than its 4 instances"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			files, _, err := kubernetes.Render(model(c.change), c.options)
			var problems stack.Errors
			if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(problems[0].Message, c.want) || problems[0].Hint == "" {
				t.Errorf("got %v, want one problem with a hint: %s", err, c.want)
			}
			if files != nil {
				t.Error("there are files nevertheless")
			}
		})
	}
}

func TestRootOfABackingServiceIsRefused(t *testing.T) {
	m := model(func(*prod.Workload) {})
	for _, user := range []string{"", "0", "root", "0:0"} {
		m.Backing = []prod.Backing{{Name: "mail", Kind: prod.Other, Image: "mail:1", Container: &prod.Container{User: user}}}
		_, _, err := kubernetes.Render(m, kubernetes.Options{})
		if err == nil || !strings.Contains(err.Error(), "service mail: user: the restricted profile needs a number") {
			t.Errorf("user %q: got %v", user, err)
		}
	}
}

func TestAnUnknownAppIsAUsageError(t *testing.T) {
	_, _, err := kubernetes.Render(model(func(*prod.Workload) {}), kubernetes.Options{Autoscale: map[string]int{"wbe": 2}})
	var unknown *stack.UnknownError
	if !errors.As(err, &unknown) || unknown.Name != "wbe" {
		t.Errorf("got %v", err)
	}
}

func TestTheSameBytesTwice(t *testing.T) {
	m, _, o := everything(t)
	first, entries, err := kubernetes.Render(m, o)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, more, err := kubernetes.Render(m, o)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again) + cmp.Diff(entries, more); diff != "" {
			t.Fatal(diff)
		}
	}
}

// An entry of this target is about a key that the general report has, so that it takes its place.
func TestEntriesAreOfKnownKeys(t *testing.T) {
	m, report, o := everything(t)
	_, entries, err := kubernetes.Render(m, o)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[2]string]bool{}
	for _, e := range entries {
		key := [2]string{e.Subject, e.Key}
		if seen[key] {
			t.Errorf("%s %s: two entries", e.Subject, e.Key)
		}
		seen[key] = true
		known := slices.ContainsFunc(report.Entries, func(x prod.Entry) bool {
			return x.Subject == e.Subject && (x.Key == e.Key || e.Key == "depends_on" && strings.HasPrefix(x.Key, "depends_on."))
		})
		if !known {
			t.Errorf("%s %s: the report has no such key", e.Subject, e.Key)
		}
	}
}

// Only what the user owns from then on is made once.
func TestOverlaysAreMadeOnce(t *testing.T) {
	m, _, o := everything(t)
	files, _, err := kubernetes.Render(m, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Once != strings.HasPrefix(f.Path, "overlays/") {
			t.Errorf("%s: once is %v", f.Path, f.Once)
		}
		if !f.Once && !strings.HasPrefix(string(f.Data), prod.Header) {
			t.Errorf("%s does not begin with the header", f.Path)
		}
	}
}
