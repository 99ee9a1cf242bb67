package stack_test

import (
	"context"
	"path/filepath"
	"testing"

	"devstack/stack"
)

func TestHoldPort(t *testing.T) {
	for _, tc := range []struct {
		keys  string
		want  string
		holds bool
	}{
		{"script: a.js", "auto", true},
		{"script: a.mjs, interpreter: /opt/node20/bin/node", "auto", true},
		{"script: a.js, interpreter: nodejs", "auto", true},
		{"command: [node, a.js]", "auto", true},
		{"command: [/usr/bin/node, --import, tsx, a.ts]", "auto", true},
		{"command: [node, --require, ./a, server.js, --watch]", "auto", true},
		{"command: [node, --require, ./a, --watch, server.js]", "auto", false},
		{"command: [node, --watch-path=src, server.js]", "auto", false},
		{"command: [node, --run, start]", "auto", false},
		{"script: a.js, node_args: --permission", "auto", false},
		{"script: a.js, args: --watch", "auto", true},
		{"command: [npm, start]", "auto", false},
		{"command: [npx, tsx, a.ts]", "auto", false},
		{"command: node a.js && echo ended", "auto", false},
		{"script: a.tsx", "auto", false},
		{"script: bin/server", "auto", false},
		{"script: a.js, hold_port: auto", "auto", true},
		{"script: a.js, hold_port: false", "false", false},
		{"script: a.js, hold_port: 'false'", "false", false},
		{"script: a.js, hold_port: '${NOWHERE:-false}'", "false", false},
		{"script: bin/server, port: 3000, hold_port: true", "true", true},
		{"script: bin/server, port: 3000, hold_port: True", "true", true},
		{"script: bin/server, port: 3000, hold_port: true, increment_var: PORT, instances: 2", "true", true},
	} {
		_, a := loadApp(t, "", "apps: [{name: web, "+tc.keys+"}]")
		if a.HoldPort != tc.want || a.HoldsSockets() != tc.holds {
			t.Errorf("%s: hold_port %s, held %v; not %s, %v", tc.keys, a.HoldPort, a.HoldsSockets(), tc.want, tc.holds)
		}
	}
}

func TestHoldPortIsPartOfTheDefinitionAndShown(t *testing.T) {
	dir := write(t, map[string]string{"ecosystem.yaml": "apps: [{name: web, script: a.js}]\nprofiles: {pilot: {apps: {web: {hold_port: false}}}}"})
	hash := map[string]string{}
	for profile, want := range map[string]stack.Setting{
		"dev":   {Key: "hold_port", Value: "auto", Origin: "default"},
		"pilot": {Key: "hold_port", Value: "false", Origin: "profile app"},
	} {
		st, err := stack.Load(context.Background(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml"), Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		hash[profile] = st.Apps[0].Hash
		c, err := st.Config(false)
		if err != nil {
			t.Fatal(err)
		}
		shown := false
		for _, s := range c.Apps[0].Settings {
			shown = shown || s == want
		}
		if !shown {
			t.Errorf("%s: config does not show %+v", profile, want)
		}
	}
	if hash["dev"] == hash["pilot"] {
		t.Error("another hold_port is the same definition")
	}
}

// Only instances that cannot share a socket are warned of.
func TestSharedPort(t *testing.T) {
	for keys, warned := range map[string]bool{
		"script: a.js, port: 3000, instances: 2":                                    false,
		"script: a.js, port: 3000, instances: 2, hold_port: false":                  true,
		"script: a.js, port: 3000, hold_port: false":                                false,
		"script: a.js, instances: 2, hold_port: false":                              false,
		"command: [npm, start], port: 3000, instances: 2":                           true,
		"command: [npm, start], port: 3000, instances: 2, increment_var: PORT":      false,
		"script: bin/server, port: 3000, instances: 2, hold_port: true":             false,
		"script: a.js, port: 3000, instances: 2, exec_mode: fork, hold_port: false": true,
	} {
		if _, a := loadApp(t, "", "apps: [{name: web, "+keys+"}]"); (a.SharedPort() != "") != warned {
			t.Errorf("%s: %q", keys, a.SharedPort())
		}
	}
}
