package draft

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// start is how a package is run.
type start struct {
	why     string   // in words
	line    string   // its script, as its author wrote it; empty: there is none
	script  string   // that node is given, or a bin; empty: command
	args    []string // of script
	command []string
}

// apps are the packages that can be started, waiting for all services, and the build that makes scripts that are missing;
// empty: none.
func (w workspace) apps(packages []*manifest, services []string) (apps []mapping, build string) {
	used, names, ports := map[string]bool{}, map[string]bool{}, map[int]string{}
	for _, m := range packages {
		for name := range m.Dependencies {
			used[name] = true
		}
	}
	for _, s := range services {
		names[s] = true
	}
	build = w.rootBuild(packages)
	for _, m := range packages {
		if m.dir == "." && len(packages) > 1 && m.Scripts["start"] == "" {
			continue // the workspace itself
		}
		run, why := w.start(m, used[m.Name])
		if run == nil {
			w.draft.Lost = append(w.draft.Lost, fmt.Sprintf("%s is not an app: %s", m.where(), why))
			continue
		}
		name := unique(appName(m.Name, path.Base(w.dirName(m.dir))), names)
		depends := slices.Clone(services)
		if w.needsBuild(m, run, build != "") {
			builder := unique(name+"-build", names)
			apps = append(apps, w.builder(m, builder))
			depends = append(depends, builder)
		}
		apps = append(apps, w.app(m, name, run, depends, ports))
	}
	return apps, build
}

// app is what one package becomes.
func (w workspace) app(m *manifest, name string, run *start, depends []string, ports map[int]string) mapping {
	app := newMapping()
	app.set("name", name)
	if m.dir != "." {
		app.set("cwd", m.dir)
	}
	if run.script != "" {
		app.set("script", run.script)
	} else {
		app.set("command", run.command)
	}
	if len(run.args) > 0 {
		app.set("args", run.args)
	}
	dir := filepath.Join(w.dir, m.dir)
	f := factsOf(dir, run.line, run.script)
	port, from := f.port()
	for from == frameworkDefault && f.takesEnv() && ports[port] != "" {
		port++ // devstack tells it in PORT
	}
	if owner := ports[port]; port != 0 && owner != "" {
		w.draft.Lost = append(w.draft.Lost, fmt.Sprintf("%s: port %d is also that of %s: give one of them another `port`", name, port, owner))
		port = 0
	}
	why := run.why
	if port != 0 {
		ports[port] = name
		app.set("port", port)
		why += fmt.Sprintf(", port %d from %s", port, from)
		if route := f.health(dir); route != "" {
			check := newMapping()
			check.set("http", route)
			app.set("healthcheck", check)
			why += ", health at " + route
		}
	}
	if len(depends) > 0 {
		app.set("depends_on", depends)
	}
	w.found("app %s: %s", name, why)
	return app
}

// needsBuild says that what a package runs is not built yet, and that its own build script makes it. The workspace's build
// makes scripts that are missing, but knows nothing of what a framework needs.
func (w workspace) needsBuild(m *manifest, run *start, rootBuilds bool) bool {
	if m.Scripts["build"] == "" {
		return false
	}
	missing := func(file string) bool {
		_, err := os.Stat(filepath.Join(w.dir, m.dir, file))
		return err != nil
	}
	if f := frameworkOf(run.line); f != nil {
		return f.built != "" && missing(f.built)
	}
	return run.script != "" && missing(run.script) && !rootBuilds
}

// builder runs a package's build script once, before what needs it.
func (w workspace) builder(m *manifest, name string) mapping {
	app := newMapping()
	app.set("name", name)
	if m.dir != "." {
		app.set("cwd", m.dir)
	}
	app.set("command", []string{w.packageManager(m.dir), "run", "build"})
	app.set("one_shot", true)
	w.found("app %s: the build script of %s, because it is not built yet", name, m.where())
	return app
}

func (w workspace) dirName(dir string) string {
	if dir == "." {
		return filepath.ToSlash(w.dir)
	}
	return dir
}

func (m manifest) where() string { return path.Join(m.dir, "package.json") }

// start is how a package is run, or why it is not: by its start script, its only bin, its dev script, or its main where
// that is built. What other packages use is run by a start script or a bin alone: its dev script builds it.
func (w workspace) start(m *manifest, library bool) (run *start, why string) {
	if line := m.Scripts["start"]; line != "" {
		if strings.Contains(line, "devstack ") || strings.Contains(line, "pm2 ") {
			return nil, "its start script starts a supervisor"
		}
		run := &start{why: "the start script of " + m.where(), line: line}
		if words := strings.Fields(line); plainNode(words) {
			run.script, run.args = words[1], words[2:]
		} else {
			run.command = w.runScript(m.dir, "start")
		}
		return run, ""
	}
	if bin := m.bin(); bin != "" {
		return &start{why: "the bin of " + m.where(), script: bin}, ""
	}
	if line := m.Scripts["dev"]; line != "" && !library {
		return &start{why: "the dev script of " + m.where(), line: line, command: w.runScript(m.dir, "dev")}, ""
	}
	if built := strings.HasPrefix(strings.TrimPrefix(m.Main, "./"), "dist/"); built && !library {
		return &start{why: "the main of " + m.where(), script: m.Main}, ""
	}
	if library {
		return nil, "other packages use it, and it has no start script"
	}
	return nil, "it has no start or dev script, no bin and no main in dist"
}

// plainNode says that a start script is `node FILE ARGS` and nothing that needs a shell.
func plainNode(words []string) bool {
	return len(words) >= 2 && words[0] == "node" && !strings.HasPrefix(words[1], "-") &&
		!strings.ContainsAny(strings.Join(words, " "), `$&|;<>"'*()\`+"`")
}

func (m manifest) bin() string {
	var one string
	var many map[string]string
	if json.Unmarshal(m.Bin, &one) == nil {
		return one
	}
	if json.Unmarshal(m.Bin, &many) == nil && len(many) == 1 {
		for _, file := range many {
			return file
		}
	}
	return ""
}

// packageManager is the one that has written the lock file of a package, or of the workspace around it.
func (w workspace) packageManager(dir string) string {
	for _, folder := range []string{dir, "."} {
		for _, lock := range [][2]string{
			{"pnpm-lock.yaml", "pnpm"}, {"yarn.lock", "yarn"}, {"bun.lock", "bun"}, {"bun.lockb", "bun"}, {"package-lock.json", "npm"},
		} {
			if _, err := os.Stat(filepath.Join(w.dir, folder, lock[0])); err == nil {
				return lock[1]
			}
		}
	}
	return "npm"
}

// runScript is how the package manager runs a script.
func (w workspace) runScript(dir, script string) []string {
	manager := w.packageManager(dir)
	if script == "start" && manager != "bun" { // bun's own start would be a program of that name
		return []string{manager, "start"}
	}
	return []string{manager, "run", script}
}

// rootBuild is the root's build, as its package manager runs it.
func (w workspace) rootBuild(packages []*manifest) string {
	if len(packages) == 0 || packages[0].dir != "." || packages[0].Scripts["build"] == "" {
		return ""
	}
	if f := frameworkOf(cmp.Or(packages[0].Scripts["start"], packages[0].Scripts["dev"])); f != nil {
		return "" // it makes no script that devstack runs
	}
	return w.packageManager(".") + " run build"
}
