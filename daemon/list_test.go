package daemon

import (
	"encoding/json"
	"strings"
	"testing"

	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

func TestListProcesses(t *testing.T) {
	st := &stack.Stack{Apps: []stack.App{{
		Name: "web", Script: "/app/server.js", Interpreter: "node", Args: []string{"--token=hunter2"}, Instances: 1,
		Environment: []stack.Variable{{Key: "API_KEY", Value: "hunter2", Declared: true}},
	}}}
	list := listProcesses(st, []procs.Process{processOf(view.Process{Name: "web", Pid: new(7), StartedAt: new(at(9))})}, at(10))
	data, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(data); strings.Contains(text, "hunter2") || strings.Contains(text, "API_KEY") || !strings.Contains(text, `"node_args":[]`) {
		t.Errorf("%s", text)
	}
	if got := listProcesses(nil, nil, at(0)); got == nil || len(got) != 0 {
		t.Errorf("an idle daemon lists %v", got)
	}
}

func TestCreatedAt(t *testing.T) {
	exit := func(reason view.Reason, end int64) view.ExitRecord {
		return view.ExitRecord{Exit: view.Exit{Code: new(0), Reason: reason, At: at(end)}, UptimeMS: 10_000}
	}
	for _, tc := range []struct {
		name    string
		started int64
		exits   []view.ExitRecord
		want    int64
	}{
		{"first launch", 100, nil, 100},
		{"after crashes", 100, []view.ExitRecord{exit(view.Crash, 50), exit(view.Memory, 80)}, 40},
		{"since a restart by hand", 100, []view.ExitRecord{exit(view.Crash, 50), exit(view.Manual, 60), exit(view.Crash, 90)}, 80},
	} {
		if got := createdAt(detailsOf(view.ProcessDetails{Process: view.Process{StartedAt: new(at(tc.started))}, Exits: tc.exits})); !got.Equal(at(tc.want)) {
			t.Errorf("%s: %v, not %v", tc.name, got.Unix(), tc.want)
		}
	}
}
