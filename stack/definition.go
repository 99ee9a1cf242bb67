package stack

import (
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// The origins of a setting, lowest first.
const (
	fromDefault         = "default"
	fromPilot           = "profile pilot" // the profile's built-ins
	fromDefaults        = "defaults"
	fromApp             = "app"
	fromProfileDefaults = "profile defaults"
	fromProfileApp      = "profile app"
)

// setting is the value of one key and the layer it comes from.
type setting struct {
	node   *yaml.Node
	key    *yaml.Node
	origin string
}

// settings are the keys that one layer sets, or several after the merge.
type settings map[string]setting

// definition is an app while it is being read: what App does not keep, or not in this form.
type definition struct {
	*problems
	App

	env             []entry
	envFiles        []string // as written
	envFileNode     *yaml.Node
	edges           []edge
	healthcheckNode *yaml.Node
	origins         map[string]string // key -> origin
	interpolated    []string          // variables named in its settings
	used            *interpolator
	node            *yaml.Node // the app's name, for problems of the app as a whole
}

// edge is one dependency with its position.
type edge struct {
	node *yaml.Node
	Dependency
}

// layer reads the keys of one mapping of settings. Everything in it is checked here, also what a later layer
// overrides and what belongs to another profile; skip names keys that the caller reads.
func layer(p *problems, n *yaml.Node, where, origin string, skip ...string) settings {
	out := settings{}
	known := appKeyNames()
	scratch := &definition{problems: p}
	for _, e := range p.entries(n, where) {
		if slices.Contains(skip, e.key.Value) {
			continue
		}
		i := slices.IndexFunc(appKeys, func(k appKey) bool { return k.name == e.key.Value })
		if i < 0 {
			p.unknownKey(e, where, append(known, skip...))
			continue
		}
		if !isNull(e.value) {
			appKeys[i].set(scratch, e.value)
		}
		out[e.key.Value] = setting{node: e.value, key: e.key, origin: origin}
	}
	return out
}

// merge lays layers over one another, lowest first. env and healthcheck are merged key by key, every other value is
// replaced; null takes back what lower layers said. script and command replace each other.
func merge(layers ...settings) settings {
	out := settings{}
	for _, l := range layers {
		for name, s := range l {
			switch {
			case name == "env":
				s.node = mergeMappings(out[name].node, s.node)
			case name == "healthcheck":
				s.node = mergeHealthchecks(out[name].node, s.node)
			case name == "script" && !isNull(s.node):
				delete(out, "command")
			case name == "command" && !isNull(s.node):
				delete(out, "script")
			}
			out[name] = s
		}
		// In one layer both are a contradiction, which finish reports.
		for _, name := range []string{"script", "command"} {
			if s, ok := l[name]; ok {
				out[name] = s
			}
		}
	}
	return out
}

// mergeMappings is upper with the keys of lower that it does not have.
func mergeMappings(lower, upper *yaml.Node) *yaml.Node {
	if isNull(lower) || isNull(upper) || lower.Kind != yaml.MappingNode || upper.Kind != yaml.MappingNode {
		return upper
	}
	out := *upper
	out.Content = slices.Clone(upper.Content)
	for i := 0; i+1 < len(lower.Content); i += 2 {
		if lookup(upper, lower.Content[i].Value) == nil {
			out.Content = append(out.Content, lower.Content[i], lower.Content[i+1])
		}
	}
	return &out
}

// define reads the merged settings of one app.
func define(p *problems, name string, node *yaml.Node, merged settings, used *interpolator) *definition {
	d := &definition{problems: p, App: defaults(), origins: map[string]string{}, node: node, used: used}
	d.Name = name
	for _, k := range appKeys {
		s, ok := merged[k.name]
		if !ok || isNull(s.node) && s.node.Tag != failedTag {
			continue
		}
		d.origins[k.name] = s.origin
		if isNull(s.node) {
			continue
		}
		k.set(d, s.node)
		d.interpolated = append(d.interpolated, below(used.used, s.node)...)
		if k.name != "env" {
			d.Unset = append(d.Unset, below(used.unset, s.node)...)
		}
	}
	slices.Sort(d.Unset)
	d.Unset = slices.Compact(d.Unset)
	if o := d.origins["max_restarts"]; d.OneShot && o != fromApp && o != fromProfileApp {
		d.MaxRestarts = 0 // what a migration or a seed has begun is not begun again by itself
		delete(d.origins, "max_restarts")
	}
	d.consistent(merged)
	return d
}

// consistent reports keys that contradict each other.
func (d *definition) consistent(merged settings) {
	if d.origins["script"] == "" && d.origins["command"] == "" {
		d.at(d.node, "app %q has no script and no command", d.Name)
	}
	if d.origins["script"] != "" && d.origins["command"] != "" {
		d.at(merged["command"].key, "app %q has a script and a command: write one of them", d.Name)
	}
	if d.origins["command"] != "" {
		for _, key := range []string{"args", "node_args", "interpreter"} {
			if o := d.origins[key]; o == fromApp || o == fromProfileApp {
				d.at(merged[key].key, "%s belongs to script; write it into command", key)
			}
		}
		d.Args, d.NodeArgs, d.Interpreter = nil, nil, ""
	}
	if strings.ContainsAny(d.Script, " \t") && filepath.Ext(d.Script) == "" {
		d.at(merged["script"].node, "script %q is not a path", d.Script).Hint = "a command line is written as command: " + d.Script
	}
	if d.RestartDelay != nil && d.origins["exp_backoff_restart_delay"] != "" {
		d.at(merged["exp_backoff_restart_delay"].key, "restart_delay is fixed and exp_backoff_restart_delay grows: write one of them").Hint = "restart_delay: null takes back a default"
	}
	if o := d.origins["inputs"]; !d.OneShot && len(d.Inputs) > 0 && (o == fromApp || o == fromProfileApp) {
		d.at(merged["inputs"].key, "inputs belongs to one_shot, and app %q is none", d.Name).Hint = "watch restarts an app when files change"
	}
	if d.HoldPort == "true" && d.Port == 0 {
		d.at(merged["hold_port"].node, "hold_port: true opens a port before the start, and app %q has no port", d.Name).Hint = "set port"
	}
	if h := d.Healthcheck; h != nil && d.Port == 0 && strings.HasPrefix(h.HTTP, "/") {
		d.at(d.healthcheckNode, "healthcheck.http %q is a path, and app %q has no port", h.HTTP, d.Name).Hint = "set port, or write the whole URL"
	}
}

// resolvePaths makes every path absolute: script against cwd, log files against the log directory, others against the
// file's directory.
func (d *definition) resolvePaths(dir, logDir string) {
	d.Cwd = absolute(dir, d.Cwd)
	d.Watch.LogDir = logDir
	if d.Script != "" {
		d.Script = absolute(d.Cwd, d.Script)
		if d.Interpreter == "" {
			d.Interpreter = interpreterOf(d.Script)
		} else if strings.Contains(d.Interpreter, "/") {
			d.Interpreter = absolute(dir, d.Interpreter)
		}
	}
	if d.OutFile == "" {
		d.OutFile = d.Name + "-out.log"
	}
	if d.ErrorFile == "" {
		d.ErrorFile = d.Name + "-error.log"
	}
	for _, path := range []*string{&d.OutFile, &d.ErrorFile, &d.LogFile} {
		switch *path {
		case "":
		case "NULL": // PM2's word
			*path = "/dev/null"
		default:
			*path = absolute(logDir, *path)
		}
	}
}

// absolute is path, taken from dir when it is relative; an empty path is dir.
func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// interpreterOf chooses by extension as PM2 does; any other file is an executable.
func interpreterOf(script string) string {
	switch filepath.Ext(script) {
	case ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts":
		return "node"
	case ".tsx", ".jsx":
		return "bun"
	case ".sh":
		return "bash"
	case ".py":
		return "python3"
	case ".rb":
		return "ruby"
	case ".php":
		return "php"
	case ".pl":
		return "perl"
	}
	return "none"
}
