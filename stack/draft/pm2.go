package draft

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"devstack/stack"
)

// PM2File is PM2's ecosystem file as Node.js, or JSON, has read it.
type PM2File struct {
	Path string // absolute
	JSON []byte // what it exports, as JSON or YAML
	Dir  string // absolute: where the new ecosystem.yaml will be
	// Environment is what the file has read of the caller's environment. A variable of an app that only passes one on stays
	// a variable: its value is not written to disk.
	Environment map[string]string
}

// FromPM2 drafts the same apps. PM2's defaults are written out where devstack's are others; what cannot be taken over is in
// Lost and in comments.
func FromPM2(f PM2File) (*Draft, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(f.JSON, &document); err != nil || len(document.Content) == 0 {
		return nil, fmt.Errorf("cannot read what %s exports: %w", filepath.Base(f.Path), errors.Join(err, errNoApps))
	}
	im := &importer{file: f, names: map[string]bool{}, draft: &Draft{}}
	apps := im.find(document.Content[0])
	if len(apps) == 0 {
		return nil, fmt.Errorf("%s: %w", filepath.Base(f.Path), errNoApps)
	}
	for _, n := range apps {
		im.apps = append(im.apps, im.read(n))
	}
	im.placeLogs()
	return im.write()
}

var errNoApps = errors.New("there are no apps in it")

type importer struct {
	file   PM2File
	names  map[string]bool
	apps   []*pm2App
	logDir string // relative to Dir; empty: the default
	whole  []string
	draft  *Draft
}

// pm2App is one app on its way.
type pm2App struct {
	name string
	set  map[string]*yaml.Node // PM2's values by devstack's key
	cwd  string                // absolute
	logs map[string]string     // key -> absolute path
	lost []string
	out  mapping
}

func (a *pm2App) lose(format string, args ...any) {
	line := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
	if !slices.Contains(a.lost, line) {
		a.lost = append(a.lost, line)
	}
}

// find is the list of apps, wherever PM2 accepts it: apps, pm2, a list, or one app alone.
func (im *importer) find(n *yaml.Node) []*yaml.Node {
	switch {
	case n.Kind == yaml.SequenceNode:
		return slices.DeleteFunc(slices.Clone(n.Content), func(app *yaml.Node) bool { return app.Kind != yaml.MappingNode })
	case n.Kind != yaml.MappingNode:
		return nil
	}
	var apps []*yaml.Node
	single := true
	for key, value := range pairs(n) {
		switch key {
		case "apps", "pm2":
			apps, single = append(apps, im.find(value)...), false
		case "deploy", "static":
			_, why := stack.PM2Key(key)
			im.whole = append(im.whole, fmt.Sprintf("%s: %s", key, why))
		}
	}
	if single && (has(n, "script") || has(n, "exec") || has(n, "cmd") || has(n, "command")) {
		return []*yaml.Node{n}
	}
	return apps
}

// read takes one app apart.
func (im *importer) read(n *yaml.Node) *pm2App {
	a := &pm2App{set: map[string]*yaml.Node{}, logs: map[string]string{}, out: newMapping()}
	for key, value := range pairs(n) {
		name, why := stack.PM2Key(key)
		switch {
		case isEmpty(value):
		case key == "command":
			a.set["script"] = value // PM2's other name of script
		case strings.HasPrefix(key, "env_"):
			a.lose("%s (%s): stages are in `profiles`", key, strings.Join(keys(value), ", "))
		case key == "time" && value.Value == "true":
			a.set["log_date_format"] = &yaml.Node{Kind: yaml.ScalarNode, Value: "YYYY-MM-DDTHH:mm:ss"}
		case key == "disable_logs" && value.Value == "true":
			a.logs["out_file"], a.logs["error_file"] = "/dev/null", "/dev/null"
		case name != "" && !pm2Knows(name):
			a.lose("%s: devstack has it and PM2 does not, so it had no effect", key)
		case name != "":
			a.set[name] = value
		case why != "":
			a.lose("%s: %s", key, why)
		default:
			a.lose("%s: PM2 does not know it either, so it had no effect", key)
		}
	}
	a.cwd = im.cwd(a)
	im.writeApp(a)
	return a
}

// pm2Knows says whether a key that devstack has is also PM2's.
func pm2Knows(name string) bool {
	return !slices.Contains([]string{
		"env_file", "hold_port", "depends_on", "healthcheck", "one_shot", "kill_signal", "max_log_size", "max_log_files",
	}, name)
}

func (im *importer) cwd(a *pm2App) string {
	base := filepath.Dir(im.file.Path)
	if n := a.set["cwd"]; n != nil {
		if filepath.IsAbs(n.Value) {
			return filepath.Clean(n.Value)
		}
		return filepath.Join(base, n.Value)
	}
	return base
}

// relative is a path as it is written in the new file: from dir, unless that leads far away.
func relative(dir, path string) string {
	if rel, err := filepath.Rel(dir, path); err == nil && strings.Count(rel, "..") <= 3 {
		return rel
	}
	return path
}

// placeLogs makes log files relative to log_dir: the one directory that all are in, or devstack's own. A file has one writer.
func (im *importer) placeLogs() {
	dirs, taken := map[string]bool{}, map[string]bool{}
	for _, a := range im.apps {
		for _, key := range []string{"out_file", "error_file", "log_file"} {
			path := a.logs[key]
			switch {
			case path == "" || path == "/dev/null":
			case taken[path]:
				a.lose("%s: another stream writes to %s, and a file has one writer", key, relative(im.file.Dir, path))
				delete(a.logs, key)
			default:
				taken[path], dirs[filepath.Dir(path)] = true, true
			}
		}
	}
	base := filepath.Join(im.file.Dir, ".devstack", "logs")
	for dir := range dirs {
		if len(dirs) == 1 {
			im.logDir, base = relative(im.file.Dir, dir), dir
		}
	}
	for _, a := range im.apps {
		for _, key := range []string{"out_file", "error_file", "log_file"} {
			if path := a.logs[key]; path != "" {
				if path != "/dev/null" {
					path = relative(base, path)
				}
				a.put(key, path)
			}
		}
	}
}

// write puts the file together.
func (im *importer) write() (*Draft, error) {
	name := filepath.Base(im.file.Path)
	head := []string{editorLine, fmt.Sprintf("Imported from %s by devstack import.", name)}
	if slices.ContainsFunc(im.apps, func(a *pm2App) bool { return a.set["env"] != nil }) {
		head = append(head, "Unlike in PM2, a variable of the shell that runs devstack wins over `env`.")
	}
	if slices.ContainsFunc(im.apps, func(a *pm2App) bool { return a.set["wait_ready"] != nil }) {
		head = append(head, "Unlike in PM2, a process that is not ready within listen_timeout (30 s if it is not set) does not count as online.")
	}
	for _, line := range im.whole {
		head = append(head, "Not taken over: "+line)
		im.draft.Lost = append(im.draft.Lost, line)
	}
	top := newMapping()
	if im.logDir != "" {
		top.set("log_dir", im.logDir)
	}
	top.set("defaults", pm2Defaults())
	top.comment("PM2's defaults, where devstack's are others.")
	var apps []mapping
	for _, a := range im.apps {
		var comments []string
		for _, line := range a.lost {
			comments = append(comments, "Not taken over: "+line)
			im.draft.Lost = append(im.draft.Lost, a.name+": "+line)
		}
		a.out.node.HeadComment = commented(comments)
		apps = append(apps, a.out)
		im.draft.Found = append(im.draft.Found, "app "+a.name)
	}
	top.set("apps", apps)
	var err error
	im.draft.Text, err = encode(head, top)
	im.warnOfSecrets()
	return im.draft, err
}

// warnOfSecrets names the caller's secrets that the file has put into something else than a variable.
func (im *importer) warnOfSecrets() {
	for _, name := range slices.Sorted(maps.Keys(im.file.Environment)) {
		value := im.file.Environment[name]
		if len(value) >= 6 && stack.Mask(name, value) != value && bytes.Contains(im.draft.Text, []byte(value)) {
			im.draft.Lost = append(im.draft.Lost, name+": its value stands in the text; write ${"+name+"} there instead")
		}
	}
}

// pm2Defaults are what PM2 does where a file says nothing, and devstack would do otherwise.
func pm2Defaults() mapping {
	m := newMapping()
	m.set("min_uptime", "1s")
	m.set("max_restarts", 16)
	m.set("restart_delay", 0)
	m.set("kill_signal", "SIGINT")
	m.set("kill_timeout", "1600ms")
	return m
}

// pairs are the keys and values of a mapping, in order.
func pairs(n *yaml.Node) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, n.Content[i+1]) {
				return
			}
		}
	}
}

func keys(n *yaml.Node) []string {
	var out []string
	for key := range pairs(n) {
		out = append(out, key)
	}
	return out
}

// isEmpty says that a value means nothing to PM2 either: null, an empty string, an empty list.
func isEmpty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!null" || n.Value == "") ||
		n.Kind == yaml.SequenceNode && len(n.Content) == 0
}
