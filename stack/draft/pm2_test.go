package draft

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devstack/stack"
)

// fromPM2 imports what a file in dir exports.
func fromPM2(t *testing.T, dir, exports string) *Draft {
	t.Helper()
	d, err := FromPM2(PM2File{
		Path: filepath.Join(dir, "ecosystem.config.js"), JSON: []byte(exports), Dir: dir, Environment: map[string]string{"DATABASE_URL": "postgres://u:secret@db/x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestImport(t *testing.T) {
	dir := write(t, map[string]string{"app/server.js": "", "app/bin/www": "#!/usr/bin/env node\n"})
	d := fromPM2(t, dir, `{"apps": [
		{"name": "@shop/api", "script": "./server.js", "cwd": "app", "args": "--fast --size=3", "interpreterArgs": ["--inspect"],
		 "env": {"NODE_ENV": "development", "PORT": 3000, "OPTIONS": {"a": 1}, "PRICE": "$5", "DATABASE_URL": "postgres://u:secret@db/x"},
		 "env_production": {"NODE_ENV": "production", "API_KEY": "hunter2"},
		 "max_memory_restart": "300M", "maxRestarts": 0, "minUptime": "5s", "listen_timeout": 8000, "wait_ready": true,
		 "out_file": "logs/api-out.log", "error": "logs/api-error.log", "time": true, "vizion": false, "max_memory_restrat": "1G",
		 "ignore_watch": ["node_modules", {"regular_expression": "x"}], "exp_backoff_restart_delay": 100},
		{"script": "npm", "args": "run worker", "autorestart": false, "kill_timeout": 5000, "stop_exit_codes": [0, 143], "log": "app/logs/api-out.log"},
		{"name": "www", "script": "bin/www", "cwd": "app", "cron": "0", "treekill": false},
		{"name": "42", "script": "python3 -m http.server \"8000\"", "depends_on": ["api"], "watch_delay": "1000"}
	], "deploy": {"production": {"key": "hunter2"}}}`)
	want := `# yaml-language-server: $schema=.devstack/schema.json
# Imported from ecosystem.config.js by devstack import.
# Unlike in PM2, a variable of the shell that runs devstack wins over ` + "`env`" + `.
# Unlike in PM2, a process that is not ready within listen_timeout (30 s if it is not set) does not count as online.
# Not taken over: deploy: devstack does not copy code to other machines

log_dir: app/logs

# PM2's defaults, where devstack's are others.
defaults:
  min_uptime: 1s
  max_restarts: 16
  restart_delay: 0
  kill_signal: SIGINT
  kill_timeout: 1600ms

apps:
  # Not taken over: env_production (NODE_ENV, API_KEY): stages are in ` + "`profiles`" + `
  # Not taken over: vizion: devstack does not look at version control
  # Not taken over: max_memory_restrat: PM2 does not know it either, so it had no effect
  # Not taken over: name "@shop/api": an app needs a name that is neither a number nor a path
  # Not taken over: max_restarts: 0: PM2 drops it and takes its default
  # Not taken over: ignore_watch: it has a regular expression; write that as a glob
  - name: api
    cwd: app
    script: server.js
    args: --fast --size=3
    node_args: [--inspect]
    env:
      NODE_ENV: development
      PORT: "3000"
      OPTIONS: '{"a":1}'
      PRICE: $$5
      DATABASE_URL: ${DATABASE_URL:-}
    wait_ready: true
    listen_timeout: 8000
    restart_delay: null
    min_uptime: 5s
    exp_backoff_restart_delay: 100
    max_memory_restart: 300M
    ignore_watch: [node_modules]
    log_date_format: YYYY-MM-DDTHH:mm:ss
    out_file: api-out.log
    error_file: api-error.log

  # Not taken over: log_file: another stream writes to app/logs/api-out.log, and a file has one writer
  - name: npm
    command: [npm, run, worker]
    autorestart: false
    stop_exit_codes: [0, 143]
    kill_timeout: 5000

  # Not taken over: treekill: the whole process tree is always stopped
  - name: www
    cwd: app
    script: bin/www
    interpreter: node

  # Not taken over: depends_on: devstack has it and PM2 does not, so it had no effect
  # Not taken over: name "42": an app needs a name that is neither a number nor a path
  - name: app-42
    command: python3 -m http.server "8000"
    watch_delay: 1000
`
	if diff := cmp.Diff(want, string(d.Text)); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(strings.Join(d.Lost, "\n"), "hunter2") {
		t.Errorf("a secret is said: %q", d.Lost)
	}
	api := load(t, dir, d).Apps[0]
	if api.MaxRestarts != 16 || api.KillSignal != "SIGINT" || api.KillTimeout != 1600*time.Millisecond || api.MinUptime != 5*time.Second {
		t.Errorf("the policy is not PM2's: %+v", api)
	}
	for _, v := range api.Environment {
		if v.Key == "PRICE" && v.Value != "$5" {
			t.Errorf("a dollar became %q", v.Value)
		}
	}
}

func TestImportOfInstances(t *testing.T) {
	dir := t.TempDir()
	d := fromPM2(t, dir, `[{"name": "web", "script": "web.js", "instances": 0, "watch": ["src"], "cron_restart": "0 3 * * *", "increment_var": "PORT"}]`)
	web := load(t, dir, d).Apps[0]
	if len(d.Lost) > 0 || web.ExecMode != "cluster" || !web.HoldsSockets() {
		t.Errorf("%q is lost of\n%s", d.Lost, d.Text)
	}
	for _, key := range []string{"instances", "exec_mode", "watch", "cron_restart", "increment_var"} {
		if !strings.Contains(string(d.Text), "\n    "+key+":") {
			t.Errorf("%s is not taken over:\n%s", key, d.Text)
		}
	}
}

// A cluster of what node does not run directly has no socket to share here, and that is said.
func TestImportOfAClusterWithoutNode(t *testing.T) {
	dir := t.TempDir()
	d := fromPM2(t, dir, `[{"name": "web", "script": "npm", "args": "start", "instances": 2, "exec_mode": "cluster_mode"}]`)
	load(t, dir, d)
	if len(d.Lost) != 1 || !strings.HasPrefix(d.Lost[0], "web: exec_mode: cluster: node does not run it directly") {
		t.Errorf("lost: %q", d.Lost)
	}
}

func TestImportFindsTheApps(t *testing.T) {
	for name, exports := range map[string]string{
		"apps": `{"apps": [{"script": "a.js"}]}`, "one in apps": `{"apps": {"script": "a.js"}}`, "pm2": `{"pm2": [{"script": "a.js"}]}`,
		"a list": `[{"script": "a.js"}]`, "one alone": `{"script": "a.js"}`, "exec": `{"exec": "a.js"}`,
	} {
		dir := t.TempDir()
		if st := load(t, dir, fromPM2(t, dir, exports)); len(st.Apps) != 1 || st.Apps[0].Name != "a" {
			t.Errorf("%s: %+v", name, st.Apps)
		}
	}
	for _, exports := range []string{"null", "{}", `"text"`, "", "{", "[1]"} {
		if d, err := FromPM2(PM2File{Path: "/x/ecosystem.config.js", JSON: []byte(exports), Dir: "/x"}); err == nil {
			t.Errorf("%s: %s", exports, d.Text)
		}
	}
}

func TestPM2Keys(t *testing.T) {
	for key, want := range map[string]string{
		"maxMemoryRestart": "max_memory_restart", "exec_interpreter": "interpreter", "err_log": "error_file", "cron": "cron_restart", "name": "name",
		"vizion": "", "nonsense": "",
	} {
		name, why := stack.PM2Key(key)
		if name != want || (why != "") != (key == "vizion") {
			t.Errorf("%s: %q, %q", key, name, why)
		}
	}
}

func TestImportKeepsSecretsOut(t *testing.T) {
	d := fromPM2(t, t.TempDir(), `[{"script": "a.js", "env": {"DB": "postgres://u:secret@db/x"}}]`)
	if text := string(d.Text); !strings.Contains(text, "DB: ${DATABASE_URL:-}") || strings.Contains(text, "secret") || len(d.Lost) > 0 {
		t.Errorf("passed on under another name: %q\n%s", d.Lost, text)
	}
	d = fromPM2(t, t.TempDir(), `[{"script": "a.js", "args": ["--db=postgres://u:secret@db/x"]}]`)
	if len(d.Lost) != 1 || !strings.Contains(d.Lost[0], "DATABASE_URL: its value stands in the text") {
		t.Errorf("part of something else: %q", d.Lost)
	}
}
