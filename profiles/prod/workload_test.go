package prod_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devstack/profiles/prod"
)

func TestCommands(t *testing.T) {
	for _, c := range []struct {
		name, app       string
		command         []string
		runtime, within string
	}{
		{"a script", "{name: a, script: dist/s.js, args: [x y, '$$Z'], node_args: --enable-source-maps}", []string{"node", "--enable-source-maps", "dist/s.js", "x y", "$Z"}, "node", "/app"},
		{"in a directory", "{name: a, script: s.js, cwd: packages/a}", []string{"node", "s.js"}, "node", "/app/packages/a"},
		{"beside its directory", "{name: a, script: ../../s.js, cwd: packages/a}", []string{"node", "/app/s.js"}, "node", "/app/packages/a"},
		{"an executable", "{name: a, script: bin/run}", []string{"/app/bin/run"}, "", "/app"},
		{"another interpreter", "{name: a, script: s.js, interpreter: bun}", []string{"bun", "s.js"}, "bun", "/app"},
		{"an interpreter of this machine", "{name: a, script: s.js, interpreter: /opt/node/bin/node}", []string{"node", "s.js"}, "node", "/app"},
		{"an interpreter of the project", "{name: a, script: s.js, interpreter: ./tools/node}", []string{"/app/tools/node", "s.js"}, "", "/app"},
		{"an argv", "{name: a, command: [npm, start]}", []string{"npm", "start"}, "npm", "/app"},
		{"a line without need of a shell", "{name: a, command: npm run start}", []string{"npm", "run", "start"}, "npm", "/app"},
		{"a line for a shell", "{name: a, command: a && b}", []string{"/bin/sh", "-c", "a && b"}, "sh", "/app"},
		{"an absolute program", "{name: a, command: [/usr/bin/python3, x.py]}", []string{"python3", "x.py"}, "python3", "/app"},
		{"a program of the project", "{name: a, command: [./run, x], cwd: packages/a}", []string{"/app/packages/a/run", "x"}, "", "/app/packages/a"},
	} {
		m, _ := derived(t, loaded(t, "apps: ["+c.app+"]"), prod.Options{})
		w := m.Workloads[0]
		if diff := cmp.Diff(c.command, w.Command); diff != "" || w.Runtime != c.runtime || w.WorkDir != c.within {
			t.Errorf("%s: runtime %q, in %s; command -want +got:\n%s", c.name, w.Runtime, w.WorkDir, diff)
		}
	}
}

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		keys      string
		kind      prod.Kind
		restart   prod.Restart
		replicas  int
		singleton bool
	}{
		{"port: 80", prod.Service, prod.Always, 1, false},
		{"port: 80, hold_port: false", prod.Service, prod.Always, 1, true},
		{"", prod.Service, prod.Always, 1, true},
		{"instances: 3", prod.Service, prod.Always, 3, false},
		{"autostart: false", prod.Service, prod.Always, 0, true},
		{"stop_exit_codes: [0]", prod.Service, prod.OnFailure, 1, true},
		{"stop_exit_codes: [3]", prod.Service, prod.Always, 1, true},
		{"one_shot: true", prod.Job, prod.Never, 1, false},
		{"one_shot: true, instances: 3", prod.Job, prod.Never, 1, false},
		{"autorestart: false", prod.Job, prod.Never, 1, false},
		{"autorestart: false, port: 80", prod.Service, prod.Never, 1, false},
		{"one_shot: true, cron_restart: '0 3 * * *'", prod.Cron, prod.Never, 1, false},
		{"cron_restart: '0 3 * * *'", prod.Service, prod.Always, 1, true},
	} {
		m, _ := derived(t, loaded(t, oneApp(c.keys)), prod.Options{})
		w := m.Workloads[0]
		if w.Kind != c.kind || w.Restart != c.restart || w.Replicas != c.replicas || w.Singleton != c.singleton {
			t.Errorf("{%s}: %s, %s, %d replicas, singleton %v", c.keys, w.Kind, w.Restart, w.Replicas, w.Singleton)
		}
	}
}

func TestSchedules(t *testing.T) {
	for _, c := range []struct{ cron, expression, zone string }{
		{"0 3 * * *", "0 3 * * *", ""},
		{"CRON_TZ=Europe/Vienna 0 3 * * 1-5", "0 3 * * 1-5", "Europe/Vienna"},
		{"TZ=UTC @daily", "0 0 * * *", "UTC"},
		{"0 15 3 * * *", "15 3 * * *", ""},
		{"@hourly", "0 * * * *", ""},
	} {
		m, _ := derived(t, loaded(t, oneApp("one_shot: true, cron_restart: '"+c.cron+"'")), prod.Options{})
		if s := m.Workloads[0].Schedule; s.Expression != c.expression || s.Zone != c.zone {
			t.Errorf("%s: %+v", c.cron, s)
		}
	}
}

func TestProbes(t *testing.T) {
	base := prod.Probe{Interval: 5 * time.Second, Timeout: 2 * time.Second, Retries: 3, StartPeriod: 30 * time.Second}
	with := func(change func(*prod.Probe)) *prod.Probe {
		p := base
		change(&p)
		return &p
	}
	for _, c := range []struct {
		keys string
		want *prod.Probe
		argv string // what the container runs, the words joined; empty: none
	}{
		{"", nil, ""},
		{"port: 80", with(func(p *prod.Probe) { p.Kind, p.Port, p.Derived = prod.TCP, 80, true }), "80 2000"},
		{"port: 80, healthcheck: {http: '/h?a=b'}", with(func(p *prod.Probe) { p.Kind, p.Scheme, p.Path, p.Port = prod.HTTP, "http", "/h?a=b", 80 }), "http://127.0.0.1:80/h?a=b 2000"},
		{"port: 80, healthcheck: {http: 'https://localhost:81/'}", with(func(p *prod.Probe) { p.Kind, p.Scheme, p.Path, p.Port = prod.HTTP, "https", "/", 81 }), "https://127.0.0.1:81/ 2000"},
		{"port: 80, healthcheck: {http: 'http://api.example.com/'}", nil, ""},
		{"healthcheck: {tcp: 81}", with(func(p *prod.Probe) { p.Kind, p.Port = prod.TCP, 81 }), "81 2000"},
		{"healthcheck: {tcp: 'db:81'}", nil, ""},
		{"healthcheck: {exec: node health.js}", with(func(p *prod.Probe) { p.Kind, p.Command = prod.Exec, []string{"node", "health.js"} }), "node health.js"},
		{"healthcheck: {exec: 'test -f /tmp/a && true'}", with(func(p *prod.Probe) {
			p.Kind, p.Command = prod.Exec, []string{"/bin/sh", "-c", "test -f /tmp/a && true"}
		}), "/bin/sh -c test -f /tmp/a && true"},
		{"healthcheck: {log_line: up}", nil, ""},
		{"healthcheck: {tcp: 81, start_period: 2m, interval: 1s, retries: 9, timeout: 3s}", &prod.Probe{Kind: prod.TCP, Port: 81, Interval: time.Second, Timeout: 3 * time.Second, Retries: 9, StartPeriod: 2 * time.Minute}, "81 3000"},
		{"one_shot: true, port: 80", nil, ""},
	} {
		m, _ := derived(t, loaded(t, oneApp(c.keys)), prod.Options{})
		w := m.Workloads[0]
		if diff := cmp.Diff(c.want, w.Probe); diff != "" {
			t.Errorf("{%s}: -want +got:\n%s", c.keys, diff)
		}
		if argv := strings.Join(w.ProbeArgv(), " "); !strings.HasSuffix(argv, c.argv) || c.argv == "" && argv != "" {
			t.Errorf("{%s}: the container runs %s", c.keys, argv)
		}
	}
	m, _ := derived(t, loaded(t, "apps: [{name: a, command: [python3, x.py], port: 80}]"), prod.Options{})
	if argv := m.Workloads[0].ProbeArgv(); argv != nil {
		t.Errorf("an image without Node.js is asked to run %v", argv)
	}
}

func TestMemory(t *testing.T) {
	const mebibyte = 1 << 20
	for _, c := range []struct {
		keys    string
		limit   int64
		heap    int
		options string
	}{
		{"max_memory_restart: 1G", 1024 * mebibyte, 768, "--max-old-space-size=768"},
		{"", 512 * mebibyte, 384, "--max-old-space-size=384"},
		{"env: {NODE_OPTIONS: --no-warnings}", 512 * mebibyte, 384, "--no-warnings --max-old-space-size=384"},
		{"env: {NODE_OPTIONS: --max-old-space-size=400}", 512 * mebibyte, 400, "--max-old-space-size=400"},
		{"node_args: --max_old_space_size=300", 512 * mebibyte, 300, "unset"},
		{"interpreter: bun", 512 * mebibyte, 0, "unset"},
	} {
		m, _ := derived(t, loaded(t, oneApp(c.keys)), prod.Options{})
		w := m.Workloads[0]
		if w.Memory.Limit != c.limit || w.Memory.HeapMiB != c.heap || config(w, "NODE_OPTIONS") != c.options {
			t.Errorf("{%s}: %+v, NODE_OPTIONS %s", c.keys, w.Memory, config(w, "NODE_OPTIONS"))
		}
	}
}

func TestEdges(t *testing.T) {
	m, r := derived(t, loaded(t, `
apps:
- {name: Migrate_DB, script: m.js, one_shot: true}
- {name: api, script: a.js, port: 80, depends_on: {Migrate_DB: {condition: service_completed_successfully}}}
- {name: web, script: w.js, depends_on: [api]}
`), prod.Options{Images: map[string]string{"api": "registry.example.com/api@sha256:00"}})
	api, web := m.Workloads[1], m.Workloads[2]
	if diff := cmp.Diff([]prod.Edge{{Name: "migrate-db", Condition: "service_completed_successfully", Wait: prod.JobFirst}}, api.Edges); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]prod.Edge{{Name: "api", Condition: "service_healthy", Wait: prod.Retry}}, web.Edges); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(prod.Image{Repository: m.Name + "/api", Reference: "registry.example.com/api@sha256:00", Variable: "API_IMAGE"}, api.Image); diff != "" {
		t.Error(diff)
	}
	if e := entry(t, r, "app Migrate_DB", "name"); e.Verdict != prod.IsApproximated {
		t.Errorf("a changed name is %s", e.Verdict)
	}
}
