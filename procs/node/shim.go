package node

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"devstack/procs/files"
)

// shim is a preload for Node.js 18 and newer; its own comment says what it promises.
//
//go:embed shim.cjs
var shim []byte

// Install writes the shim to dir, where Preload can name it, and returns its path. A running launch may have read it
// from there before and its threads do so again: it is replaced in one step, and only if it differs.
func Install(dir string) (path string, err error) {
	path = filepath.Join(dir, "shim.cjs")
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, shim) {
		return path, nil
	}
	if err := files.Replace(path, shim, 0o600); err != nil {
		return "", fmt.Errorf("cannot write the preload of Node.js: %w", err)
	}
	return path, nil
}

// Preload returns env with a NODE_OPTIONS that loads the shim, after whatever the app's own NODE_OPTIONS load.
func Preload(env []string, shim string) []string {
	option := `--require "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(shim) + `"`
	env = slices.Clone(env)
	for i, kv := range slices.Backward(env) {
		if theirs, ok := strings.CutPrefix(kv, "NODE_OPTIONS="); ok {
			if theirs != "" {
				option = theirs + " " + option
			}
			env[i] = "NODE_OPTIONS=" + option
			return env
		}
	}
	return append(env, "NODE_OPTIONS="+option)
}
