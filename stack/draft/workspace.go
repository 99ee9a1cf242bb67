package draft

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Workspace drafts the stack of the directory dir: its package.json, the packages of its workspaces (npm, yarn, pnpm), and its
// Compose file. Nothing that could be started is an error.
func Workspace(dir string) (*Draft, error) {
	w := workspace{dir: dir, draft: &Draft{}}
	services, compose, err := w.services()
	if err != nil {
		return nil, err
	}
	packages, err := w.packages()
	if err != nil {
		return nil, err
	}
	apps, build := w.apps(packages, services)
	if len(apps) == 0 && compose == "" {
		return nil, fmt.Errorf("found nothing to start in %s: no package.json with a start or dev script, a bin or a main in dist, and no Compose file", dir)
	}
	top := newMapping()
	if compose != "" {
		top.set("compose", compose)
		if len(services) > 0 {
			top.set("services", services)
		}
	}
	if build != "" {
		m := newMapping()
		m.set("command", build)
		m.set("if_missing", true)
		top.set("build", m)
	}
	if len(apps) > 0 {
		top.set("apps", apps)
	}
	head := []string{editorLine, "Drafted by devstack init. `devstack schema` lists every key, `devstack config` shows what comes out."}
	w.draft.Text, err = encode(head, top)
	w.lookForPM2()
	return w.draft, err
}

type workspace struct {
	dir   string
	draft *Draft
}

func (w workspace) found(format string, args ...any) {
	w.draft.Found = append(w.draft.Found, fmt.Sprintf(format, args...))
}

// manifest is what counts of a package.json.
type manifest struct {
	dir string // relative to the workspace, slashes

	Name         string            `json:"name"`
	Main         string            `json:"main"`
	Bin          json.RawMessage   `json:"bin"`        // a path, or paths by name
	Workspaces   json.RawMessage   `json:"workspaces"` // patterns, or {packages: patterns}
	Scripts      map[string]string `json:"scripts"`
	Dependencies map[string]string `json:"dependencies"`
}

func (w workspace) manifest(dir string) (*manifest, error) {
	data, err := os.ReadFile(filepath.Join(w.dir, dir, "package.json"))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := manifest{dir: dir}
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", filepath.Join(dir, "package.json"), err)
	}
	return &m, nil
}

// packages are the root's package and those of its workspaces, in the order of their patterns.
func (w workspace) packages() ([]*manifest, error) {
	root, err := w.manifest(".")
	if err != nil {
		return nil, err
	}
	var all []*manifest
	patterns := w.pnpmPatterns()
	if root != nil {
		all = append(all, root)
		patterns = append(patterns, workspacePatterns(root.Workspaces)...)
	}
	if len(patterns) == 0 {
		return all, nil
	}
	for _, dir := range w.expand(patterns) {
		m, err := w.manifest(dir)
		if err != nil {
			return nil, err
		}
		if m != nil && dir != "." {
			all = append(all, m)
		}
	}
	w.found("a workspace of %d packages (%s)", len(all)-1, strings.Join(patterns, ", "))
	return all, nil
}

func workspacePatterns(raw json.RawMessage) []string {
	var list []string
	var nested struct{ Packages []string }
	if json.Unmarshal(raw, &list) != nil && json.Unmarshal(raw, &nested) == nil {
		list = nested.Packages
	}
	return list
}

func (w workspace) pnpmPatterns() []string {
	var file struct{ Packages []string }
	data, err := os.ReadFile(filepath.Join(w.dir, "pnpm-workspace.yaml"))
	if err != nil || yaml.Unmarshal(data, &file) != nil {
		return nil
	}
	return file.Packages
}

// expand is the directories with a package.json that patterns mean: * is one level, ** any, ! takes back.
func (w workspace) expand(patterns []string) []string {
	var dirs []string
	_ = filepath.WalkDir(w.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // what cannot be read is no package
		}
		rel, err := filepath.Rel(w.dir, name)
		if err != nil || d.Name() == "node_modules" || rel != "." && strings.HasPrefix(d.Name(), ".") || strings.Count(rel, "/") > 6 {
			return fs.SkipDir
		}
		if _, err := os.Stat(filepath.Join(name, "package.json")); err == nil {
			dirs = append(dirs, filepath.ToSlash(rel))
		}
		return nil
	})
	var out []string
	for _, pattern := range patterns {
		taken, negated := strings.CutPrefix(pattern, "!")
		taken = strings.TrimSuffix(strings.TrimPrefix(taken, "./"), "/")
		if negated {
			out = slices.DeleteFunc(out, func(dir string) bool { return matches(taken, dir) })
			continue
		}
		for _, dir := range dirs {
			if matches(taken, dir) && !slices.Contains(out, dir) {
				out = append(out, dir)
			}
		}
	}
	return out
}

// matches compares a path with a pattern, part by part.
func matches(pattern, dir string) bool {
	var match func(pattern, parts []string) bool
	match = func(pattern, parts []string) bool {
		switch {
		case len(pattern) == 0:
			return len(parts) == 0
		case pattern[0] == "**":
			for i := range len(parts) + 1 {
				if match(pattern[1:], parts[i:]) {
					return true
				}
			}
			return false
		case len(parts) == 0:
			return false
		}
		same, err := path.Match(pattern[0], parts[0])
		return err == nil && same && match(pattern[1:], parts[1:])
	}
	return match(strings.Split(pattern, "/"), strings.Split(dir, "/"))
}

// services are those of the Compose file that run an image: what is built there is mostly an app of this workspace.
func (w workspace) services() (names []string, file string, err error) {
	for _, name := range []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"} {
		data, err := os.ReadFile(filepath.Join(w.dir, name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		var document struct {
			Services yaml.Node
		}
		if err := yaml.Unmarshal(data, &document); err != nil {
			return nil, "", fmt.Errorf("cannot read %s: %w", name, err)
		}
		for i := 0; i+1 < len(document.Services.Content); i += 2 {
			service := document.Services.Content[i].Value
			switch value := document.Services.Content[i+1]; {
			case has(value, "build"):
				w.draft.Lost = append(w.draft.Lost, fmt.Sprintf("%s: service %s is built from source; add it to `services` unless it is an app here", name, service))
			case has(value, "profiles"):
				w.draft.Lost = append(w.draft.Lost, fmt.Sprintf("%s: service %s belongs to Compose profiles", name, service))
			default:
				names = append(names, service)
			}
		}
		w.found("%s with %s", name, strings.Join(names, ", "))
		if len(names) == 0 {
			return nil, "", nil
		}
		return names, name, nil
	}
	return nil, "", nil
}

func has(n *yaml.Node, key string) bool {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

// lookForPM2 tells of a file that knows more about the apps than the workspace does.
func (w workspace) lookForPM2() {
	for _, pattern := range []string{"ecosystem.config.*", "pm2.config.*", "ecosystem.json"} {
		files, err := filepath.Glob(filepath.Join(w.dir, pattern))
		if err != nil {
			continue
		}
		for _, file := range files {
			name := filepath.Base(file)
			w.found("%s, PM2's: its settings are not in this draft; `devstack import %s` takes them over", name, name)
		}
	}
}
