package draft

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/stack"
)

// write makes the files in a new directory.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// load reads a draft as ecosystem.yaml in dir.
func load(t *testing.T, dir string, d *Draft) *stack.Stack {
	t.Helper()
	file := filepath.Join(dir, "ecosystem.yaml")
	if err := os.WriteFile(file, d.Text, 0o644); err != nil {
		t.Fatal(err)
	}
	st, err := stack.Load(t.Context(), stack.Options{File: file})
	if err != nil {
		t.Fatalf("the draft cannot be loaded: %v\n%s", err, d.Text)
	}
	return st
}

const composeFile = `
services:
  redis: {image: "redis:7-alpine"}
  postgres: {image: "postgres:16-alpine"}
  web: {build: .}
  debug: {image: busybox, profiles: [debug]}
`

func TestWorkspace(t *testing.T) {
	dir := write(t, map[string]string{
		"package.json":                           `{"name": "shop", "workspaces": {"packages": ["packages/*", "!packages/old"]}, "scripts": {"build": "tsc -b"}}`,
		"pnpm-workspace.yaml":                    "packages: [services/**]\n",
		"pnpm-lock.yaml":                         "",
		"packages/api/package.json":              `{"name": "@shop/api", "scripts": {"start": "node dist/server.js --fast"}, "dependencies": {"@shop/lib": "1"}}`,
		"packages/lib/package.json":              `{"name": "@shop/lib", "main": "dist/index.js"}`,
		"packages/old/package.json":              `{"name": "old", "scripts": {"start": "node x.js"}}`,
		"packages/none/README":                   "",
		"services/a/b/package.json":              `{"name": "worker", "scripts": {"start": "NODE_ENV=x tsx src/$MAIN"}}`,
		"services/cli/package.json":              `{"bin": {"shop": "bin/shop.js"}}`,
		"services/mail/package.json":             `{"name": "mail", "main": "./dist/index.js"}`,
		"services/a/node_modules/x/package.json": `{"name": "x", "scripts": {"start": "node x.js"}}`,
		"docker-compose.yml":                     composeFile,
		"ecosystem.config.js":                    "throw new Error('nobody reads me')",
	})
	d, err := Workspace(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := `# yaml-language-server: $schema=.devstack/schema.json
# Drafted by devstack init. ` + "`devstack schema` lists every key, `devstack config`" + ` shows what comes out.

compose: docker-compose.yml

services: [redis, postgres]

build:
  command: pnpm run build
  if_missing: true

apps:
  - name: worker
    cwd: services/a/b
    command: [pnpm, start]
    depends_on: [redis, postgres]

  - name: cli
    cwd: services/cli
    script: bin/shop.js
    depends_on: [redis, postgres]

  - name: mail
    cwd: services/mail
    script: ./dist/index.js
    depends_on: [redis, postgres]

  - name: api
    cwd: packages/api
    script: dist/server.js
    args: [--fast]
    depends_on: [redis, postgres]
`
	if diff := cmp.Diff(want, string(d.Text)); diff != "" {
		t.Error(diff)
	}
	st := load(t, dir, d)
	if len(st.Apps) != 4 || len(st.Compose.Services) != 2 || st.Apps[3].Script != filepath.Join(st.Dir, "packages/api/dist/server.js") {
		t.Errorf("loaded %+v", st.Apps)
	}
	said := strings.Join(slices.Concat(d.Found, d.Lost), "\n")
	for _, words := range []string{"devstack import ecosystem.config.js", "packages/lib/package.json is not an app", "service web is built", "Compose profiles"} {
		if !strings.Contains(said, words) {
			t.Errorf("%q is not said:\n%s", words, said)
		}
	}
}

func TestWorkspaceOfOnePackage(t *testing.T) {
	dir := write(t, map[string]string{"package.json": `{"name": "redis", "scripts": {"start": "node server.js"}}`, "compose.yaml": composeFile})
	d, err := Workspace(dir)
	if err != nil {
		t.Fatal(err)
	}
	if st := load(t, dir, d); len(st.Apps) != 1 || st.Apps[0].Name != "redis-2" {
		t.Errorf("an app must not have a service's name: %+v", st.Apps)
	}
}

func TestWorkspaceOfContainersAlone(t *testing.T) {
	dir := write(t, map[string]string{"compose.yaml": composeFile})
	d, err := Workspace(dir)
	if err != nil {
		t.Fatal(err)
	}
	if st := load(t, dir, d); len(st.Apps) != 0 || len(st.Compose.Services) != 2 {
		t.Errorf("%s", d.Text)
	}
}

func TestTheSampleIsAWorkspace(t *testing.T) {
	d, err := Workspace("../../examples/agentic-sdlc")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(d.Text), "- name:"); n != 6 || len(d.Lost) != 1 {
		t.Errorf("%d apps, lost %q\n%s", n, d.Lost, d.Text)
	}
}

func TestNothingToStart(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"empty":          {},
		"a library":      {"package.json": `{"name": "lib", "main": "index.js"}`},
		"a broken file":  {"package.json": `{`},
		"broken compose": {"compose.yaml": "a: b: c"},
	} {
		if d, err := Workspace(write(t, files)); err == nil {
			t.Errorf("%s: %s", name, d.Text)
		}
	}
}

func TestAppName(t *testing.T) {
	for name, want := range map[string]string{
		"web": "web", "@scope/web": "web", "all": "app-all", "42": "app-42", "": "dir", "-x": "x", "a b": "a-b", "@scope/": "dir",
	} {
		if got := appName(name, "dir"); got != want {
			t.Errorf("%q: %q, not %q", name, got, want)
		}
	}
}
