package stack

import (
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// RunsNode says whether Node.js runs the app's program directly, so that what it listens on can be taken over from it.
// npm, npx and a shell start Node.js themselves.
func (a App) RunsNode() bool {
	program := a.Interpreter
	if len(a.Command) > 0 {
		program = a.Command[0]
	}
	name := filepath.Base(program)
	return name == "node" || name == "nodejs"
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
func (d *definition) holdPort(n *yaml.Node) string {
	if plain(n, "!!bool") {
		lower := *n
		lower.Value = strings.ToLower(n.Value)
		n = &lower
	}
	return d.oneOf(n, "hold_port", "auto", "true", "false")
}
