package kubernetes_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"devstack/profiles/prod"
	render "devstack/profiles/prod/kubernetes"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"devstack/conformance/kubernetes"
)

// hostile are the pieces that values are made of: what some parser on the way gives a meaning to.
var hostile = []string{
	"$", "$$", "$(", "$(PORT)", "$$(PORT)", "${PORT}", "$PORT", "$(NONE)", "%", "%s", "%%", "'", "\"", "\\", "\\n", "`", "=", "==", "#", " #", ": ", ":", "- ",
	"\n", "\r", "\r\n", "\t", " ", "  ", "\n\n  ", "yes", "no", "on", "y", "n", "~", "null", "true", "1e3", "0o7", "017", "0x1f", "1:30", "12:30:45", "1_000", "2001-01-01", ".5", "+1",
	".inf", "NaN", "<<", "|", ">", "|-\n", "---", "\n---\n", "...", "&a", "*a", "!!int 1", "@", "{", "}", "{{ .Values }}", "[", "]", ",", "?",
	"\u00a0", "\ufeff", "\ufffd", "\u200b", "\U0001F600", "é", "日本", "\x01", "\x1b[31m", "x", "status:", "kustomize",
}

// values are every piece alone, at both ends of a word, doubled, and n random joins of up to 12; without those
// that Render refuses.
func values(n int) []string {
	out := []string{"", strings.Repeat("a$(PORT) ", 32<<10/9), strings.Repeat("é\n", 16<<10), strings.Repeat("x", 47<<10), strings.Repeat("y ", 40<<10)}
	for _, piece := range hostile {
		out = append(out, piece, piece+"x", "x"+piece, piece+piece, piece+"x"+piece)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range n {
		var b strings.Builder
		for range 1 + random.IntN(12) {
			b.WriteString(hostile[random.IntN(len(hostile))])
		}
		out = append(out, b.String())
	}
	return slices.DeleteFunc(out, func(v string) bool {
		return strings.HasPrefix(v, "\n") && strings.HasPrefix(strings.TrimLeft(v, "\n"), " ")
	})
}

// Every value that a model can hold reaches the process through kustomize, the API server's decoder and the kubelet.
func TestHostileValuesReachTheProcess(t *testing.T) {
	all := values(2000)
	for batch := 0; len(all) > 0; batch++ {
		w := workload()
		size := 0
		for len(all) > 0 && size+len(all[0]) < 500<<10 && len(w.Config) < 200 {
			w.Config = append(w.Config, prod.Variable{Name: fmt.Sprintf("V%04d", len(w.Config)), Value: all[0]})
			if len(all[0]) < 1000 {
				w.Command = append(w.Command, all[0])
				w.Probe.Command = append(w.Probe.Command, all[0])
			}
			size += len(all[0])
			all = all[1:]
		}
		checkProcess(t, w)
	}
}

func workload() prod.Workload {
	return prod.Workload{
		Name: "web", App: "web", Kind: prod.Service, User: 10001, CPUMillis: 100, Replicas: 1, Restart: prod.Always, WorkDir: "/app",
		Image: prod.Image{Repository: "stack/web"}, Command: []string{"node", "server.js"}, Config: []prod.Variable{{Name: "PORT", Value: "3000"}},
		Probe: &prod.Probe{Kind: prod.Exec, Command: []string{"check"}}, Memory: prod.Memory{Limit: 1 << 29, Reservation: 1 << 29},
	}
}

// checkProcess asks the same of an app and of a backing service that is a container.
func checkProcess(t *testing.T, w prod.Workload) {
	t.Helper()
	service := prod.Backing{Name: "db", Kind: prod.Redis, Image: "redis:7", Container: &prod.Container{Command: w.Command, Config: w.Config, Probe: w.Probe}}
	m := prod.Model{Name: "stack", Source: "ecosystem.yaml", Workloads: []prod.Workload{w}, Backing: []prod.Backing{service}}
	files, _, err := render.Render(m, render.Options{})
	if err != nil {
		t.Fatal(err)
	}
	built, err := kubernetes.Build(files, "overlays/production")
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range kubernetes.Problems(built) {
		t.Error(problem)
	}
	want := map[string]string{}
	for _, v := range w.Config {
		want[v.Name] = v.Value
	}
	c := build(t, files, "overlays/production")
	for name, pod := range c.pods {
		container := pod.Spec.Containers[0]
		environment := kubelet(t, c, container)
		if diff := cmp.Diff(want, environment); diff != "" {
			t.Errorf("%s: environment: -want +got:\n%s", name, diff)
		}
		if diff := cmp.Diff(w.Command, expand(slices.Concat(container.Command, container.Args), environment)); diff != "" {
			t.Errorf("%s: command: -want +got:\n%s", name, diff)
		}
		// The kubelet expands a probe's command from the values that are written in the pod alone.
		static := map[string]string{}
		for _, v := range container.Env {
			static[v.Name] = v.Value
		}
		if diff := cmp.Diff(w.Probe.Command, expand(container.ReadinessProbe.Exec.Command, static)); diff != "" {
			t.Errorf("%s: probe: -want +got:\n%s", name, diff)
		}
	}
}

// kubelet is a container's environment as the kubelet's makeEnvironmentVariables has it: the ConfigMap as it is, then the
// container's own variables in order, each expanded from those before it.
func kubelet(t *testing.T, c cluster, container corev1.Container) map[string]string {
	t.Helper()
	environment := map[string]string{}
	for _, from := range container.EnvFrom {
		for _, o := range c.objects {
			if m, is := o.(*corev1.ConfigMap); is && m.Name == from.ConfigMapRef.Name {
				maps.Copy(environment, m.Data)
			}
		}
	}
	for _, v := range container.Env {
		environment[v.Name] = expansion.Expand(v.Value, expansion.MappingFuncFor(environment))
	}
	return environment
}

func expand(words []string, environment map[string]string) []string {
	var out []string
	for _, word := range words {
		out = append(out, expansion.Expand(word, expansion.MappingFuncFor(environment)))
	}
	return out
}
