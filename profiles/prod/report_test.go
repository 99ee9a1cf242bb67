package prod_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
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
  inputs: [migrations]
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

// theOthers has every other value of a key that the report has a rule for.
const theOthers = `
name: others
compose: compose.yaml
apps:
- {name: many, script: a.js, instances: 2, instance_var: N, increment_var: BASE, port: 80, stop_exit_codes: [0], max_restarts: -1, wait_ready: true, log_file: l.log,
   env_file: here.env, env: {NODE_ENV: test, HERE: "http://localhost:1/", PARTLY: "http://${HOST}/", SECRET: "${SECRET}"}, depends_on: {once: {condition: service_completed_successfully}}}
- {name: shell, command: a && b, wait_ready: true, max_memory_restart: 1G}
- {name: words, command: node run start, healthcheck: {http: "http://elsewhere.example/"}}
- {name: argv, command: [python3, x.py], healthcheck: {exec: "true"}}
- {name: once, script: o.js, autorestart: false, instances: 2, depends_on: [cache, mail]}
- {name: nightly, script: n.js, one_shot: true, cron_restart: "0 3 * * *"}
- {name: vienna, script: n.js, one_shot: true, cron_restart: "CRON_TZ=Europe/Vienna 0 3 * * *"}
`

const otherServices = `
name: others
services:
  cache: {image: redis:7, ports: ["6380:6379"], container_name: the-cache, sysctls: {net.core.somaxconn: 1024}, user: "1", pull_policy: always, restart: always,
    deploy: {resources: {limits: {memory: 1G}}}, environment: {A: b}, healthcheck: {disable: true}, depends_on: [mail], networks: [back]}
  db: {image: "postgres:16", environment: {POSTGRES_PASSWORD: x}, healthcheck: {test: pg_isready}}
  mail: {image: mail, ports: ["1025:1025"], environment: {A: b}, volumes: [data:/data]}
volumes: {data: }
networks: {back: }
x-other: 1
`

func otherStack(t *testing.T) *stack.Stack {
	return loadedWith(t, map[string]string{
		"ecosystem.yaml": theOthers, "compose.yaml": otherServices, "here.env": "A=http://127.0.0.1:1/\nTOKEN=x\n",
	})
}

// reportOf is all that two stacks make the report say, each thing once.
func reportOf(t *testing.T) string {
	t.Helper()
	said := map[string]bool{}
	var out strings.Builder
	for _, c := range []struct {
		st         *stack.Stack
		containers []string
	}{{everyStack(t), []string{"db"}}, {otherStack(t), []string{"cache", "db"}}} {
		_, r := derived(t, c.st, prod.Options{Containers: c.containers})
		for _, e := range r.Entries {
			kind, _, _ := strings.Cut(e.Subject, " ")
			line := fmt.Sprintf("%-12s %s.%s: %s", e.Verdict, kind, e.Key, e.How)
			if e.Fix != "" {
				line += " -> " + e.Fix
			}
			if !said[line] {
				fmt.Fprintln(&out, line)
			}
			said[line] = true
		}
	}
	return out.String()
}

func TestEverything(t *testing.T) {
	m, _ := derived(t, everyStack(t), prod.Options{Containers: []string{"db"}})
	golden(t, "everything.json", asJSON(t, m))
	golden(t, "report.txt", []byte(reportOf(t)))
}

// Every text of every rule is in the golden report: who changes one sees it there, and a rule that nothing triggers is found.
func TestEveryRuleIsInTheGoldenReport(t *testing.T) {
	report := reportOf(t)
	verb := regexp.MustCompile(`%[a-z]`)
	sentences := 0
	for _, name := range []string{"rules.go", "entries.go", "stackentries.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.TrimSpace(text), " ") || text == "it cannot be read back: " {
				return true // a key or a word; and the one error
			}
			sentences++
			for _, part := range verb.Split(text, -1) {
				if !strings.Contains(report, part) {
					t.Errorf("%s: no rule that the golden report shows says %q", name, part)
				}
			}
			return true
		})
	}
	if sentences < 80 {
		t.Errorf("only %d sentences were found in the rules", sentences)
	}
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
	compose, ecs := prod.Notes{Target: "compose"}, prod.Notes{Target: "ecs"}
	compose.Mapped(b, "depends_on.a", "depends_on")
	ecs.Dropped(b, "kill_timeout", "too long", "shorten it")
	ecs.Approximated(b, "max_restarts", "nearly", "")
	ecs.Dropped(b, "memory", "its own key", "")
	all := r.With(append(compose.Entries, ecs.Entries...)...)
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
