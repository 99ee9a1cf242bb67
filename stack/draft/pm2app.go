package draft

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"devstack/stack"
)

// writeApp writes an app's keys in the order of the documentation; log files follow when all apps are known.
func (im *importer) writeApp(a *pm2App) {
	im.writeName(a)
	if rel := relative(im.file.Dir, a.cwd); rel != "." {
		a.put("cwd", rel)
	}
	runsNode := a.writeProgram()
	im.writeEnv(a)
	a.writeInstances(runsNode)
	for _, key := range []string{"instance_var", "increment_var", "port", "wait_ready", "listen_timeout", "autostart", "autorestart"} {
		a.copy(key)
	}
	a.writeRestarts()
	for _, key := range []string{"shutdown_with_message", "watch"} {
		a.copy(key)
	}
	a.writeWatch()
	for _, key := range []string{"merge_logs", "log_date_format", "log_type"} {
		a.copy(key)
	}
	for _, key := range []string{"out_file", "error_file", "log_file"} {
		a.readLog(key)
	}
}

// put adds a key if the loader accepts the value.
func (a *pm2App) put(key string, value any) {
	n := toNode(value)
	if err := stack.CheckSetting(key, n); err != nil {
		a.lose("%v", err)
		return
	}
	a.out.set(key, n)
}

// copy takes a value over as it is, but digits in quotes as the number that PM2 reads them as where the loader wants one.
func (a *pm2App) copy(key string) {
	n := a.set[key]
	if n == nil {
		return
	}
	v := value(n)
	if number, err := strconv.ParseInt(n.Value, 10, 64); err == nil && stack.CheckSetting(key, toNode(v)) != nil {
		v = number
	}
	a.put(key, v)
}

// value is a node of the file as set takes it.
func value(n *yaml.Node) any {
	switch {
	case n.Kind == yaml.SequenceNode:
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, child := range n.Content {
			list.Content = append(list.Content, toNode(value(child)))
		}
		return list
	case n.Kind == yaml.MappingNode:
		return n
	case n.ShortTag() == "!!bool":
		return n.Value == "true"
	case n.ShortTag() == "!!int":
		if number, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return number
		}
	}
	return n.Value
}

func words(n *yaml.Node) []string {
	out := make([]string, 0, len(n.Content))
	for _, child := range n.Content {
		out = append(out, child.Value)
	}
	return out
}

func (im *importer) writeName(a *pm2App) {
	name, script := "", ""
	if n := a.set["script"]; n != nil {
		script = strings.TrimSuffix(filepath.Base(n.Value), filepath.Ext(n.Value))
	}
	if n := a.set["name"]; n != nil {
		name = n.Value
	}
	a.name = unique(appName(name, script), im.names)
	if name != "" && a.name != name {
		a.lose("name %q: an app needs a name that is neither a number nor a path", name)
	}
	a.out.set("name", a.name)
	a.copy("namespace")
}

// writeProgram writes what is run, as PM2 finds it: a path, a program on PATH, or a command line. It says whether Node.js
// runs it.
func (a *pm2App) writeProgram() (runsNode bool) {
	n := a.set["script"]
	if n == nil {
		a.lose("there is no script: it cannot be started")
		return false
	}
	script, path := n.Value, n.Value
	if !filepath.IsAbs(path) {
		path = filepath.Join(a.cwd, path)
	}
	info, err := os.Stat(path)
	exists := err == nil && !info.IsDir()
	interpreter := ""
	if n := a.set["interpreter"]; n != nil {
		interpreter = n.Value
	}
	onPath := !exists && !strings.Contains(script, "/") && filepath.Ext(script) == "" && (interpreter == "" || interpreter == "none")
	if strings.ContainsAny(script, " \t") && !exists || onPath {
		a.writeCommand(script)
		return false
	}
	a.put("script", relative(a.cwd, path))
	a.copy("args")
	a.copy("node_args")
	switch {
	case interpreter != "":
		a.put("interpreter", interpreter)
	case filepath.Ext(script) == "" && exists && isText(path):
		interpreter = "node" // as PM2 does with text that has no extension
		a.put("interpreter", interpreter)
	}
	ext := filepath.Ext(script)
	return filepath.Base(interpreter) == "node" || interpreter == "" && slices.Contains([]string{".js", ".cjs", ".mjs", ".ts"}, ext)
}

// writeCommand writes a program of PATH with its arguments as a list where no shell is needed.
func (a *pm2App) writeCommand(line string) {
	args := a.set["args"]
	parts := []string{line}
	switch {
	case args == nil:
	case args.Kind == yaml.SequenceNode:
		parts = append(parts, words(args)...)
	default:
		parts = append(parts, args.Value)
	}
	list := args != nil && args.Kind == yaml.SequenceNode && !strings.ContainsAny(line, " \t")
	joined := strings.Join(parts, " ")
	if !list && !strings.ContainsAny(joined, `$&|;<>"'*?()\~#=`+"`") {
		parts, list = strings.Fields(joined), true
	}
	if list {
		a.put("command", parts)
	} else {
		a.put("command", joined)
	}
	if a.set["node_args"] != nil {
		a.lose("node_args: %s runs without an interpreter", line)
	}
}

// isText says that a file's beginning has no byte that text does not have.
func isText(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 512)
	n, _ := f.Read(head)
	return !bytes.ContainsRune(head[:n], 0)
}

// writeEnv writes variables as PM2 passes them. One that only passes on the caller's variable of the same name stays that:
// its value is not written to disk.
func (im *importer) writeEnv(a *pm2App) {
	n := a.set["env"]
	if n == nil {
		return
	}
	if n.Kind != yaml.MappingNode {
		a.lose("env: it is not a mapping")
		return
	}
	env, passed := newMapping(), 0
	for key, value := range pairs(n) {
		if im.variableOf(key, value.Value) == key {
			passed++
		}
	}
	for key, value := range pairs(n) {
		text := value.Value
		switch {
		case value.Kind != yaml.ScalarNode:
			text = asJSON(value)
		case value.ShortTag() == "!!null":
			continue
		}
		switch name := im.variableOf(key, text); {
		case name == "":
			env.set(key, text)
		case passed <= manyPassed || name != key:
			env.set(key, verbatim("${"+name+":-}"))
		}
	}
	if passed > manyPassed {
		a.lose("env: it only passes on %d variables: the app inherits them anyway", passed)
	}
	if !env.empty() {
		a.put("env", env)
	}
}

// manyPassed is how many variables nobody passes on one by one: it is all of process.env.
const manyPassed = 20

// variableOf is the caller's variable that the file has read and passes on as this value: that of the same name, or one whose
// value is too long to be the same by chance. Empty: none.
func (im *importer) variableOf(key, value string) string {
	switch {
	case value == "":
		return ""
	case im.file.Environment[key] == value:
		return key
	}
	for _, name := range slices.Sorted(maps.Keys(im.file.Environment)) {
		if len(value) >= 8 && im.file.Environment[name] == value {
			return name
		}
	}
	return ""
}

func asJSON(n *yaml.Node) string {
	var v any
	if err := n.Decode(&v); err != nil {
		return ""
	}
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}

// writeInstances makes explicit that PM2 runs Node.js in cluster mode as soon as instances is there, even with 1. In both
// modes the instances share their sockets.
func (a *pm2App) writeInstances(runsNode bool) {
	n := a.set["instances"]
	if n != nil {
		count := value(n)
		if number, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			count = number
		}
		if count == int64(0) {
			count = "max"
		}
		a.put("instances", count)
	}
	mode := ""
	if given := a.set["exec_mode"]; given != nil {
		mode = strings.TrimSuffix(given.Value, "_mode")
	} else if n != nil && runsNode {
		mode = "cluster"
	}
	switch {
	case mode == "cluster" && !runsNode:
		a.lose("exec_mode: cluster: node does not run it directly, so its instances cannot share a socket")
	case mode != "":
		a.put("exec_mode", mode)
	}
}

// writeRestarts writes the policy; PM2 drops a 0 where it means something.
func (a *pm2App) writeRestarts() {
	for _, key := range []string{"max_restarts", "kill_timeout", "min_uptime"} {
		if n := a.set[key]; n != nil && n.Value == "0" {
			a.lose("%s: 0: PM2 drops it and takes its default", key)
			delete(a.set, key)
		}
	}
	if n := a.set["cron_restart"]; n != nil && n.Value == "0" {
		delete(a.set, "cron_restart")
	}
	if a.set["exp_backoff_restart_delay"] != nil {
		if a.set["restart_delay"] != nil {
			a.lose("restart_delay: exp_backoff_restart_delay wins over it")
			delete(a.set, "restart_delay")
		}
		a.out.set("restart_delay", &yaml.Node{Kind: yaml.ScalarNode, Value: "null"})
	}
	for _, key := range []string{
		"max_restarts", "min_uptime", "restart_delay", "exp_backoff_restart_delay", "stop_exit_codes", "cron_restart",
		"max_memory_restart", "kill_timeout",
	} {
		a.copy(key)
	}
}

// writeWatch leaves out what only matters to something that is not watched, and options that are chokidar's.
func (a *pm2App) writeWatch() {
	a.withoutExpressions("ignore_watch")
	a.copy("ignore_watch")
	if n := a.set["watch_options"]; n != nil && n.Kind == yaml.MappingNode {
		options := newMapping()
		for key, option := range pairs(n) {
			if slices.Contains([]string{"followSymlinks", "usePolling", "interval"}, key) {
				options.set(key, value(option))
			} else {
				a.lose("watch_options.%s: it is an option of chokidar, which devstack does not use", key)
			}
		}
		if !options.empty() {
			a.put("watch_options", options)
		}
	}
	a.copy("watch_delay")
}

// withoutExpressions drops the regular expressions of JavaScript from a list of globs.
func (a *pm2App) withoutExpressions(key string) {
	n := a.set[key]
	if n == nil {
		return
	}
	list := n.Content
	if n.Kind != yaml.SequenceNode {
		list = []*yaml.Node{n}
	}
	kept := slices.DeleteFunc(slices.Clone(list), func(child *yaml.Node) bool {
		if child.Kind == yaml.MappingNode {
			a.lose("%s: it has a regular expression; write that as a glob", key)
		}
		return child.Kind == yaml.MappingNode
	})
	if a.set[key] = (&yaml.Node{Kind: yaml.SequenceNode, Content: kept}); len(kept) == 0 {
		delete(a.set, key)
	}
}

// readLog finds a log file as PM2 does: relative to cwd.
func (a *pm2App) readLog(key string) {
	n := a.set[key]
	switch {
	case n == nil || a.logs[key] != "":
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str":
		if n.Value != "false" {
			a.lose("%s: %s: write a path", key, fmt.Sprintf("%q", n.Value))
		}
	case n.Value == "NULL" || n.Value == "/dev/null":
		a.logs[key] = "/dev/null"
	case filepath.IsAbs(n.Value):
		a.logs[key] = filepath.Clean(n.Value)
	default:
		a.logs[key] = filepath.Join(a.cwd, n.Value)
	}
}
