package prod_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/profiles/prod"
	"devstack/stack"
)

// everything sets every key to something that is not its default.
const everything = `
name: Every Thing
compose: compose.yaml
services: [redis, db]
env_file: other.env
required_env: [NEEDED]
log_dir: logs
build: {command: npm run build, if_missing: true}
defaults: {namespace: group}
apps:
- name: Web_App
  script: dist/a.js
  args: [x]
  node_args: [--no-warnings]
  interpreter: /usr/bin/node
  cwd: packages/web
  env: {A: b}
  env_file: web.env
  instances: 3
  exec_mode: fork
  instance_var: NUMBER
  increment_var: PORT
  port: 3000
  hold_port: true
  depends_on: [redis, db]
  healthcheck: {http: /h, interval: 1s, timeout: 1s, retries: 5, start_period: 1m}
  wait_ready: true
  listen_timeout: 10s
  autostart: false
  autorestart: false
  max_restarts: 5
  min_uptime: 1s
  restart_delay: 1s
  stop_exit_codes: [3]
  cron_restart: "0 3 * * *"
  max_memory_restart: 1G
  kill_signal: SIGINT
  kill_timeout: 30s
  shutdown_with_message: true
  watch: true
  ignore_watch: [x]
  watch_options: {followSymlinks: false, usePolling: true, interval: 1s}
  watch_delay: 1s
  out_file: /dev/null
  error_file: e.log
  log_file: l.log
  merge_logs: true
  log_date_format: YYYY
  log_type: json
  max_log_size: 1M
  max_log_files: 2
- name: job
  command: node job.js
  one_shot: true
  exp_backoff_restart_delay: 1s
  healthcheck: {exec: "true"}
- {name: tcp, script: t.js, healthcheck: {tcp: 90}}
- {name: log, script: t.js, healthcheck: {log_line: up}}
profiles:
  prod: {apps: {Web_App: {args: [y]}}}
`

const everyService = `
services:
  redis:
    image: redis:7-alpine
    container_name: the-redis
    command: [redis-server, --appendonly, "yes"]
    ports: ["6380:6379"]
    volumes: [data:/data]
    restart: always
    mem_limit: 256m
    sysctls: {net.core.somaxconn: 1024}
    networks: [back]
    labels: {a: b}
    healthcheck: {test: [CMD, redis-cli, ping], interval: 5s, retries: 5}
  db:
    image: postgres:16
    environment: {POSTGRES_PASSWORD: x, POSTGRES_DB: app}
    stop_signal: SIGINT
    stop_grace_period: 1m
    healthcheck: {test: pg_isready -U app}
    depends_on: [redis]
volumes: {data: }
networks: {back: }
`

func everyStack(t *testing.T) *stack.Stack {
	return loadedWith(t, map[string]string{"ecosystem.yaml": everything, "compose.yaml": everyService, "packages/web/x": "", "web.env": "W=1\n"})
}

func TestEverything(t *testing.T) {
	m, r := derived(t, everyStack(t), prod.Options{Containers: []string{"db"}})
	golden(t, "everything.json", asJSON(t, m))
	golden(t, "everything-report.json", asJSON(t, r))
	golden(t, "everything-report.txt", []byte(r.Text(false)))
}

// Every key that Load reads is in the report: those of stack's tables, and the keys inside of keys that its schema has.
func TestEveryKeyIsAccountedFor(t *testing.T) {
	_, r := derived(t, everyStack(t), prod.Options{})
	seen := map[string]bool{}
	for _, e := range r.Entries {
		if strings.Contains(e.How, "does not know this key") && e.Subject != "compose" {
			t.Errorf("%s of %s has no rule", e.Key, e.Subject)
		}
		if e.How == "" || e.Verdict == prod.IsDropped && e.Fix == "" {
			t.Errorf("%s of %s says not enough: %+v", e.Key, e.Subject, e)
		}
		kind, _, _ := strings.Cut(e.Subject, " ")
		seen[kind+"."+e.Key] = true
		key, _, _ := strings.Cut(e.Key, ".")
		seen[kind+"."+key] = true
	}
	schema := stack.Schema()
	parts := schema["$defs"].(map[string]any)
	keysOf := func(fragment any) []string {
		return slices.Sorted(maps.Keys(fragment.(map[string]any)["properties"].(map[string]any)))
	}
	top, app := keysOf(schema), append(keysOf(parts["settings"]), "name")
	slices.Sort(app)
	if diff := cmp.Diff(top, slices.Sorted(slices.Values(stack.TopKeys()))); diff != "" {
		t.Errorf("the schema and the table differ: %s", diff)
	}
	if diff := cmp.Diff(app, slices.Sorted(slices.Values(stack.AppKeys()))); diff != "" {
		t.Errorf("the schema and the table differ: %s", diff)
	}
	var wanted []string
	for _, key := range top {
		wanted = append(wanted, "stack."+key)
	}
	for _, key := range app {
		wanted = append(wanted, "app."+key)
	}
	for key, part := range map[string]string{"app.healthcheck.": "healthcheck", "app.watch_options.": "watchOptions", "stack.build.": "build"} {
		for _, name := range keysOf(parts[part]) {
			wanted = append(wanted, key+name)
		}
	}
	if len(wanted) < 60 {
		t.Fatalf("%d keys", len(wanted))
	}
	for _, key := range wanted {
		if !seen[key] {
			t.Errorf("%s is not accounted for", key)
		}
	}
}

func TestEveryServiceFieldIsAccountedFor(t *testing.T) {
	st := everyStack(t)
	data, err := st.Compose.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Services map[string]map[string]any }
	if err := json.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	for _, containers := range [][]string{nil, {"redis", "db"}} {
		_, r := derived(t, st, prod.Options{Containers: containers})
		for name, fields := range document.Services {
			for key, value := range fields {
				if value != nil {
					entry(t, r, "service "+name, key)
				}
			}
		}
		entry(t, r, "compose", "networks")
	}
}

func TestLossesAreWhatAFileAsksFor(t *testing.T) {
	_, r := derived(t, loaded(t, oneApp("max_restarts: -1")), prod.Options{})
	if losses := r.Losses(); len(losses) != 0 {
		t.Errorf("defaults are lost: %+v", losses)
	}
	_, r = derived(t, loaded(t, oneApp("max_restarts: 3, cron_restart: '0 3 * * *'")), prod.Options{})
	var keys []string
	for _, e := range r.Losses() {
		keys = append(keys, e.Key)
	}
	if diff := cmp.Diff([]string{"max_restarts", "cron_restart"}, keys); diff != "" {
		t.Error(diff)
	}
}

func TestATargetsEntriesReplaceTheGeneralOnes(t *testing.T) {
	m, r := derived(t, loaded(t, "apps: [{name: a, script: a.js, one_shot: true}, {name: b, script: b.js, kill_timeout: 3m, depends_on: {a: {condition: service_completed_successfully}}}]"), prod.Options{})
	b := m.Workloads[1]
	all := r.With(
		prod.Mapped("compose", b, "depends_on.a", "depends_on"),
		prod.Dropped("ecs", b, "kill_timeout", "too long", "shorten it"),
		prod.Approximated("ecs", b, "max_restarts", "nearly", ""),
		prod.Dropped("ecs", b, "memory", "its own key", ""),
	)
	if e := entry(t, all.For("compose"), "app b", "depends_on.a"); e.Verdict != prod.IsMapped {
		t.Errorf("compose: %+v", e)
	}
	if e := entry(t, all.For("ecs"), "app b", "depends_on.a"); e.Verdict != prod.IsApproximated {
		t.Errorf("ecs: %+v", e)
	}
	var losses []string
	for _, e := range all.For("ecs").Losses() {
		losses = append(losses, e.Key)
	}
	if diff := cmp.Diff([]string{"depends_on.a", "kill_timeout", "memory"}, losses); diff != "" {
		t.Errorf("what only a default asks for is no loss: %s", diff)
	}
	if got := len(all.For("kubernetes").Entries); got != len(r.Entries) {
		t.Errorf("kubernetes has %d entries of %d", got, len(r.Entries))
	}
}

func TestTheSameTwice(t *testing.T) {
	m1, r1 := derived(t, everyStack(t), prod.Options{Containers: []string{"redis", "db"}})
	m2, r2 := derived(t, everyStack(t), prod.Options{Containers: []string{"redis", "db"}})
	if diff := cmp.Diff(string(asJSON(t, m1))+string(asJSON(t, r1)), string(asJSON(t, m2))+string(asJSON(t, r2))); diff != "" {
		t.Errorf("two directories, two models: %s", diff)
	}
}
