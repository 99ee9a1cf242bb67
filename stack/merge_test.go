package stack_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devstack/stack"
)

// loadApp loads a file with the app "web" for a profile.
func loadApp(t *testing.T, profile, file string, environ ...string) (*stack.Stack, stack.App) {
	t.Helper()
	dir := write(t, map[string]string{"ecosystem.yaml": file})
	s, err := stack.Load(context.Background(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml"), Profile: profile, Environment: environ})
	if err != nil {
		t.Fatal(err)
	}
	return s, app(t, s, "web")
}

func TestDefaults(t *testing.T) {
	s, got := loadApp(t, "", "apps: [{name: web, script: a.js}]")
	want := stack.App{
		Name: "web", Namespace: "default", Script: s.Dir + "/a.js", Interpreter: "node", Cwd: s.Dir, Instances: 1, ExecMode: "fork", InstanceVar: "NODE_APP_INSTANCE",
		HoldPort: "auto", ListenTimeout: 30 * time.Second, Autostart: true, Autorestart: true,
		MaxRestarts: 10, MinUptime: 10 * time.Second, BackoffBase: 100 * time.Millisecond,
		KillSignal: "SIGTERM", KillTimeout: 10 * time.Second,
		OutFile: s.Dir + "/.devstack/logs/web-out.log", ErrorFile: s.Dir + "/.devstack/logs/web-error.log",
		LogType: "raw", MaxLogSize: 10 << 20, MaxLogFiles: 10,
		Watch: stack.Watch{
			FollowSymlinks: true, Interval: 100 * time.Millisecond, Delay: 300 * time.Millisecond, LogDir: s.Dir + "/.devstack/logs",
		},
		Environment: []stack.Variable{}, Hash: got.Hash,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if s.Profile != "dev" || s.Name != s.Project {
		t.Errorf("profile %q, name %q, project %q", s.Profile, s.Name, s.Project)
	}
}

func TestMergeOrder(t *testing.T) {
	const file = `
defaults: {max_restarts: 1, min_uptime: 1s, kill_timeout: 1s, env: {A: defaults, B: defaults, C: defaults}, healthcheck: {tcp: "a:1", retries: 9}}
apps: [{name: web, script: a.js, min_uptime: 2s, kill_timeout: 2s, env: {B: app, C: app}, healthcheck: {log_line: up}}]
profiles:
  pilot: {defaults: {kill_timeout: 3s, max_memory_restart: 1G}, apps: {web: {max_memory_restart: 2G, env: {C: profile}}}}
  prod: {apps: {web: {healthcheck: null, instances: 1, command: [run]}}}
`
	_, dev := loadApp(t, "", file)
	_, pilot := loadApp(t, "pilot", file)
	_, prod := loadApp(t, "", file, "DEVSTACK_PROFILE=prod")
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"defaults", dev.MaxRestarts, 1},
		{"app over defaults", dev.MinUptime, 2 * time.Second},
		{"profile defaults over app", pilot.KillTimeout, 3 * time.Second},
		{"profile app over profile defaults", pilot.MaxMemory, int64(2 << 30)},
		{"another profile", dev.MaxMemory, int64(0)},
		{"env by key", values(dev, "A", "B", "C"), []string{"defaults", "app", "app"}},
		{"env of a profile", values(pilot, "A", "B", "C"), []string{"defaults", "app", "profile"}},
		{"probe replaces another kind", dev.Healthcheck.LogLine + dev.Healthcheck.TCP, "up"},
		{"timers stay", dev.Healthcheck.Retries, 9},
		{"null takes back", prod.Healthcheck == nil, true},
		{"command replaces script", prod.Script + prod.Command[0], "run"},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", c.name, diff)
		}
	}
}

// values are the values of some variables of an app; absent ones are "unset".
func values(a stack.App, keys ...string) []string {
	var out []string
	for _, key := range keys {
		value := "unset"
		for _, v := range a.Environment {
			if v.Key == key {
				value = v.Value
			}
		}
		out = append(out, value)
	}
	return out
}

// What one key says about another is checked after the merge, where the profile has put it.
func TestAContradictionOnlyWhereTheProfileMakesIt(t *testing.T) {
	const file = "apps: [{name: web, script: a.js}]\nprofiles: {pilot: {apps: {web: {hold_port: true}}}}\n"
	loadApp(t, "dev", file)
	dir := write(t, map[string]string{"ecosystem.yaml": file})
	_, err := stack.Load(context.Background(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml"), Profile: "pilot"})
	if err == nil || !strings.Contains(err.Error(), ":2:44: hold_port: true opens a port before the start") {
		t.Errorf("got %v", err)
	}
}

func TestValues(t *testing.T) {
	_, a := loadApp(t, "", `
apps:
- name: web
  script: bin/run.sh
  args: --a "b c" 'd e' f\ g
  node_args: [--inspect, 9229]
  cwd: sub
  port: "${WEB_PORT:-3000}"
  min_uptime: 1500
  listen_timeout: 1m30s
  restart_delay: 0
  max_memory_restart: 1.5G
  max_log_size: 2M
  kill_signal: int
  kill_timeout: 500ms
  stop_exit_codes: [3, 0, 3]
  log_file: "NULL"
  out_file: /dev/null
  healthcheck: {exec: "test -f ready && true", interval: 1s}
`, "WEB_PORT=4000")
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"script against cwd", strings.HasSuffix(a.Script, "/sub/bin/run.sh"), true},
		{"interpreter", a.Interpreter, "bash"},
		{"args", a.Args, []string{"--a", "b c", "d e", "f g"}},
		{"node_args", a.NodeArgs, []string{"--inspect", "9229"}},
		{"port", a.Port, 4000},
		{"plain milliseconds", a.MinUptime, 1500 * time.Millisecond},
		{"compound", a.ListenTimeout, 90 * time.Second},
		{"zero is a value", *a.RestartDelay, time.Duration(0)},
		{"fraction", a.MaxMemory, int64(3 << 29)},
		{"size", a.MaxLogSize, int64(2 << 20)},
		{"signal", a.KillSignal, "SIGINT"},
		{"ms", a.KillTimeout, 500 * time.Millisecond},
		{"codes", a.StopExitCodes, []int{0, 3}},
		{"NULL", a.LogFile, "/dev/null"},
		{"absolute", a.OutFile, "/dev/null"},
		{"shell", a.Healthcheck.Exec, []string{"/bin/sh", "-c", "test -f ready && true"}},
		{"PORT", values(a, "PORT"), []string{"4000"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", c.name, diff)
		}
	}
}

func TestAnchorsMergeKeysAndEscapes(t *testing.T) {
	_, a := loadApp(t, "", "x-common: &c {script: a.js, env: {A: '$$HOME', B: \"${A:-${B:-deep}}\"}}\napps: [{<<: *c, name: web}, {<<: *c, name: two, script: b.js}]")
	if diff := cmp.Diff([]string{"$HOME", "deep"}, values(a, "A", "B")); diff != "" {
		t.Error(diff)
	}
}

func TestUnsetVariableIsAWarning(t *testing.T) {
	s, _ := loadApp(t, "", "apps: [{name: web, script: a.js, env: {A: \"${NOWHERE}\"}}]")
	if diff := cmp.Diff([]string{`The "NOWHERE" variable is not set. Defaulting to a blank string.`}, s.Warnings); diff != "" {
		t.Error(diff)
	}
}

func TestProjectName(t *testing.T) {
	dir := write(t, map[string]string{
		"My Stack/ecosystem.yaml": "apps: [{name: web, script: a.js}]",
		"named/compose.yaml":      "name: from-file\nservices: {a: {image: x}}",
		"named/ecosystem.yaml":    "name: For People\ncompose: compose.yaml",
	})
	for _, c := range []struct{ dir, flag, env, project, name string }{
		{"My Stack", "", "", "mystack", "mystack"},
		{"My Stack", "", "COMPOSE_PROJECT_NAME=env", "env", "env"},
		{"named", "", "", "from-file", "For People"},
		{"named", "", "COMPOSE_PROJECT_NAME=env", "env", "For People"},
		{"named", "flag", "COMPOSE_PROJECT_NAME=env", "flag", "flag"},
	} {
		s, err := stack.Load(context.Background(), stack.Options{
			File: filepath.Join(dir, c.dir, "ecosystem.yaml"), Project: c.flag, Environment: []string{c.env},
		})
		if err != nil {
			t.Fatal(err)
		}
		if s.Project != c.project || s.Name != c.name {
			t.Errorf("%+v: got project %q, name %q", c, s.Project, s.Name)
		}
	}
}

func TestBadProjectName(t *testing.T) {
	dir := write(t, map[string]string{"ecosystem.yaml": "apps: [{name: web, script: a.js}]"})
	_, err := stack.Load(context.Background(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml"), Project: "My Stack"})
	if err == nil || !strings.HasPrefix(err.Error(), `invalid project name "My Stack"`) {
		t.Errorf("got %v", err)
	}
}

func TestComposeProfileAndOverrideFile(t *testing.T) {
	dir := write(t, map[string]string{
		"compose.yaml":          "services: {a: {image: x}, tools: {image: x, profiles: [pilot]}}",
		"compose.override.yaml": "services: {a: {image: overridden}}",
		"ecosystem.yaml":        "compose: compose.yaml",
	})
	s := load(t, dir)
	if diff := cmp.Diff([]string{"a"}, s.Compose.ServiceNames()); diff != "" {
		t.Error(diff)
	}
	if got := s.Compose.Services["a"].Image; got != "overridden" {
		t.Errorf("image %q: docker compose reads the override file", got)
	}
	if diff := cmp.Diff([]string{"a", "tools"}, load(t, dir, "DEVSTACK_PROFILE=pilot").Compose.ServiceNames()); diff != "" {
		t.Error(diff)
	}
}

func TestSelectedServicesBringTheirDependencies(t *testing.T) {
	dir := write(t, map[string]string{
		"compose.yaml":   "services: {a: {image: x, depends_on: [b]}, b: {image: x}, c: {image: x, env_file: absent.env}}",
		"ecosystem.yaml": "compose: compose.yaml\nservices: [a]",
	})
	if diff := cmp.Diff([]string{"a", "b"}, load(t, dir).Compose.ServiceNames()); diff != "" {
		t.Error(diff)
	}
}

func TestLoadIsRepeatable(t *testing.T) {
	dir := write(t, map[string]string{"compose.yaml": richCompose, "db.env": "", "token": "", "ecosystem.yaml": "compose: compose.yaml\napps: [{name: web, script: a.js, env: {A: a, B: b, C: c}}]"})
	first := load(t, dir, "A=1", "Z=2")
	for range 20 {
		again := load(t, dir, "Z=2", "A=1")
		if diff := cmp.Diff(first.Apps, again.Apps); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(hashes(t, first), hashes(t, again)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestSample(t *testing.T) {
	s := load(t, "..", "PATH=/bin", "ANTHROPIC_API_KEY=x", "DATABASE_URL=postgres://u:p@h/d", "REDIS_URL=redis://h")
	if len(s.Apps) != 6 || len(s.Compose.Services) != 2 || len(s.Missing) != 0 {
		t.Errorf("%d apps, %d services, missing %v", len(s.Apps), len(s.Compose.Services), s.Missing)
	}
	if layers := s.Layers(); len(layers) != 3 || layers[1][0] != "orchestrator" {
		t.Errorf("layers %v", layers)
	}
	if len(s.Artifacts()) != 6 {
		t.Errorf("artifacts %v", s.Artifacts())
	}
}
