package kubernetes

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"devstack/profiles/prod"
)

// What is written, read back, is the model again, apart from what the report has an entry for.
func TestDecodedFilesAreTheModel(t *testing.T) {
	for _, file := range []string{"../../../ecosystem.yaml", "testdata/cases/everything/ecosystem.yaml"} {
		st, err := prod.Load(t.Context(), prod.LoadOptions{File: file})
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := prod.Derive(st, prod.Options{})
		if err != nil {
			t.Fatal(err)
		}
		files, entries, err := Render(m, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range m.Workloads {
			want := carried(t, w, entries)
			got := decodeWorkload(t, w.Name, files)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s: -model +files:\n%s", file, w.Name, diff)
			}
		}
	}
}

// carried is a workload without what no manifest says. What is said otherwise has to be in the report.
func carried(t *testing.T, w prod.Workload, entries []prod.Entry) prod.Workload {
	t.Helper()
	subject := prod.AppSubject(w.App)
	reported := func(key string) {
		t.Helper()
		if !slices.ContainsFunc(entries, func(e prod.Entry) bool { return e.Subject == subject && e.Key == key }) {
			t.Errorf("%s: %s is not what was asked for, and the report has no entry", subject, key)
		}
	}
	argv := w.ProbeArgv()
	w.App, w.Runtime, w.Image.Variable, w.Memory.HeapMiB, w.Logs = "", "", "", 0, prod.Logs{} // names, and what is in the image, in NODE_OPTIONS, on the node
	if w.Image.Reference == "" {
		w.Image.Reference = w.Image.Repository
	}
	w.Image.Repository = ""
	w.Secrets = slices.Clone(w.Secrets)
	for i := range w.Secrets {
		w.Secrets[i].Reason = "" // in secrets.required.yaml
	}
	for _, e := range w.Edges { // network policies say whom it reaches, which conformance/ asks by connection
		if e.Wait == prod.JobFirst {
			reported("depends_on." + e.Name)
		}
	}
	w.Edges = nil
	if w.Stop.Signal != "SIGTERM" {
		reported("kill_signal")
	}
	w.Stop.Signal = ""
	w.Stop.Grace = rounded(w.Stop.Grace, func() { reported("kill_timeout") })
	if w.Kind == prod.Service && w.Restart != prod.Always {
		reported("stop_exit_codes")
		w.Restart = prod.Always
	}
	if w.Kind == prod.Cron && w.Schedule.Zone == "" {
		w.Schedule.Zone = "Etc/UTC"
	}
	if w.Probe == nil {
		return w
	}
	p := *w.Probe
	p.Interval = rounded(p.Interval, func() { reported("healthcheck.interval") })
	p.Timeout = rounded(p.Timeout, func() { reported("healthcheck.timeout") })
	p.StartPeriod = p.StartPeriod.Round(startupPeriod)
	if p.Derived {
		p.Retries = 0
	}
	if own := len(w.Ports) > 0 && w.Ports[0].Number == p.Port; !own && p.Kind != prod.Exec {
		reported("healthcheck." + string(p.Kind))
		p = prod.Probe{Kind: prod.Exec, Command: argv, Interval: p.Interval, Timeout: p.Timeout, Retries: p.Retries, StartPeriod: p.StartPeriod}
	}
	w.Probe = &p
	return w
}

func rounded(d time.Duration, differs func()) time.Duration {
	out := time.Duration(seconds(d)) * time.Second
	if out != d {
		differs()
	}
	return out
}

// document is any object, with the specs of all kinds that hold a workload.
type document struct {
	Kind string    `yaml:"kind"`
	Spec yaml.Node `yaml:"spec"`
}

func data(t *testing.T, files []prod.File, path string) []byte {
	t.Helper()
	for _, f := range files {
		if f.Path == path {
			return f.Data
		}
	}
	return nil
}

func decodeWorkload(t *testing.T, name string, files []prod.File) prod.Workload {
	t.Helper()
	w := prod.Workload{Name: name, Restart: prod.Always, Config: []prod.Variable{}, Secrets: []prod.Secret{}, Ports: []prod.Port{}}
	decode := func(n yaml.Node, into any) {
		if err := n.Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	for decoder := yaml.NewDecoder(bytes.NewReader(data(t, files, "base/apps/"+name+".yaml"))); ; {
		var d document
		if err := decoder.Decode(&d); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch d.Kind {
		case "Deployment":
			var spec deploymentSpec
			decode(d.Spec, &spec)
			w.Kind, w.Replicas, w.Singleton = prod.Service, *spec.Replicas, spec.Strategy.Type == "Recreate"
			decodePod(t, &w, spec.Template.Spec)
		case "Job":
			var spec jobSpec
			decode(d.Spec, &spec)
			w.Kind, w.Replicas, w.Restart = prod.Job, 1, prod.Never
			decodePod(t, &w, spec.Template.Spec)
		case "CronJob":
			var spec cronJobSpec
			decode(d.Spec, &spec)
			w.Kind, w.Replicas, w.Restart = prod.Cron, 1, prod.Never
			w.Schedule = prod.Schedule{Expression: spec.Schedule, Zone: spec.TimeZone}
			decodePod(t, &w, spec.JobTemplate.Spec.Template.Spec)
		}
	}
	for _, line := range strings.Split(string(data(t, files, "base/config/"+name+".env")), "\n") {
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			w.Config = append(w.Config, prod.Variable{Name: name, Value: value})
		}
	}
	slices.SortFunc(w.Config, func(a, b prod.Variable) int { return strings.Compare(a.Name, b.Name) })
	return w
}

func decodePod(t *testing.T, w *prod.Workload, pod podSpec) {
	t.Helper()
	c := pod.Containers[0]
	w.Image.Reference, w.WorkDir, w.User = string(c.Image), string(c.WorkDir), pod.Security.User
	w.Command = unescape(c.Command)
	w.Stop.Grace = time.Duration(pod.Grace) * time.Second
	if c.Lifecycle != nil {
		sleep := c.Lifecycle["preStop"].(fields)["sleep"].(fields)
		w.Stop.Grace -= time.Duration(sleep["seconds"].(int)) * time.Second
	}
	for _, v := range c.Env {
		if v.ValueFrom != nil {
			w.Secrets = append(w.Secrets, prod.Secret{Name: v.Name})
			continue
		}
		w.Config = append(w.Config, prod.Variable{Name: v.Name, Value: unescape([]text{*v.Value})[0]})
	}
	for _, p := range c.Ports {
		w.Ports = append(w.Ports, prod.Port{Name: p.Name, Number: p.Port, Protocol: "tcp"})
	}
	w.Memory = prod.Memory{Limit: bytesOf(t, c.Resources.Limits.Memory), Reservation: bytesOf(t, c.Resources.Requests.Memory)}
	w.CPUMillis, _ = strconv.Atoi(strings.TrimSuffix(c.Resources.Requests.CPU, "m"))
	w.Probe = decodeProbe(c, w.Ports)
}

func decodeProbe(c container, ports []prod.Port) *prod.Probe {
	if c.Readiness == nil {
		return nil
	}
	p := &prod.Probe{
		Interval: time.Duration(c.Readiness.Period) * time.Second, Timeout: time.Duration(c.Readiness.Timeout) * time.Second,
		StartPeriod: time.Duration(c.Startup.Period*c.Startup.Failures) * time.Second, Derived: c.Liveness == nil,
	}
	if c.Liveness != nil {
		p.Retries = int(c.Liveness.Failures)
	}
	switch {
	case c.Readiness.HTTP != nil:
		p.Kind, p.Scheme, p.Path, p.Port = prod.HTTP, "http", string(c.Readiness.HTTP.Path), ports[0].Number
	case c.Readiness.TCP != nil:
		p.Kind, p.Port = prod.TCP, ports[0].Number
	default:
		p.Kind, p.Command = prod.Exec, unescape(c.Readiness.Exec.Command)
	}
	return p
}

func unescape(words []text) []string {
	var out []string
	for _, word := range words {
		out = append(out, strings.ReplaceAll(string(word), "$$", "$"))
	}
	return out
}

func bytesOf(t *testing.T, quantity string) int64 {
	t.Helper()
	for suffix, factor := range map[string]int64{"Gi": 1 << 30, "Mi": 1 << 20, "Ki": 1 << 10} {
		if number, ok := strings.CutSuffix(quantity, suffix); ok {
			n, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n * factor
		}
	}
	n, err := strconv.ParseInt(quantity, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
