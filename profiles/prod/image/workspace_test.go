package image

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"devstack/profiles/prod"
	"devstack/stack"
)

// tree writes files into a new directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLookRefuses(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"package.json: it is not there":                 {},
		"neither has a lock file":                       {"package.json": `{}`, "yarn.lock": ""},
		"which pnpm wrote":                              {"package.json": `{}`, "pnpm-lock.yaml": ""},
		"packageManager is not NAME@VERSION: pnpm@10":   {"package.json": `{"packageManager": "pnpm@10"}`},
		"images are built by npm or pnpm":               {"package.json": `{"packageManager": "yarn@4.1.0"}`},
		"package-lock.json: it is not there":            {"package.json": `{"packageManager": "npm@11.0.0"}`},
		"package-lock.json: it is of a format that npm": {"package.json": `{}`, "package-lock.json": `{"lockfileVersion": 1}`},
		"pnpm-lock.yaml: it is of a format that pnpm":   {"package.json": `{"packageManager": "pnpm@10.1.2+sha512.abc"}`, "pnpm-lock.yaml": "lockfileVersion: '5.4'"},
		"there is a secret in it":                       {"package.json": `{}`, "package-lock.json": `{"packages": {"": {}}}`, ".npmrc": "//registry.example.com/:_authToken=npm_123"},
		"no image can have this path":                   {"package.json": `{}`, "a b/package.json": `{}`, "package-lock.json": `{"packages": {"": {}, "a b": {}}}`},
	} {
		_, err := Look(tree(t, files))
		var refused stack.Errors
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// A private registry's token is a secret of the commands that install, and of nothing else.
func TestTokens(t *testing.T) {
	ws := look(t, tree(t, map[string]string{
		"package.json": `{}`, "package-lock.json": `{"packages": {"": {}}}`, ".npmrc": "# _auth=x\n//registry.example.com/:_authToken=${NPM_TOKEN}\n",
	}))
	w := prod.Workload{Name: "a", App: "a", Runtime: "node", WorkDir: "/app", Command: []string{"node", "x.js"}}
	files, _, err := Render(prod.Model{Build: prod.Build{Context: "."}, Workloads: []prod.Workload{w}}, Options{Workspace: ws})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(files[0].Data), "RUN --mount=type=secret,id=NPM_TOKEN,env=NPM_TOKEN npm ci "); n != 2 {
		t.Errorf("%d commands have the token:\n%s", n, files[0].Data)
	}
	if !strings.Contains(string(files[2].Data), `secret     = ["id=NPM_TOKEN,env=NPM_TOKEN"]`) {
		t.Errorf("bake does not pass it on:\n%s", files[2].Data)
	}
}

func TestNodeVersion(t *testing.T) {
	for engines, want := range map[string]string{
		"": "24", ">=20": "24", ">=26": "26", "^22.1.0": "22", "22.x": "22", "20": "20", "~20.9": "20", "18 || 20": "24", "v22": "22",
	} {
		if got := nodeVersion(t.TempDir(), manifest{Engines: map[string]string{"node": engines}}); got != want {
			t.Errorf("engines %q: %s, want %s", engines, got, want)
		}
	}
	if got := nodeVersion(tree(t, map[string]string{".nvmrc": "v22.11.0\n"}), manifest{}); got != "22.11.0" {
		t.Errorf(".nvmrc: %s", got)
	}
}

func TestClosure(t *testing.T) {
	ws := Workspace{Packages: []Package{
		{Dir: "."}, {Dir: "a", Needs: []string{"lib"}}, {Dir: "ab"}, {Dir: "lib", Needs: []string{"base"}}, {Dir: "base", Needs: []string{"lib"}},
	}}
	for _, c := range []struct {
		dir     string
		command []string
		want    []string
	}{
		{"/app", []string{"node", "a/dist/x.js"}, []string{"a", "base", "lib"}},
		{"/app/a", []string{"npm", "start"}, []string{"a", "base", "lib"}},
		{"/app", []string{"node", "ab/x.js"}, []string{"ab"}},
		{"/app", []string{"node", "--require", "/app/ab/hook.js", "a/x.js"}, []string{"a", "ab", "base", "lib"}},
		{"/app", []string{"node", "dist/x.js"}, nil},
	} {
		w := prod.Workload{WorkDir: c.dir, Command: c.command}
		if got := ws.closure(ws.named(w)); !slices.Equal(got, c.want) {
			t.Errorf("%s %v: %v, want %v", c.dir, c.command, got, c.want)
		}
	}
}

// A single package whose own scripts run at install time, whose program is in src, and that is the whole workspace.
func TestAPackageWithScriptsAndSource(t *testing.T) {
	dir := tree(t, map[string]string{
		"package.json":      `{"packageManager": "npm@11.0.0", "main": "./src/index.js", "scripts": {"postinstall": "true"}}`,
		"package-lock.json": `{"packages": {"": {}}}`, "patches/x.patch": "", ".nvmrc": "22",
	})
	w := prod.Workload{Name: "a", App: "a", Runtime: "node", WorkDir: "/app", Command: []string{"node", "test/serve.js"}, User: 7}
	files, _, err := Render(prod.Model{Build: prod.Build{Context: "."}, Workloads: []prod.Workload{w}}, Options{Workspace: look(t, dir), Dir: "out"})
	if err != nil {
		t.Fatal(err)
	}
	text := string(files[0].Data)
	for _, want := range []string{
		"node:22-bookworm\n", "RUN [\"npm\",\"install\",\"--global\",\"npm@11.0.0\"]\nWORKDIR /app\nCOPY . .\nRUN npm ci", "RUN rm -rf tests __tests__ \\\n",
		"RUN npm --prefix ./. pkg delete scripts\n", "COPY --from=built /app ./\nFROM runtime AS a\nWORKDIR /app\nCOPY --from=a-files /app ./\nUSER 7:7\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if ignore := string(files[1].Data); strings.Contains(ignore, "dist") || !strings.HasSuffix(ignore, "\nout\n") {
		t.Errorf("without a build command, in the workspace, the ignore file is\n%s", ignore)
	}
}
