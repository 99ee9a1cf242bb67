package stack_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/stack"
)

const environmentFile = `
required_env: [NEEDED, ALSO, EMPTY]
apps:
- name: web
  script: a.js
  port: 3000
  env_file: [one.env, two.env]
  env: {APP: app, BOTH: app, SHELL_WINS: app, BARE:, NUMBER: 1, FLAG: true}
  args: "${IN_ARGS:-x}"
- name: other
  script: b.js
`

func TestEnvironment(t *testing.T) {
	dir := write(t, map[string]string{
		"ecosystem.yaml": environmentFile,
		".env":           "DOT=dot\nBOTH=dot\nFILE=dot\nNEEDED=dot\nBARE=dot\nPORT=1\nEMPTY=\n",
		"one.env":        "FILE=one\nONE=one\n",
		"two.env":        "FILE=two\nFROM=${DOT}-${HOME}\nBOTH=two\n",
	})
	s := load(t, dir, "HOME=/h", "SHELL_WINS=shell", "PORT=9", "BARE=shell", "IN_ARGS=y", "ALSO=")
	want := []stack.Variable{
		{Key: "ALSO", Value: "", Origin: "shell", Declared: true},
		{Key: "APP", Value: "app", Origin: "env", Declared: true},
		{Key: "BARE", Value: "shell", Origin: "shell", Declared: true},
		{Key: "BOTH", Value: "app", Origin: "env", Declared: true},
		{Key: "DOT", Value: "dot", Origin: ".env", Declared: true},
		{Key: "EMPTY", Value: "", Origin: ".env", Declared: true},
		{Key: "FILE", Value: "two", Origin: "env_file two.env", Declared: true},
		{Key: "FLAG", Value: "true", Origin: "env", Declared: true},
		{Key: "FROM", Value: "dot-/h", Origin: "env_file two.env", Declared: true},
		{Key: "HOME", Value: "/h", Origin: "shell", Declared: false},
		{Key: "IN_ARGS", Value: "y", Origin: "shell", Declared: true},
		{Key: "NEEDED", Value: "dot", Origin: ".env", Declared: true},
		{Key: "NUMBER", Value: "1", Origin: "env", Declared: true},
		{Key: "ONE", Value: "one", Origin: "env_file one.env", Declared: true},
		{Key: "PORT", Value: "3000", Origin: "port", Declared: true},
		{Key: "SHELL_WINS", Value: "shell", Origin: "shell", Declared: true},
	}
	if diff := cmp.Diff(want, app(t, s, "web").Environment); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"BARE", "PORT", "SHELL_WINS"}, s.Overrides); diff != "" {
		t.Errorf("overrides: %s", diff)
	}
	if diff := cmp.Diff([]string{"ALSO", "EMPTY"}, s.Missing); diff != "" {
		t.Errorf("missing: %s", diff)
	}
}

// As npm does for scripts: the nearest node_modules/.bin first, up to the stack's directory and no further, then the user's.
func TestInstalledPackagesAreOnPath(t *testing.T) {
	dir, err := filepath.EvalSymlinks(write(t, map[string]string{"ecosystem.yaml": `apps:
- {name: web, script: a.js, cwd: packages/web}
- {name: top, script: a.js}
- {name: away, script: a.js, cwd: /opt/tool}
- {name: own, script: a.js, env: {PATH: /own}}
`}))
	if err != nil {
		t.Fatal(err)
	}
	bin := func(parts ...string) string {
		return filepath.Join(dir, filepath.Join(parts...), "node_modules", ".bin")
	}
	pathOf := func(s *stack.Stack, name string) stack.Variable {
		for _, v := range app(t, s, name).Environment {
			if v.Key == "PATH" {
				return v
			}
		}
		return stack.Variable{}
	}
	s := load(t, dir, "PATH=/usr/bin:/bin")
	for name, want := range map[string]string{
		"web":  bin("packages", "web") + ":" + bin("packages") + ":" + bin() + ":/usr/bin:/bin",
		"top":  bin() + ":/usr/bin:/bin",
		"away": "/opt/tool/node_modules/.bin:/usr/bin:/bin",
	} {
		if v := pathOf(s, name); v.Value != want || v.Origin != "node_modules/.bin, shell" {
			t.Errorf("%s: %+v, want %s", name, v, want)
		}
	}
	if v := pathOf(load(t, dir), "own"); v.Value != bin()+":/own" || v.Origin != "node_modules/.bin, env" {
		t.Errorf("own: %+v", v)
	}
	if v := pathOf(load(t, dir), "top"); v.Key != "" {
		t.Errorf("without a PATH the system's default is to stay: %+v", v)
	}
	elsewhere, err := stack.Load(t.Context(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml"), Portable: true, Environment: []string{"PATH=/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	if v := pathOf(elsewhere, "own"); v.Value != "/own" || v.Origin != "env" {
		t.Errorf("another machine gets this one's folders: %+v", v)
	}
}

func TestBareVariableIsOnlyDeclared(t *testing.T) {
	dir := write(t, map[string]string{"ecosystem.yaml": "apps: [{name: web, script: a.js, env: {DOT: , SHELL: , NONE: }}]", ".env": "DOT=dot\n"})
	want := []stack.Variable{{Key: "DOT", Value: "dot", Origin: ".env", Declared: true}, {Key: "SHELL", Value: "sh", Origin: "shell", Declared: true}}
	if diff := cmp.Diff(want, app(t, load(t, dir, "SHELL=sh"), "web").Environment); diff != "" {
		t.Error(diff)
	}
}

// A definition for another machine says what this one's values would have filled in.
func TestWithoutThisMachinesValues(t *testing.T) {
	dir := write(t, map[string]string{
		"ecosystem.yaml": `
required_env: [NEEDED, GIVEN]
apps:
- name: web
  script: a.js
  instances: max
  args: ["${ARG}", "${OTHER:-x}", "${A}"]
  env: {BARE: , GIVEN: x, FULL: "${A:-1}${B-}", HALF: "http://${HOST}:${PORT:-1}/$$", DOT: "${DOT:-none}"}
`,
		".env": "DOT=dot\nNEEDED=dot\nHOST=dot\n",
	})
	s, err := stack.Load(context.Background(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml"), Portable: true, Environment: []string{"A=2"}})
	if err != nil {
		t.Fatal(err)
	}
	web := app(t, s, "web")
	if diff := cmp.Diff([]string{"BARE", "NEEDED"}, web.Open); diff != "" || !web.PerCPU {
		t.Errorf("per CPU %v; open -want +got:\n%s", web.PerCPU, diff)
	}
	if diff := cmp.Diff([]string{"ARG"}, web.Unset); diff != "" {
		t.Errorf("unset in settings -want +got:\n%s", diff)
	}
	want := map[string]stack.Variable{
		"DOT":   {Key: "DOT", Value: "none", Origin: "env", Declared: true, From: []string{"DOT"}},
		"FULL":  {Key: "FULL", Value: "2", Origin: "env", Declared: true, From: []string{"A", "B"}},
		"GIVEN": {Key: "GIVEN", Value: "x", Origin: "env", Declared: true},
		"HALF":  {Key: "HALF", Value: "http://:1/$", Origin: "env", Declared: true, From: []string{"HOST", "PORT"}, Unset: []string{"HOST"}},
	}
	got := map[string]stack.Variable{}
	for _, v := range web.Environment {
		if v.Origin == "env" {
			got[v.Key] = v
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestHashChangesExactlyWithTheDefinition(t *testing.T) {
	files := map[string]string{"ecosystem.yaml": environmentFile, "one.env": "", "two.env": "", ".env": "X=1\n"}
	dir := write(t, files)
	hashesOf := func(environ ...string) (web, other string) {
		s := load(t, dir, environ...)
		return app(t, s, "web").Hash, app(t, s, "other").Hash
	}
	web, other := hashesOf("TERM=a", "NEEDED=1")
	for _, c := range []struct {
		name       string
		environ    []string
		web, other bool // changed
	}{
		{"an undeclared variable", []string{"TERM=b", "NEEDED=1", "SSH_TTY=1"}, false, false},
		{"an override with the same value", []string{"NEEDED=1", "X=1"}, false, false},
		{"a required variable", []string{"NEEDED=2"}, true, true},
		{"a variable of .env", []string{"NEEDED=1", "X=2"}, true, true},
		{"a variable of one app's env", []string{"NEEDED=1", "APP=shell"}, true, false},
		{"an interpolated variable", []string{"NEEDED=1", "IN_ARGS=z"}, true, false},
	} {
		gotWeb, gotOther := hashesOf(c.environ...)
		if (gotWeb != web) != c.web || (gotOther != other) != c.other {
			t.Errorf("%s: web changed %v, other changed %v", c.name, gotWeb != web, gotOther != other)
		}
	}
}

func TestDotEnv(t *testing.T) {
	for _, c := range []struct{ name, key, want string }{
		{"by default", "", "dot"},
		{"another file", "env_file: other.env\n", "other"},
		{"several, the last wins", "env_file: [.env, other.env]\n", "other"},
		{"none", "env_file: []\n", "unset"},
		{"may be absent", "env_file: absent.env\n", "unset"},
	} {
		dir := write(t, map[string]string{
			"ecosystem.yaml": c.key + "apps: [{name: web, script: a.js}]", ".env": "A=dot\n", "other.env": "A=other\n",
		})
		if got := values(app(t, load(t, dir), "web"), "A")[0]; got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestBrokenDotEnv(t *testing.T) {
	dir := write(t, map[string]string{"ecosystem.yaml": "apps: [{name: web, script: a.js}]", ".env": "A='open\n"})
	if _, err := stack.Load(context.Background(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml")}); err == nil {
		t.Error("loaded without an error")
	}
}

func TestMask(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{"POSTGRES_PASSWORD", "x", "***"},
		{"ANTHROPIC_API_KEY", "sk-ant", "***"},
		{"SENTRY_DSN", "x", "***"},
		{"PASSWORD", "", ""},
		{"DATABASE_URL", "postgresql://agentic:agentic_dev@localhost:5433/db", "postgresql://***@localhost:5433/db"},
		{"HOSTS", "redis://:p@ss@a:1, redis://u:p@b:2", "redis://***@a:1, redis://***@b:2"},
		{"REDIS_URL", "redis://localhost:6380", "redis://localhost:6380"},
		{"NODE_ENV", "development", "development"},
		{"CERT", "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----", "***"},
		{"HEADER", "Bearer eyJhbGciOi.eyJzdWIiOi.c2ln", "Bearer ***"},
	} {
		if got := stack.Mask(c.key, c.value); got != c.want {
			t.Errorf("Mask(%q, %q) = %q, want %q", c.key, c.value, got, c.want)
		}
	}
	args := []string{"run", "--token", "abc", "--api-key=abc", "PASSWORD=abc", "-v", "--url=http://u:p@h/", "plain"}
	want := []string{"run", "--token", "***", "--api-key=***", "PASSWORD=***", "-v", "--url=http://***@h/", "plain"}
	if diff := cmp.Diff(want, stack.MaskArgs(args)); diff != "" {
		t.Error(diff)
	}
}
