package daemon

import (
	"encoding/json"
	"strings"
	"testing"

	"devstack/procs"
	"devstack/stack"
)

func TestDescribeTellsOfHeldSocketsAndReloads(t *testing.T) {
	for name, tc := range map[string]struct {
		app     stack.App
		process procs.Process
		says    []string
	}{
		"nothing held": {says: []string{`"held":[]`, `"successor":null`, `"retiring_pid":null`}},
		"held": {
			process: procs.Process{Listening: []procs.Port{{Port: 3000}, {Host: "127.0.0.1", Port: 3001}}},
			says:    []string{`"held":[{"host":"*","port":3000},{"host":"127.0.0.1","port":3001}]`},
		},
		"bound before the start": {
			app:     stack.App{HoldPort: "true", Port: 3000},
			process: procs.Process{Listening: []procs.Port{{Port: 3000}, {Host: "127.0.0.1", Port: 3000}, {Host: "127.0.0.1", Port: 3001}}},
			says:    []string{`"held":[{"host":"*","port":3000},{"host":"127.0.0.1","port":3001}]`},
		},
		"about to be launched":    {process: procs.Process{Heir: &procs.Beside{}}, says: []string{`"successor":{"pid":null,"ready":false}`}},
		"a successor":             {process: procs.Process{Heir: &procs.Beside{Pid: 12, Ready: true}}, says: []string{`"successor":{"pid":12,"ready":true}`}},
		"a launch on its way out": {process: procs.Process{Retiring: &procs.Beside{Pid: 11}}, says: []string{`"retiring_pid":11`, `"successor":null`}},
	} {
		got, err := json.Marshal(describeProcess(tc.app, tc.process, nil, at(0)))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tc.says {
			if !strings.Contains(string(got), want) {
				t.Errorf("%s: no %s in %s", name, want, got)
			}
		}
	}
}
