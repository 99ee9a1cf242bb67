package stack_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"devstack/stack"
)

// Each case is an ecosystem file and everything that is said about it, in order.
var badFiles = []struct{ name, file, want string }{
	{
		"typo", "apps:\n  - name: web\n    script: a.js\n    max_memory_restrat: 1G\n",
		`ecosystem.yaml:4:5: unknown key "max_memory_restrat" in app "web"; did you mean "max_memory_restart"?`,
	},
	{
		"camel case", "apps: [{name: web, script: a.js, maxMemoryRestart: 1G}]",
		`ecosystem.yaml:1:34: unknown key "maxMemoryRestart" in app "web"; devstack's name is "max_memory_restart"`,
	},
	{
		"alias", "apps: [{name: web, script: a.js, out: x.log}]",
		`ecosystem.yaml:1:34: unknown key "out" in app "web"; devstack's name is "out_file"`,
	},
	{
		"camel case alias", "apps: [{name: web, script: a.js, interpreterArgs: --inspect}]",
		`ecosystem.yaml:1:34: unknown key "interpreterArgs" in app "web"; devstack's name is "node_args"`,
	},
	{
		"left out", "apps: [{name: web, script: a.js, treekill: false}]",
		`ecosystem.yaml:1:34: app "web" has no key "treekill": the whole process tree is always stopped`,
	},
	{
		"stage environment", "apps: [{name: web, script: a.js, env_production: {A: b}}]",
		"ecosystem.yaml:1:34: app \"web\" has no key \"env_production\": stages are in `profiles`",
	},
	{"top level typo", "app: []\n", `ecosystem.yaml:1:1: unknown key "app" in the file; did you mean "apps"?`},
	{"deploy", "apps: [{name: w, script: a.js}]\ndeploy: {}\n", `ecosystem.yaml:2:1: the file has no key "deploy": devstack does not copy code to other machines`},
	{"nothing known is near", "apps: [{name: web, script: a.js, frobnicate: 1}]", `ecosystem.yaml:1:34: unknown key "frobnicate" in app "web"`},
	{
		"no unit", "apps: [{name: web, script: a.js, min_uptime: 10 s}]",
		`ecosystem.yaml:1:46: min_uptime must be a duration such as 500ms, 4s, 2m or 1h, or plain milliseconds, not the string "10 s"`,
	},
	{
		"bad size", "apps: [{name: web, script: a.js, max_memory_restart: 1 gig}]",
		`ecosystem.yaml:1:54: max_memory_restart must be a size such as 512M, 1.5G or 200K, or plain bytes, not the string "1 gig"`,
	},
	{"small log", "apps: [{name: web, script: a.js, max_log_size: 10K}]", `ecosystem.yaml:1:48: max_log_size must be at least 1M, not the string "10K"`},
	{
		"string for bool", `apps: [{name: web, script: a.js, autorestart: "false"}]`,
		`ecosystem.yaml:1:47: autorestart must be true or false, not the string "false"`,
	},
	{"port", "apps: [{name: web, script: a.js, port: 70000}]", "ecosystem.yaml:1:40: port must be between 1 and 65535, not 70000"},
	{
		"port from the environment", "apps:\n- name: web\n  script: a.js\n  port: ${NOWHERE:-x}\n",
		`ecosystem.yaml:4:9: port must be a whole number, not the string "x"`,
	},
	{
		"required variable", "apps: [{name: web, script: \"${NOWHERE:?set it}\"}]",
		"ecosystem.yaml:1:28: the variable NOWHERE must be set: set it",
	},
	{"bad interpolation", "apps: [{name: web, script: \"${\"}]", "ecosystem.yaml:1:28: \"${\" is not an interpolation"},
	{"signal", "apps: [{name: web, script: a.js, kill_signal: SIGFOO}]", `ecosystem.yaml:1:47: kill_signal "SIGFOO" is not a signal`},
	{"duplicate key", "apps:\n- name: web\n  script: a.js\n  script: b.js\n", `ecosystem.yaml:4:3: "script" is written twice in app "web", first in line 3`},
	{"duplicate name", "apps:\n- {name: web, script: a.js}\n- {name: web, script: b.js}\n", `ecosystem.yaml:3:10: two apps are named "web", the first in line 2`},
	{"name all", "apps: [{name: all, script: a.js}]", `ecosystem.yaml:1:15: name "all" cannot be used: it means every process`},
	{"name with slash", "apps: [{name: a/b, script: a.js}]", `ecosystem.yaml:1:15: name "a/b" cannot be used: it contains a slash`},
	{"name with dash", "apps: [{name: -v, script: a.js}]", `ecosystem.yaml:1:15: name "-v" cannot be used: it starts with -, as options do`},
	{"name with newline", `apps: [{name: "a\nb", script: a.js}]`, `ecosystem.yaml:1:15: name "a\nb" cannot be used: it contains a control character`},
	{"number as name", "apps: [{name: 1, script: a.js}]", "ecosystem.yaml:1:15: name must be a string, not the number 1"},
	{"no name", "apps: [{script: a.js}]", "ecosystem.yaml:1:8: this app has no name"},
	{"no script", "apps: [{name: web}]", `ecosystem.yaml:1:15: app "web" has no script and no command`},
	{"both", "apps: [{name: web, script: a.js, command: [a]}]", `ecosystem.yaml:1:34: app "web" has a script and a command: write one of them`},
	{"arguments of a command", "apps: [{name: web, command: [a], args: [b]}]", "ecosystem.yaml:1:34: args belongs to script; write it into command"},
	{"command line as script", "apps: [{name: web, script: npm start}]", `ecosystem.yaml:1:28: script "npm start" is not a path`},
	{"apps as mapping", "apps: {web: {script: a.js}}", "ecosystem.yaml:1:7: apps must be a list, not a mapping"},
	{
		"probe without port", "apps: [{name: web, script: a.js, healthcheck: {http: /healthz}}]",
		`ecosystem.yaml:1:47: healthcheck.http "/healthz" is a path, and app "web" has no port`,
	},
	{
		"two probes", "apps: [{name: web, script: a.js, healthcheck: {tcp: \"a:1\", log_line: x}}]",
		"ecosystem.yaml:1:47: a healthcheck is one of http, exec, tcp and log_line, not tcp and log_line",
	},
	{
		"no probe", "apps: [{name: web, script: a.js, healthcheck: {interval: 1s}}]",
		`ecosystem.yaml:1:47: the healthcheck of app "web" needs http, exec, tcp or log_line`,
	},
	{
		"bad pattern", "apps: [{name: web, script: a.js, healthcheck: {log_line: \"(\"}}]",
		"ecosystem.yaml:1:58: healthcheck.log_line is not a regular expression: error parsing regexp: missing closing ): `(`",
	},
	{
		"Compose's probe", "apps: [{name: web, script: a.js, healthcheck: {test: x}}]",
		"ecosystem.yaml:1:48: healthcheck.test is Compose's; an app's is exec, http, tcp or log_line",
	},
	{
		"unknown dependency", "apps: [{name: web, script: a.js}, {name: api, script: b.js, depends_on: [wep]}]",
		`ecosystem.yaml:1:74: app "api" depends on "wep", which is neither an app nor a service; did you mean "web"?`,
	},
	{
		"bad condition", "apps: [{name: web, script: a.js}, {name: api, script: b.js, depends_on: {web: {condition: healthy}}}]",
		`ecosystem.yaml:1:91: depends_on.web.condition must be service_healthy, service_started or service_completed_successfully, not the string "healthy"`,
	},
	{
		"never completes", "apps: [{name: web, script: a.js}, {name: api, script: b.js, depends_on: {web: {condition: service_completed_successfully}}}]",
		`ecosystem.yaml:1:74: app "api" waits until "web" has completed, but "web" is restarted when it ends`,
	},
	{
		"cycle", "apps:\n- {name: a, script: x.js, depends_on: [b]}\n- {name: b, script: x.js, depends_on: [c]}\n- {name: c, script: x.js, depends_on: [a]}\n",
		"ecosystem.yaml:4:40: dependency cycle: a -> b -> c -> a",
	},
	{"itself", "apps: [{name: a, script: x.js, depends_on: [a]}]", "ecosystem.yaml:1:45: dependency cycle: a -> a"},
	{
		"a port to hold that is none", "apps:\n- name: a\n  script: x.js\n  hold_port: true\n",
		`ecosystem.yaml:4:14: hold_port: true opens a port before the start, and app "a" has no port`,
	},
	{
		"inputs of what goes on", "apps: [{name: a, script: x.js, inputs: [src]}]",
		`ecosystem.yaml:1:32: inputs belongs to one_shot, and app "a" is none`,
	},
	{
		"hold_port", "apps: [{name: a, script: x.js, port: 3000, hold_port: always}]",
		`ecosystem.yaml:1:55: hold_port must be auto, true or false, not the string "always"`,
	},
	{
		"watch", "apps:\n- {name: a, script: x.js, watch: 3}\n- {name: b, script: x.js, watch_options: {usePoling: true}}\n- {name: c, script: x.js, watch_options: {interval: 0}}\n- {name: d, script: x.js, watch_delay: soon}\n",
		"ecosystem.yaml:2:34: watch must be true, false or globs, not the number 3\n" +
			`ecosystem.yaml:3:43: unknown key "usePoling" in watch_options; did you mean "usePolling"?` + "\n" +
			"ecosystem.yaml:4:53: watch_options.interval must be longer than 0\n" +
			"ecosystem.yaml:5:40: watch_delay must be a duration such as 500ms, 4s, 2m or 1h, or plain milliseconds, not the string \"soon\"",
	},
	{
		"instances", "apps:\n- {name: a, script: x.js, instances: 0}\n- {name: b, script: x.js, instances: many}\n- {name: c, script: x.js, exec_mode: thread}\n- {name: d, script: x.js, increment_var: P, env: {P: one}}\n",
		"ecosystem.yaml:2:38: instances must be at least 1, or max, or -n for all processors but n; not 0\n" +
			"ecosystem.yaml:3:38: instances must be a whole number, not the string \"many\"\n" +
			"ecosystem.yaml:4:38: exec_mode must be fork, cluster, fork_mode or cluster_mode, not the string \"thread\"\n" +
			"ecosystem.yaml:5:10: app \"d\": increment_var P needs a whole number to begin with, not \"one\"",
	},
	{
		"no cron expression", "apps: [{name: web, script: a.js, cron_restart: 0 25 * * *}]",
		`ecosystem.yaml:1:48: cron_restart "0 25 * * *" is not a cron expression: end of range (25) above maximum (23): 25`,
	},
	{"unknown profile", "apps: [{name: a, script: x.js}]\nprofiles: {pilto: {}}\n", `ecosystem.yaml:2:12: unknown profile "pilto"; did you mean "pilot"?`},
	{
		"unknown app in a profile", "apps: [{name: web, script: x.js}]\nprofiles: {prod: {apps: {wep: {}}}}\n",
		`ecosystem.yaml:2:26: profile prod: no app is named "wep"; did you mean "web"?`,
	},
	{
		"mistake in another profile", "apps: [{name: web, script: x.js}]\nprofiles: {prod: {apps: {web: {prot: 1}}}}\n",
		`ecosystem.yaml:2:32: unknown key "prot" in profile prod, app "web"; did you mean "port"?`,
	},
	{
		"one log for two", "apps: [{name: a, script: x.js, out_file: l}, {name: b, script: x.js, out_file: l}]",
		`ecosystem.yaml:1:53: out_file of app "b" is also out_file of app "a": .devstack/logs/l`,
	},
	{"missing env_file", "apps: [{name: a, script: x.js, env_file: no.env}]", "ecosystem.yaml:1:42: cannot read env_file no.env: no such file or directory"},
	{"missing compose file", "compose: no.yaml\n", "ecosystem.yaml:1:10: cannot read the Compose file no.yaml: no such file or directory"},
	{"no services", "compose: c.yaml\nservices: []\n", "ecosystem.yaml:1:10: cannot read the Compose file c.yaml: no such file or directory\necosystem.yaml:2:11: services selects nothing"},
	{"services without compose", "services: [a]\napps: [{name: a, script: x.js}]", "ecosystem.yaml:1:11: services are selected, but `compose` names no file"},
	{
		"two delays", "apps: [{name: a, script: x.js, restart_delay: 4s, exp_backoff_restart_delay: 100}]",
		"ecosystem.yaml:1:51: restart_delay is fixed and exp_backoff_restart_delay grows: write one of them",
	},
	{"two documents", "apps: []\n---\napps: []\n", "ecosystem.yaml:2:1: there is a second document, and devstack reads only one"},
	{"empty", "", "ecosystem.yaml: the file is empty"},
	{"a list", "- a\n", "ecosystem.yaml:1:1: the file must be a mapping, not a list"},
	{
		"several at once", "apps:\n- name: web\n  script: [a]\n  port: x\n  wacth: true\n",
		"ecosystem.yaml:3:11: script must be a string, not a list\necosystem.yaml:4:9: port must be a whole number, not the string \"x\"\n" +
			`ecosystem.yaml:5:3: unknown key "wacth" in app "web"; did you mean "watch"?`,
	},
}

func TestBadFiles(t *testing.T) {
	for _, c := range badFiles {
		t.Run(c.name, func(t *testing.T) {
			if got := loadError(t, c.file); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

func TestErrorsAreFoundByType(t *testing.T) {
	dir := write(t, map[string]string{"ecosystem.yaml": "apps: [{name: a, script: x.js, prot: 1}]"})
	_, err := stack.Load(context.Background(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml")})
	var one *stack.Error
	var all stack.Errors
	if !errors.As(err, &one) || !errors.As(err, &all) {
		t.Fatalf("%T is neither", err)
	}
	if one.Line != 1 || one.Column != 32 || len(all) != 1 {
		t.Errorf("got %+v of %d", one, len(all))
	}
}

func TestUnknownProfile(t *testing.T) {
	dir := write(t, map[string]string{"ecosystem.yaml": "apps: [{name: a, script: x.js}]"})
	_, err := stack.Load(context.Background(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml"), Environment: []string{"DEVSTACK_PROFILE=pord"}})
	var unknown *stack.UnknownError
	if !errors.As(err, &unknown) || err.Error() != `no profile is named "pord"; did you mean "prod"?` {
		t.Errorf("got %v", err)
	}
}

func TestBadComposeFiles(t *testing.T) {
	for _, c := range []struct{ name, compose, eco, want string }{
		{"unknown key", "services:\n  db:\n    image: x\n    heathcheck: {}\n", "", "compose.yaml:4:5: unknown key \"heathcheck\" in services.db; did you mean \"healthcheck\"?"},
		{"syntax", "services:\n  db:\n   image: x\n  - y\n", "", "compose.yaml:4:3: while parsing a block mapping: did not find expected key"},
		{"no image", "services: {db: {command: x}}\n", "", `compose.yaml:1:12: service "db" has neither an image nor a build context specified`},
		{"required variable", "services: {db: {image: \"${NOWHERE:?set it}\"}}\n", "", "NOWHERE is missing a value: set it"},
		{"wrong type", "services:\n  db: {image: x, ports: 80}\n", "", "compose.yaml:2:18: services.db.ports must be a array"},
		{"unknown top-level key", "service: {}\nservices: {a: {image: x}}\n", "", "compose.yaml:1:1: unknown key \"service\" in the file"},
		{"unknown key below", "services: {a: {image: x, healthcheck: {tset: y}}}\n", "", "compose.yaml:1:40: unknown key \"tset\" in services.a.healthcheck"},
		{"missing env_file", "services: {a: {image: x, env_file: no.env}}\n", "", "no.env"},
		{"duplicate key", "services:\n  a:\n    image: x\n    image: y\n", "", "compose.yaml:4:5: \"image\" is written twice, first in line 3"},
		{"bad duration", "services:\n  a:\n    image: x\n    healthcheck: {interval: 5 s}\n", "", `compose.yaml:4:19: services.a.healthcheck.interval time: unknown unit " s" in duration "5 s"`},
		{"a list", "[]\n", "", "compose.yaml:1:1: a Compose file must be a mapping, not a list"},
		{"empty", "", "", "compose.yaml: empty compose file"},
		{"unknown service", "services: {redis: {image: x}}\n", "services: [rediss]\n", `ecosystem.yaml:2:12: compose.yaml has no service "rediss"; did you mean "redis"?`},
		{"cycle", "services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}\n", "", "dependency cycle"},
		{"same name", "services: {web: {image: x}}\n", "apps: [{name: web, script: x.js}]\n", `ecosystem.yaml:2:15: an app and a service are both named "web"`},
		{
			"not selected", "services: {a: {image: x}, b: {image: x}}\n", "services: [a]\napps: [{name: web, script: x.js, depends_on: [b]}]\n",
			`ecosystem.yaml:3:47: app "web" depends on service "b", which is not selected`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := write(t, map[string]string{"compose.yaml": c.compose, "ecosystem.yaml": "compose: compose.yaml\n" + c.eco})
			_, err := stack.Load(context.Background(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml")})
			if err == nil {
				t.Fatal("loaded without an error")
			}
			if got := strings.ReplaceAll(err.Error(), dir+"/", ""); !strings.Contains(got, c.want) || !strings.Contains(got, ".yaml") {
				t.Errorf("got:  %s\nwant: %s", got, c.want)
			}
		})
	}
}

func TestEvilFiles(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 9; i++ {
		n := string(rune('0' + i))
		m := string(rune('0' + i - 1))
		bomb += "a" + n + ": &a" + n + " [" + strings.TrimSuffix(strings.Repeat("*a"+m+", ", 10), ", ") + "]\n"
	}
	for name, c := range map[string]struct{ file, want string }{
		"alias bomb":        {bomb, "more than 100000 values"},
		"alias of itself":   {"apps: &a [*a]\n", "the file nests values more than 64 levels deep"},
		"deep flow":         {strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), "the file nests values more than 64 levels deep"},
		"deeper flow":       {strings.Repeat("[", 200_000), "ecosystem.yaml:"},
		"10 MiB":            {"# " + strings.Repeat("x", 10<<20), "larger than 1024 KiB"},
		"binary":            {"\x00\x01\x02", "ecosystem.yaml"},
		"key that is a map": {"{a: b}: c\napps: []", "must be a string"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := loadError(t, c.file); !strings.Contains(got, c.want) {
				t.Errorf("got %.300s, want %s", got, c.want)
			}
		})
	}
	t.Run("fifo as Compose file", func(t *testing.T) {
		dir := write(t, map[string]string{"ecosystem.yaml": "compose: compose.yaml"})
		if err := syscall.Mkfifo(filepath.Join(dir, "compose.yaml"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := stack.Load(context.Background(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml")})
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("fifo", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ecosystem.yaml")
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := stack.Load(context.Background(), stack.Options{File: path})
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("got %v", err)
		}
	})
}

func FuzzLoad(f *testing.F) {
	for _, c := range badFiles {
		f.Add([]byte(c.file))
	}
	sample, err := os.ReadFile("../ecosystem.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	f.Add([]byte("x: &x {script: a.js}\napps: [{<<: *x, name: a}, {<<: [*x], name: b, env: {A: , B: $$}}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := write(t, map[string]string{"ecosystem.yaml": string(data)})
		s, err := stack.Load(context.Background(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml"), Environment: []string{"A=b"}})
		if (s == nil) == (err == nil) {
			t.Fatalf("stack %v and error %v", s, err)
		}
	})
}
