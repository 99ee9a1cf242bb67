package stack

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// RunsNode says whether the app's process is Node.js with the app in it, so that what it listens on can be taken over. npm,
// npx and a shell start a process of their own, and so does node with --watch or --run. With the permission model Node.js
// loads nothing that the app has not named.
func (a App) RunsNode() bool {
	program, options := a.Interpreter, a.NodeArgs
	if len(a.Command) > 0 {
		program, options = a.Command[0], optionsOf(a.Command[1:])
	}
	for _, option := range options {
		switch name, _, _ := strings.Cut(option, "="); name {
		case "--watch", "--watch-path", "--run", "--permission", "--experimental-permission":
			return false
		}
	}
	name := filepath.Base(program)
	return name == "node" || name == "nodejs"
}

// optionsOf are the words of node's command line before the script.
func optionsOf(words []string) []string {
	withValue := []string{"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"}
	for i, word := range words {
		if !strings.HasPrefix(word, "-") && (i == 0 || !slices.Contains(withValue, words[i-1])) {
			return words[:i]
		}
	}
	return words
}

// HoldsSockets says whether the sockets that the app listens on outlive its launches, and are shared by its instances.
// With hold_port: true it is the program's part to know LISTEN_FDS.
func (a App) HoldsSockets() bool {
	switch a.HoldPort {
	case "true":
		return true
	case "false":
		return false
	}
	return a.RunsNode()
}

// SharedPort says in words that several instances have the same port and no socket to share; empty if it is not so.
func (a App) SharedPort() string {
	if a.Count() == 1 || a.Port == 0 || a.IncrementVar == "PORT" || a.HoldsSockets() {
		return ""
	}
	return a.Name + ": " + strconv.Itoa(a.Count()) + " instances bind port " + strconv.Itoa(a.Port) +
		" each for themselves; increment_var: PORT gives each its own"
}

// holdPort is auto, true or false.
func (d *definition) holdPort(n *yaml.Node, what string) string {
	if plain(n, "!!bool") {
		lower := *n
		lower.Value = strings.ToLower(n.Value)
		n = &lower
	}
	return d.oneOf(n, what, "auto", "true", "false")
}
