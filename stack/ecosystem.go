package stack

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

var (
	topKeys      = []string{"name", "compose", "services", "env_file", "required_env", "log_dir", "build", "defaults", "apps", "profiles"}
	profileNames = []string{"dev", "pilot", "prod"}
)

// ecosystem is the ecosystem file as read: merged with the profile, not yet joined with the Compose project.
type ecosystem struct {
	*problems
	dir     string
	profile string

	name     string
	compose  []string // absolute
	services []string // selected
	env      environment
	logDir   string
	build    *Build
	apps     []*definition
	warnings []string

	composeNode, servicesNode *yaml.Node
}

// readEcosystem reads and checks everything that can be said without the Compose file.
func readEcosystem(p *problems, data []byte, dir, profile string, env environment) *ecosystem {
	root := parse(p, data)
	if root == nil {
		return nil
	}
	top := map[string]*yaml.Node{}
	for _, e := range p.entries(root, "the file") {
		if !slices.Contains(topKeys, e.key.Value) {
			if !strings.HasPrefix(e.key.Value, "x-") {
				p.unknownKey(e, "the file", topKeys)
			}
			continue
		}
		top[e.key.Value] = e.value
	}
	s := &ecosystem{problems: p, dir: dir, profile: profile, logDir: filepath.Join(dir, ".devstack", "logs"), env: env}
	used := s.interpolate(top)
	s.simple(top)
	s.readApps(top, used)
	return s
}

// interpolate replaces variables everywhere: first in env_file, which holds the values for the rest.
func (s *ecosystem) interpolate(top map[string]*yaml.Node) *interpolator {
	in := &interpolator{problems: s.problems, env: s.env.lookup, used: map[*yaml.Node][]string{}, unset: map[*yaml.Node][]string{}}
	files, node := []string{".env"}, top["env_file"]
	if node != nil {
		in.walk(node, false)
	}
	if !isNull(node) {
		files = s.list(node, "env_file")
	}
	for _, path := range files {
		s.env.addFile(s.problems, node, s.dir, path)
	}
	for _, key := range topKeys {
		switch {
		case top[key] == nil || key == "env_file":
		case key == "profiles" && top[key].Kind == yaml.MappingNode:
			for i := 0; i+1 < len(top[key].Content); i += 2 {
				in.walk(top[key].Content[i+1], top[key].Content[i].Value != s.profile)
			}
		default:
			in.walk(top[key], false)
		}
	}
	return in
}

// simple reads the keys of the top level that are no apps.
func (s *ecosystem) simple(top map[string]*yaml.Node) {
	if n := top["name"]; !isNull(n) {
		s.name = s.text(n, "name")
		checkName(s.problems, n, "name", s.name)
	}
	if n := top["compose"]; !isNull(n) {
		s.composeNode = n
		for _, path := range s.list(n, "compose") {
			s.compose = append(s.compose, absolute(s.dir, path))
		}
	}
	if n := top["services"]; !isNull(n) {
		s.services, s.servicesNode = s.list(n, "services"), n
		if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
			s.at(n, "services selects nothing").Hint = "leave it out for all services, or leave out `compose` for none"
		}
		if s.compose == nil && len(s.services) > 0 {
			s.at(n, "services are selected, but `compose` names no file").Hint = "compose: compose.yaml"
		}
	}
	if n := top["required_env"]; !isNull(n) {
		s.env.required = s.list(n, "required_env")
		for i, name := range s.env.required {
			if name == "" || strings.ContainsAny(name, "=\x00 ") {
				s.at(listed(n)[i], "%q is not the name of a variable", name)
			}
		}
	}
	if n := top["log_dir"]; !isNull(n) {
		s.logDir = absolute(s.dir, s.text(n, "log_dir"))
	}
	if n := top["build"]; !isNull(n) {
		s.build = s.readBuild(n)
	}
}

// listed are the elements of a list; a scalar is a list of one.
func listed(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

func (s *ecosystem) readBuild(n *yaml.Node) *Build {
	b := &Build{}
	for _, e := range s.entries(n, "build") {
		switch e.key.Value {
		case "command":
			b.Command = s.argv(e.value, "build.command")
		case "if_missing":
			b.IfMissing = s.boolean(e.value, "build.if_missing")
		default:
			s.unknownKey(e, "build", []string{"command", "if_missing"})
		}
	}
	if b.Command == nil && n.Kind == yaml.MappingNode {
		s.at(n, "build needs a command")
	}
	return b
}

// readApps merges and reads the apps: built-in defaults, the profile's built-ins, file defaults, app, profile defaults,
// profile apps.
func (s *ecosystem) readApps(top map[string]*yaml.Node, used *interpolator) {
	base := settings{}
	if n := top["defaults"]; !isNull(n) {
		base = layer(s.problems, n, "defaults", fromDefaults)
	}
	names := s.appNames(top["apps"])
	stageDefaults, stageApps := s.overlays(top["profiles"], names)

	if s.build != nil {
		s.build.Dir = s.dir
		if cwd := merge(base, stageDefaults)["cwd"]; !isNull(cwd.node) {
			s.build.Dir = absolute(s.dir, cwd.node.Value)
		}
	}
	if isNull(top["apps"]) || top["apps"].Kind != yaml.SequenceNode {
		return
	}
	for i, n := range top["apps"].Content {
		own := layer(s.problems, n, "app "+strconv.Quote(names[i]), fromApp, "name")
		if names[i] == "" {
			continue
		}
		merged := merge(builtins(s.profile), base, own, stageDefaults, stageApps[names[i]])
		d := define(s.problems, names[i], lookup(n, "name"), merged, used)
		checkName(d.problems, merged["namespace"].node, "namespace", d.Namespace)
		if s.profile == pilot {
			s.warn(d.refuseWatch())
		}
		d.resolvePaths(s.dir, s.logDir)
		if d.Interpreter == "none" && len(d.NodeArgs) > 0 {
			d.at(merged["node_args"].key, "node_args needs an interpreter, and %s is run by itself", relative(s.dir, d.Script)).Hint = "set interpreter: node"
		}
		s.apps = append(s.apps, d)
	}
	s.checkLogFiles()
}

// warn keeps a warning; an empty one is none.
func (s *ecosystem) warn(warning string) {
	if warning != "" {
		s.warnings = append(s.warnings, warning)
	}
}

// appNames are the names of the apps, empty where there is no valid one.
func (s *ecosystem) appNames(n *yaml.Node) []string {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		s.at(n, "apps must be a list, not %s", describe(n)).Hint = "apps: [{name: web, script: server.js}]"
		return nil
	}
	names := make([]string, len(n.Content))
	lines := map[string]int{}
	for i, app := range n.Content {
		if app.Kind != yaml.MappingNode {
			s.at(app, "an app must be a mapping, not %s", describe(app))
			continue
		}
		node := lookup(app, "name")
		if isNull(node) {
			s.at(app, "this app has no name")
			continue
		}
		name := s.text(node, "name")
		if name == "" || !checkName(s.problems, node, "name", name) {
			continue
		}
		if line := lines[name]; line != 0 {
			s.at(node, "two apps are named %q, the first in line %d", name, line)
			continue
		}
		names[i], lines[name] = name, node.Line
	}
	return names
}

// overlays reads every profile and returns the layers of the selected one.
func (s *ecosystem) overlays(n *yaml.Node, names []string) (defaults settings, apps map[string]settings) {
	for _, e := range s.entries(n, "profiles") {
		if !slices.Contains(profileNames, e.key.Value) {
			s.at(e.key, "unknown profile %q%s", e.key.Value, didYouMean(e.key.Value, profileNames)).Hint = "profiles are " + orList(profileNames)
			continue
		}
		d, a := s.overlay(e, names)
		if e.key.Value == s.profile {
			defaults, apps = d, a
		}
	}
	return defaults, apps
}

func (s *ecosystem) overlay(profile entry, names []string) (defaults settings, apps map[string]settings) {
	where := "profile " + profile.key.Value
	apps = map[string]settings{}
	for _, e := range s.entries(profile.value, where) {
		switch e.key.Value {
		case "defaults":
			defaults = layer(s.problems, e.value, where+" defaults", fromProfileDefaults)
		case "apps":
			for _, app := range s.entries(e.value, where+" apps") {
				if !slices.Contains(names, app.key.Value) {
					s.at(app.key, "%s: no app is named %q%s", where, app.key.Value, didYouMean(app.key.Value, names))
				}
				apps[app.key.Value] = layer(s.problems, app.value, where+", app "+strconv.Quote(app.key.Value), fromProfileApp)
			}
		default:
			s.unknownKey(e, where, []string{"defaults", "apps"})
		}
	}
	return defaults, apps
}

// checkName says whether a name can be typed, printed and used in a file name.
func checkName(p *problems, n *yaml.Node, what, name string) bool {
	problem := ""
	switch {
	case name == "":
		return false
	case len(name) > 64:
		problem = "is longer than 64 bytes"
	case name == "all":
		problem = "means every process"
	case name == "." || name == "..":
		problem = "is a directory"
	case strings.HasPrefix(name, "-"):
		problem = "starts with -, as options do"
	case strings.ContainsRune(name, '/'):
		problem = "contains a slash"
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }):
		problem = "contains a control character"
	case strings.Trim(name, "0123456789") == "":
		problem = "is a number, which means the process with that id"
	case strings.TrimSpace(name) != name:
		problem = "starts or ends with a blank"
	}
	if problem != "" {
		p.at(n, "%s %q cannot be used: it %s", what, name, problem)
	}
	return problem == ""
}

// checkLogFiles reports a file that two streams would write and rotate.
func (s *ecosystem) checkLogFiles() {
	owners := map[string]string{}
	for _, d := range s.apps {
		for _, f := range []struct{ key, path string }{{"out_file", d.OutFile}, {"error_file", d.ErrorFile}, {"log_file", d.LogFile}} {
			if f.path == "" || f.path == "/dev/null" {
				continue
			}
			if owner := owners[f.path]; owner != "" {
				s.at(d.node, "%s of app %q is also %s: %s", f.key, d.Name, owner, relative(s.dir, f.path)).Hint = "log_file holds both streams of an app"
			}
			owners[f.path] = f.key + " of app " + strconv.Quote(d.Name)
		}
	}
}
