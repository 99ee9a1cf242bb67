package preflight

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devstack/daemon/api"
	"devstack/stack"
)

func TestRequiredEnv(t *testing.T) {
	dir := t.TempDir()
	s := Subject{Stack: &stack.Stack{Dir: dir, RequiredEnv: []string{"A", "B", "C"}}}
	if c := RequiredEnv(s); c.Status != OK {
		t.Errorf("all set: %+v", c)
	}
	s.Stack.Missing = []string{"A", "C"}
	c := RequiredEnv(s)
	if c.Status != Failed || c.Exit != api.ExitEnvironment || !strings.Contains(c.Detail, "A, C") || strings.Contains(c.Fix, ".env.example") {
		t.Errorf("missing: %+v", c)
	}
	write(t, filepath.Join(dir, ".env.example"), 0o644)
	if c := RequiredEnv(s); !strings.Contains(c.Fix, "cp .env.example .env") {
		t.Errorf("the example is not offered: %+v", c)
	}
	s.Stack.Profile, s.Stack.Project = "pilot", "acme"
	if c := RequiredEnv(s); !strings.Contains(c.Fix, "/etc/devstack/acme.env") {
		t.Errorf("the unit's file is not named: %+v", c)
	}
}

func TestArtifacts(t *testing.T) {
	dir := t.TempDir()
	there, missing := filepath.Join(dir, "there.js"), filepath.Join(dir, "dist", "missing.js")
	write(t, there, 0o644)
	s := Subject{Stack: &stack.Stack{Dir: dir}, Apps: []stack.App{{Script: there}, {Command: []string{"sleep"}}}}
	if c := Artifacts(s); c.Status != OK {
		t.Errorf("all there: %+v", c)
	}
	s.Apps = append(s.Apps, stack.App{Script: missing}, stack.App{Script: missing}, stack.App{Script: dir})
	if got := MissingScripts(s.Apps); len(got) != 2 {
		t.Errorf("missing scripts: %v", got)
	}
	if c := Artifacts(s); c.Status != Failed || c.Exit != api.ExitEnvironment || !strings.Contains(c.Detail, "dist/missing.js") {
		t.Errorf("missing: %+v", c)
	}
	s.Stack.Build = &stack.Build{Command: []string{"make"}}
	if c := Artifacts(s); c.Status != Failed || !strings.Contains(c.Fix, "up --build") {
		t.Errorf("with a build command: %+v", c)
	}
	s.Stack.Build.IfMissing = true
	if c := Artifacts(s); c.Status != Warning {
		t.Errorf("built when missing: %+v", c)
	}
}

// A script that a dependency makes is not there before it has run.
func TestScriptsThatADependencyMakes(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "bundle.js")
	write(t, there, 0o644)
	on := func(names ...string) (out []stack.Dependency) {
		for _, name := range names {
			out = append(out, stack.Dependency{Name: name, Condition: stack.Completed})
		}
		return out
	}
	bundle := stack.App{Name: "bundle", Script: there, OneShot: true}
	seed := stack.App{Name: "seed", Script: there, OneShot: true, DependsOn: on("bundle")}
	far := stack.App{Name: "far", Script: filepath.Join(dir, "out/far.js"), DependsOn: on("seed")}
	near := stack.App{Name: "near", Script: filepath.Join(dir, "out/near.js"), DependsOn: on("bundle")}
	alone := stack.App{Name: "alone", Script: filepath.Join(dir, "out/alone.js")}
	for name, tc := range map[string]struct {
		apps         []stack.App
		status, says string
	}{
		"a dependency":            {[]stack.App{bundle, near}, Warning, "not there yet: out/near.js of near, which bundle may make"},
		"one of a dependency":     {[]stack.App{bundle, seed, far}, Warning, "not there yet: out/far.js of far, which bundle or seed may make"},
		"nobody":                  {[]stack.App{bundle, near, alone}, Failed, "missing: out/alone.js of alone"},
		"one that is not started": {[]stack.App{near}, Failed, "missing: out/near.js of near"},
	} {
		st := &stack.Stack{Dir: dir, Apps: []stack.App{bundle, seed, far, near, alone}}
		if c := Artifacts(Subject{Stack: st, Apps: tc.apps}); c.Status != tc.status || c.Detail != tc.says {
			t.Errorf("%s: %+v, want %s, %q", name, c, tc.status, tc.says)
		}
	}
}

// A package that has a build script says how its script comes about.
func TestMissingScriptOfAPackageWithABuild(t *testing.T) {
	dir := t.TempDir()
	for path, content := range map[string]string{
		"web/package.json": `{"scripts": {"build": "tsc"}}`, "lib/package.json": `{}`, "package.json": `{"scripts": {"build": "turbo build"}}`,
	} {
		write(t, filepath.Join(dir, path), 0o644)
		if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for script, want := range map[string]string{
		"web/dist/a.js": "web/package.json has a build script: let devstack up run it with `build: {command: npm --prefix web run build, if_missing: true}` in ecosystem.yaml",
		"a.js":          "package.json has a build script: let devstack up run it with `build: {command: npm run build, if_missing: true}`",
		"lib/a.js":      "build them, or correct `script`",
	} {
		app := stack.App{Name: "web", Script: filepath.Join(dir, script)}
		st := &stack.Stack{Dir: dir, File: filepath.Join(dir, "ecosystem.yaml"), Apps: []stack.App{app}}
		if c := Artifacts(Subject{Stack: st, Apps: st.Apps}); !strings.HasPrefix(c.Fix, want) {
			t.Errorf("%s: %q, want %q", script, c.Fix, want)
		}
	}
}

func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bin", "node"), 0o755)
	write(t, filepath.Join(dir, "bin", "data"), 0o644)
	app := func(command ...string) stack.App {
		return stack.App{Name: "app", Command: command, Cwd: dir, Environment: []stack.Variable{{Key: "PATH", Value: "bin"}}}
	}
	script := stack.App{Script: "/x.js", Interpreter: "node", Environment: app().Environment, Cwd: dir}
	for _, tc := range []struct {
		name, status, says string
		apps               []stack.App
	}{
		{"on the app's own PATH", OK, "node", []stack.App{script, app("node")}},
		{"relative to cwd", OK, "bin/node", []stack.App{app("bin/node")}},
		{"the script itself", OK, "", []stack.App{{Script: "/x", Interpreter: "none"}}},
		{"all missing at once", Failed, "sh of app: not found, ls of app: not found", []stack.App{app("sh"), app("ls"), app("node")}},
		{"not executable, so not found", Failed, "data of app: not found", []stack.App{app("data")}},
		{"not executable", Failed, "bin/data of app: not executable", []stack.App{app("bin/data")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := Programs(Subject{Apps: tc.apps})
			if c.Status != tc.status || !strings.Contains(c.Detail, tc.says) {
				t.Errorf("%+v", c)
			}
		})
	}
	script.Environment = nil
	if c := Programs(Subject{Apps: []stack.App{script}}); c.Status != Failed || !strings.Contains(c.Fix, "Node.js") {
		t.Errorf("no Node: %+v", c)
	}
}

// What a package manager has installed for an app, or for the workspace around it, is found, but not what is another app's.
func TestInstalledPackagesArePrograms(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"node_modules/.bin/turbo", "packages/web/node_modules/.bin/vite", "packages/web/a.ts", "bin/node"} {
		write(t, filepath.Join(dir, path), 0o755)
	}
	file := filepath.Join(dir, "ecosystem.yaml")
	text := `apps:
- {name: web, cwd: packages/web, command: [vite]}
- {name: top, cwd: packages/web, command: [turbo]}
- {name: worker, cwd: packages/web, script: a.ts, interpreter: tsx}
- {name: other, cwd: packages/other, command: [vite]}
`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	st, err := stack.Load(t.Context(), stack.Options{File: file, Environment: []string{"PATH=" + filepath.Join(dir, "bin")}})
	if err != nil {
		t.Fatal(err)
	}
	c := Programs(Subject{Stack: st, Apps: st.Apps})
	if want := "tsx of worker: not found, vite of other: not found"; c.Detail != want || c.Status != Failed {
		t.Errorf("%+v, want %q", c, want)
	}
	if c := Programs(Subject{Stack: st, Apps: st.Apps[:2]}); c.Status != OK {
		t.Errorf("%+v", c)
	}
}

func TestNodeVersion(t *testing.T) {
	dir := t.TempDir()
	s := Subject{Apps: []stack.App{{Script: "/x.js", Interpreter: filepath.Join(dir, "node")}}}
	for version, want := range map[string]string{"v20.1.0": OK, "v16.9.9": Warning} {
		script := "#!/bin/sh\necho " + version + "\n"
		if err := os.WriteFile(filepath.Join(dir, "node"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		if c := NodeVersion(context.Background(), s); c.Status != want || c.Detail != version {
			t.Errorf("%s: %+v", version, c)
		}
	}
}

func TestHost(t *testing.T) {
	dir := t.TempDir()
	s := Subject{Stack: &stack.Stack{Dir: dir, LogDir: filepath.Join(dir, "not", "yet")}, StateDir: dir}
	if c := Disk(s); c.Status == Failed || !strings.Contains(c.Detail, "MiB free") {
		t.Errorf("%+v", c)
	}
	if c := OpenFiles(); !strings.Contains(c.Detail, "limit") {
		t.Errorf("%+v", c)
	}
}

func write(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), mode); err != nil {
		t.Fatal(err)
	}
}
