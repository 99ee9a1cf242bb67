// Package image writes what builds the images of a production model: a Dockerfile with one stage per app, its ignore file
// and a bake file. Everything is compiled once, in one build of the workspace; each app's image then has its own package,
// the workspace packages that it depends on by the lock file, and their production dependencies, at the paths that
// they have in the workspace.
//
// What it promises: the package manager is npm or pnpm, in the version that package.json's packageManager names, and
// installs what the lock file says and nothing else. No layer of an app's image has a .env file, a private key, an
// .npmrc, TypeScript, a source map, tests, a devDependency or the lock file. The code belongs to root, the process is not
// root, STOPSIGNAL and CMD are the app's, and there is no HEALTHCHECK: each target has its own. The Dockerfile needs no
// BuildKit, unless .npmrc takes tokens from the environment, which are then secrets of the build; both base images are arguments, so that one of a private registry, or of this machine, does as well.
//
// What it does not: system packages that an app needs belong into a base image of its own, RUNTIME_IMAGE. A file that
// no package of the app's has, and that its command does not name, is not in its image. Generated code that lands in
// node_modules is not either: production dependencies are installed anew.
package image

import (
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"devstack/profiles/prod"
)

// Target is this target's name in reports.
const Target = "image"

// Options is what a model cannot say about its workspace.
type Options struct {
	Workspace Workspace // of Look, at the model's Build.Context
	Dir       string    // where the files will be, relative to ecosystem.yaml's directory, with slashes; empty: deploy/image
}

// Render is Dockerfile, Dockerfile.dockerignore and docker-bake.hcl for the apps that have no image yet. What an image of
// Node.js cannot run is stack.Errors.
func Render(m prod.Model, o Options) ([]prod.File, []prod.Entry, error) {
	if o.Dir == "" {
		o.Dir = "deploy/image"
	}
	r := &renderer{Notes: prod.Notes{Target: Target, Model: m}, workspace: o.Workspace, dir: path.Clean(o.Dir)}
	for _, w := range m.Workloads {
		if w.Image.Reference == "" {
			r.add(w)
		}
	}
	r.aboutBuild()
	up, err := filepath.Rel(m.Build.Context, r.dir)
	if err != nil {
		return nil, nil, err
	}
	if len(r.Found) > 0 {
		return nil, nil, r.Found
	}
	return []prod.File{
		{Path: "Dockerfile", Data: r.dockerfile()},
		{Path: "Dockerfile.dockerignore", Data: r.ignore(filepath.ToSlash(up))},
		{Path: "docker-bake.hcl", Data: r.bake(filepath.ToSlash(up) + "/Dockerfile")},
	}, r.Entries, nil
}

// renderer collects the apps of one Dockerfile.
type renderer struct {
	prod.Notes
	workspace Workspace
	dir       string
	apps      []app
}

// app is a workload, and what of the workspace its image has.
type app struct {
	prod.Workload
	roots []string // directories of the packages that its command names
	all   []string // these and what they depend on; empty: the whole workspace
}

// plain are paths that mean the same wherever a Dockerfile has them.
var plain = regexp.MustCompile(`^[A-Za-z0-9._/@+-]+$`)

// add takes in a workload, or refuses it.
func (r *renderer) add(w prod.Workload) {
	switch w.Runtime {
	case "", "node", "nodejs", "npm", "npx", "sh":
	default:
		r.Refuse(w, "interpreter", "an image of Node.js has no "+w.Runtime, "run it with node, or build its image yourself and give its reference")
	}
	for _, word := range w.Command {
		if strings.HasSuffix(word, ".ts") || strings.HasSuffix(word, ".tsx") || strings.HasSuffix(word, ".mts") {
			r.Refuse(w, "script", word+" is source code, and images have none", "let the build compile it, and run the JavaScript")
		}
	}
	if !plain.MatchString(w.WorkDir) {
		r.Refuse(w, "cwd", "no Dockerfile takes the path "+w.WorkDir, "name the directory with letters, digits, . _ @ + and -")
	}
	a := app{Workload: w, roots: r.workspace.named(w)}
	a.all = r.workspace.closure(a.roots)
	r.apps = append(r.apps, a)
	r.about(a)
}

// about says what of an app is in its image. What is not said is the definitions' to say.
func (r *renderer) about(a app) {
	key := "script"
	if a.Runtime == "npm" || a.Runtime == "npx" {
		key = "command"
		r.Approximated(a.Workload, key, "CMD runs it through "+a.Runtime+", which stands between the app and its signals", "run the script with node")
	} else {
		r.Mapped(a.Workload, key, "it is CMD of "+a.Image.Repository)
	}
	r.Mapped(a.Workload, "cwd", "it is WORKDIR "+a.WorkDir)
	r.Mapped(a.Workload, "kill_signal", "it is STOPSIGNAL "+a.Stop.Signal)
	if len(a.Ports) > 0 {
		r.Mapped(a.Workload, "port", "it is EXPOSE")
	}
	for _, word := range a.Command {
		if word == "--enable-source-maps" {
			r.Dropped(a.Workload, "node_args", "images have no source maps: these contain source code", "keep the maps of each build where errors are read")
		}
	}
}

// aboutBuild says how the build is done.
func (r *renderer) aboutBuild() {
	e := prod.Entry{Target: Target, Subject: prod.StackSubject, Key: "build.command", Verdict: prod.IsMapped, How: "it runs once for all images, after the packages of the lock file are installed; it makes dist folders anew"}
	if len(r.Model.Build.Command) == 0 {
		e.Key, e.How = "build", "there is none: the images take the files as they are"
	}
	if r.workspace.Manager == "npm" && r.workspace.Version == "" {
		e.Verdict, e.How = prod.IsApproximated, e.How+"; the base image decides which npm"
		e.Fix = `write the exact one in package.json: "packageManager": "npm@VERSION"`
	}
	e.Asked = true
	r.Entries = append(r.Entries, e)
}
