package daemon

import (
	"encoding/json"
	"strings"
	"testing"

	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

func TestDescribeTellsOfHeldSocketsAndReloads(t *testing.T) {
	for name, tc := range map[string]struct {
		process procs.Process
		says    []string
	}{
		"nothing held":            {process: procs.Idle(stack.App{}, 0, 0), says: []string{`"held":[]`, `"successor":null`, `"retiring_pid":null`}},
		"held":                    {process: detailsOf(view.ProcessDetails{Held: []view.Address{{Host: "*", Port: 3000}}}), says: []string{`"held":[{"host":"*","port":3000}]`}},
		"about to be launched":    {process: detailsOf(view.ProcessDetails{Successor: &view.Successor{}}), says: []string{`"successor":{"pid":null,"ready":false}`}},
		"a successor":             {process: detailsOf(view.ProcessDetails{Successor: &view.Successor{Pid: new(12), Ready: true}}), says: []string{`"successor":{"pid":12,"ready":true}`}},
		"a launch on its way out": {process: detailsOf(view.ProcessDetails{RetiringPid: new(11)}), says: []string{`"retiring_pid":11`, `"successor":null`}},
	} {
		got, err := json.Marshal(describeProcess(stack.App{}, tc.process, nil, at(0)))
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
