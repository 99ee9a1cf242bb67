package prod_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/profiles/prod"
	"devstack/stack"
)

func TestVariables(t *testing.T) {
	st := loadedWith(t, map[string]string{
		"ecosystem.yaml": `
required_env: [DATABASE_URL, SESSION_SECRET, LOG_LEVEL]
apps:
- name: web
  script: a.js
  port: 3000
  env_file: web.env
  env:
    LOG_LEVEL: info
    API_KEY: literal
    EMPTY_TOKEN: ""
    REDIS: "redis://user:word@cache:6379"
    BARE:
    BARE_PASSWORD:
    WHOLE: "${WHOLE}"
    PART: "http://${HOST}/x"
    HOST_OR: "${HOST:-h}"
    DISGUISED: "${DB_PASSWORD:-dev}"
    REGION: "${REGION}"
    PEER: "http://localhost:4000"
    NODE_ENV: production
`,
		"web.env": "FROM_FILE=f\nFILE_SECRET=s\n",
		".env":    "DATABASE_URL=postgres://dot\nONLY_DOT=dot\nWHOLE=dot\n",
	}, "REGION=eu")
	m, r := derived(t, st, prod.Options{})
	w := m.Workloads[0]
	want := []prod.Variable{
		{"EMPTY_TOKEN", ""},
		{"FROM_FILE", "f"},
		{"HOST_OR", "h"},
		{"LOG_LEVEL", "info"},
		{"NODE_APP_INSTANCE", "0"},
		{"NODE_ENV", "production"},
		{"NODE_OPTIONS", "--max-old-space-size=384"},
		{"PEER", "http://localhost:4000"},
		{"PORT", "3000"},
		{"REGION", "eu"},
	}
	if diff := cmp.Diff(want, w.Config); diff != "" {
		t.Errorf("configuration -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(strings.TrimSpace(`
API_KEY: sounds like a secret
BARE: declared without a value
BARE_PASSWORD: sounds like a secret
DATABASE_URL: required_env
DISGUISED: sounds like a secret
FILE_SECRET: sounds like a secret
PART: interpolates what is unset
REDIS: has a password in it
SESSION_SECRET: sounds like a secret
WHOLE: interpolates what is unset`), names(w.Secrets)); diff != "" {
		t.Errorf("secrets -want +got:\n%s", diff)
	}
	for key, verdict := range map[string]prod.Verdict{
		"env.LOG_LEVEL": prod.IsMapped, "env.WHOLE": prod.IsMapped, "env.PART": prod.IsApproximated, "env.PEER": prod.IsApproximated, "env_file": prod.IsMapped,
	} {
		if e := entry(t, r, "app web", key); e.Verdict != verdict || !e.Asked {
			t.Errorf("%s is %s, asked %v", key, e.Verdict, e.Asked)
		}
	}
}

// Even a stack that was loaded with the caller's environment gives none of it away.
func TestTheCallersShellStaysOutside(t *testing.T) {
	dir := project(t, map[string]string{"ecosystem.yaml": "required_env: [NEEDED]\napps: [{name: web, command: [x], env: {LEVEL: file, BARE: }}]", ".env": "NEEDED=dot\nDOT=dot\n"})
	st, err := stack.Load(t.Context(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml"), Environment: []string{"LEVEL=shell", "BARE=shell", "OTHER=shell"}})
	if err != nil {
		t.Fatal(err)
	}
	m, _ := derived(t, st, prod.Options{})
	if diff := cmp.Diff([]prod.Variable{{"NODE_APP_INSTANCE", "0"}}, m.Workloads[0].Config); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("BARE: set by the caller's shell\nLEVEL: set by the caller's shell\nNEEDED: required_env", names(m.Workloads[0].Secrets)); diff != "" {
		t.Error(diff)
	}
}

func TestNoCanaryGetsOut(t *testing.T) {
	var canaries, shell []string
	canary := func() string {
		c := fmt.Sprintf("canary+%016x", rand.Uint64())
		canaries = append(canaries, c)
		return c
	}
	names := []string{"DATABASE_URL", "REDIS_URL", "ANTHROPIC_API_KEY", "TASK_PACE_MS", "NODE_ENV", "STACK_NAME", "AWS_SECRET_ACCESS_KEY", "HOME", "PORT", "NODE_OPTIONS", "BARE", "WHOLE"}
	for _, name := range names {
		value := canary()
		shell = append(shell, name+"="+value)
		t.Setenv(name, value)
	}
	dir := project(t, map[string]string{
		"ecosystem.yaml": `
compose: compose.yaml
required_env: [DATABASE_URL, REDIS_URL, ANTHROPIC_API_KEY, DOT_KEY]
apps:
- name: web
  script: a.js
  port: 3000
  env_file: web.env
  env: {BARE: , WHOLE: "${WHOLE}", URL: "postgres://u:` + canary() + `@db/x", JWT_SECRET: ` + canary() + `, SIGNED: "${SIGNING_KEY:-` + canary() + `}"}
  depends_on: [db]
`,
		"compose.yaml": "services: {db: {image: 'postgres:16', environment: {POSTGRES_PASSWORD: " + canary() + "}, volumes: ['data:/data']}}\nvolumes: {data: }\n",
		"web.env":      "WEB_TOKEN=" + canary() + "\nMONGO=mongodb://me:" + canary() + "@m/\n",
		".env":         "DOT_KEY=" + canary() + "\nWHOLE=" + canary() + "\nDOT=" + canary() + "\n",
	})
	if len(canaries) < 20 {
		t.Fatalf("%d canaries", len(canaries))
	}
	file := filepath.Join(dir, "ecosystem.yaml")
	portable, err := prod.Load(t.Context(), prod.LoadOptions{File: file})
	if err != nil {
		t.Fatal(err)
	}
	here, err := stack.Load(t.Context(), stack.Options{File: file, Environment: append(os.Environ(), shell...)})
	if err != nil {
		t.Fatal(err)
	}
	for name, st := range map[string]*stack.Stack{"portable": portable, "this machine's": here} {
		m, r := derived(t, st, prod.Options{Containers: []string{"db"}})
		text := string(asJSON(t, m)) + string(asJSON(t, r)) + r.Text(true)
		for _, c := range canaries {
			for _, needle := range append(prod.Needles(c), prod.Needles(strings.ToUpper(c))...) {
				if strings.Contains(text, string(needle)) {
					t.Errorf("%s: %s got out", name, c)
				}
			}
		}
	}
}

// hostile are values that some target's parser would change.
func hostile() []string {
	return []string{
		"$", "$$", "$HOME", "${HOME}", "$(HOME)", "$$(X)", "%n", "%%", `"`, `'`, `\`, `\n`, "`id`", "a b", " lead", "trail ", "", "tab\there",
		"two\nlines", "ends with newline\n", "\r\n", "yes", "no", "on", "y", "null", "~", "1e3", "0o7", "0x1F", "1_000", "12:30:45", "2001-01-01", ".inf",
		"- a", "a: b", "#no comment", "a #b", "{a}", "[a]", "*x", "&x", "!x", "|", ">", "?", "@x", "=", "<<", "---", "...", "status:\n  x",
		"\u00e9", "\U0001f680", "\u2028", "\ufeffbom", "\x7f", "{{ .Values }}", strings.Repeat("x", 32<<10),
	}
}

func TestHostileValuesAreByteExact(t *testing.T) {
	var file strings.Builder
	file.WriteString("apps:\n- name: web\n  command: [x]\n  instance_var: N\n  env:\n")
	for i, v := range hostile() {
		fmt.Fprintf(&file, "    V%03d: %s\n", i, quoted(v))
	}
	m, _ := derived(t, loaded(t, file.String()), prod.Options{})
	for i, v := range hostile() {
		if got := config(m.Workloads[0], fmt.Sprintf("V%03d", i)); got != v {
			t.Errorf("%q became %q", v, got)
		}
	}
}

// quoted is a value in YAML's double quotes, its dollars doubled as interpolation asks.
func quoted(v string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range v {
		switch {
		case r == '$':
			b.WriteString("$$")
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f || r == 0x2028 || r == 0xfeff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
