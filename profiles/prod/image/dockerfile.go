package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"devstack/profiles/prod"
)

// unwanted are the files that no image has: secrets, sources and what only the build needs.
var unwanted = []string{
	".env*", ".npmrc", "*.pem", "*.key", "*.log",
	"*.ts", "*.tsx", "*.mts", "*.cts", "*.map", "tsconfig*.json", "*.tsbuildinfo",
}

// sources are the directories of a package that hold them.
var sources = []string{"src", "test", "tests", "__tests__"}

// dockerfile has the stages in the order in which they are built.
func (r *renderer) dockerfile() []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	b.WriteString(prod.Header)
	line("# One image per app from one build of the workspace; docker-bake.hcl builds all of them.")
	line("")
	line("# Both have Node.js, npm and a shell, the first one compilers, too. Give them with their digests, or bases of your own.")
	line("ARG BUILD_IMAGE=node:%s-bookworm", r.workspace.Node)
	line("ARG RUNTIME_IMAGE=node:%s-bookworm-slim", r.workspace.Node)
	line("")
	line("# What the lock file names; done again when it or a manifest changes.")
	line("FROM ${BUILD_IMAGE} AS installed")
	if r.workspace.Version != "" {
		line("RUN %s", argv("npm", "install", "--global", r.workspace.Manager+"@"+r.workspace.Version))
	}
	line("WORKDIR %s", prod.ImageDir)
	r.manifests(line)
	line("RUN %s%s", r.tokens(), r.install())
	line("")
	line("# Compiled once for all images. What is left has neither sources nor secrets.")
	line("FROM installed AS built")
	line("COPY . .")
	if len(r.Model.Build.Command) > 0 {
		line("RUN %s", argv(r.Model.Build.Command...))
	}
	r.strip(line)
	line("")
	line("# What every app runs on. ECS gives a volume at /tmp the owner that the image says.")
	line("FROM ${RUNTIME_IMAGE} AS runtime")
	line("RUN %s", argv("chown", owner(prod.DefaultUser), "/tmp"))
	line("VOLUME /tmp")
	for _, a := range r.apps {
		r.stages(line, a)
	}
	return []byte(b.String())
}

// manifests copies what installing needs. A package that has scripts of its own for that needs its sources, too.
func (r *renderer) manifests(line func(string, ...any)) {
	if slices.ContainsFunc(r.workspace.Packages, func(p Package) bool { return p.Scripts }) {
		line("COPY . .")
		return
	}
	files := slices.DeleteFunc(slices.Clone(r.workspace.Files), func(f string) bool { return f == "patches" })
	line("COPY %s ./", strings.Join(files, " "))
	if len(files) < len(r.workspace.Files) {
		line("COPY patches ./patches/")
	}
	for _, p := range r.workspace.Packages {
		if p.Dir != "." {
			line("COPY %s/package.json %s/", p.Dir, p.Dir)
		}
	}
}

// tokens lets a command see what .npmrc names, and no layer.
func (r *renderer) tokens() string {
	out := ""
	for _, name := range r.workspace.Tokens {
		out += "--mount=type=secret,id=" + name + ",env=" + name + " "
	}
	return out
}

const store = "/var/cache/pnpm"

func (r *renderer) install() string {
	if r.workspace.Manager == "pnpm" {
		return "pnpm fetch --store-dir " + store + " && pnpm install --frozen-lockfile --offline --store-dir " + store
	}
	return "npm ci --include=dev --no-audit --no-fund"
}

// production installs what an app needs at run time, from what was downloaded already.
func (r *renderer) production(a app) string {
	if r.workspace.Manager == "pnpm" {
		out := "find . -name node_modules -prune -exec rm -rf {} + && pnpm install --prod --frozen-lockfile --offline --store-dir " + store
		for _, dir := range a.roots {
			out += " --filter '{" + dir + "}...'"
		}
		return out
	}
	out := "npm ci --omit=dev --prefer-offline --no-audit --no-fund"
	for _, dir := range a.roots {
		out += " --workspace=" + dir
	}
	return out
}

// strip takes away what no image has.
func (r *renderer) strip(line func(string, ...any)) {
	var drop []string // a line for each package
	for _, p := range r.workspace.Packages {
		var dirs []string
		for _, name := range sources {
			dir := path.Join(p.Dir, name)
			if (name != "src" || !p.Source) && !r.used(dir) {
				dirs = append(dirs, dir)
			}
		}
		drop = append(drop, strings.Join(dirs, " "))
	}
	line("RUN find . -name node_modules -prune -exec rm -rf {} +")
	for _, file := range r.workspace.Files {
		if file != "package.json" {
			drop = append(drop, file)
		}
	}
	line("RUN rm -rf %s", strings.Join(drop, " \\\n\t"))
	line(`RUN find . -type f \( -name '%s' \) -delete \`, strings.Join(unwanted, "' -o -name '"))
	line("	&& find . -mindepth 1 -depth -type d -empty -delete && chmod -R a+rX,go-w .")
}

// used says that a directory holds a package, or something that a command names.
func (r *renderer) used(dir string) bool {
	for _, p := range r.workspace.Packages {
		if p.Dir == dir || strings.HasPrefix(p.Dir, dir+"/") {
			return true
		}
	}
	for _, a := range r.apps {
		for _, word := range append([]string{a.WorkDir}, a.Command...) {
			if file := inImage(a.Workload, word); file == dir || strings.HasPrefix(file, dir+"/") {
				return true
			}
		}
	}
	return false
}

// stages are an app's two: its files, and the image.
func (r *renderer) stages(line func(string, ...any), a app) {
	files := a.Name + "-files"
	line("")
	line("# %s", a.Name)
	line("FROM installed AS %s", files)
	r.dropScripts(line)
	line("RUN %s%s \\", r.tokens(), r.production(a))
	line("	&& mkdir -p node_modules && find . -name node_modules -prune -o ! -type d -exec rm -f {} +")
	if len(a.all) == 0 {
		line("COPY --from=built %s ./", prod.ImageDir)
	} else {
		line("COPY --from=built %s/package.json ./", prod.ImageDir)
	}
	for _, dir := range a.all {
		line("COPY --from=built %s/%s ./%s", prod.ImageDir, dir, dir)
	}
	line("FROM runtime AS %s", a.Name)
	line("WORKDIR %s", prod.ImageDir)
	if len(a.all) == 0 {
		line("COPY --from=%s %s ./", files, prod.ImageDir)
	} else {
		line("COPY --from=%s %s/package.json ./", files, prod.ImageDir)
		line("COPY --from=%s %s/node_modules ./node_modules", files, prod.ImageDir)
	}
	for _, dir := range a.all {
		line("COPY --from=%s %s/%s ./%s", files, prod.ImageDir, dir, dir)
	}
	if a.WorkDir != prod.ImageDir {
		line("WORKDIR %s", a.WorkDir)
	}
	line("USER %s", owner(a.User))
	line("STOPSIGNAL %s", a.Stop.Signal)
	for _, p := range a.Ports {
		line("EXPOSE %d", p.Number)
	}
	line("ENTRYPOINT []")
	line("CMD %s", argv(a.Command...))
}

// dropScripts keeps the workspace's own scripts, which want devDependencies, from running once more.
func (r *renderer) dropScripts(line func(string, ...any)) {
	for _, p := range r.workspace.Packages {
		if p.Scripts {
			line("RUN npm --prefix ./%s pkg delete scripts", p.Dir)
		}
	}
}

func owner(user int) string { return fmt.Sprintf("%d:%d", user, user) }

// argv is a command in exec form: no shell, and nothing in it is expanded.
func argv(words ...string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(words); err != nil {
		panic(err) // strings are always JSON
	}
	return strings.TrimSpace(b.String())
}
