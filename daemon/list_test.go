package daemon

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"devstack/procs"
	"devstack/stack"
)

func TestListProcesses(t *testing.T) {
	st := &stack.Stack{Apps: []stack.App{{
		Name: "web", Script: "/app/server.js", Interpreter: "node", Args: []string{"--token=hunter2"}, Instances: 1,
		Environment: []stack.Variable{{Key: "API_KEY", Value: "hunter2", Declared: true}},
	}}}
	list := listProcesses(st, []procs.Process{{App: "web", Pid: 7, StartedAt: at(9), Memory: -1, CPU: -1}}, at(10))
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
	exit := func(reason procs.Reason, end int64) procs.Exit {
		return procs.Exit{Reason: reason, At: at(end), Uptime: 10 * time.Second}
	}
	for _, tc := range []struct {
		name    string
		started int64
		exits   []procs.Exit
		want    int64
	}{
		{"first launch", 100, nil, 100},
		{"after crashes", 100, []procs.Exit{exit(procs.Crash, 50), exit(procs.Memory, 80)}, 40},
		{"since a restart by hand", 100, []procs.Exit{exit(procs.Crash, 50), exit(procs.Manual, 60), exit(procs.Crash, 90)}, 80},
	} {
		if got := createdAt(procs.Process{StartedAt: at(tc.started), Exits: tc.exits}); !got.Equal(at(tc.want)) {
			t.Errorf("%s: %v, not %v", tc.name, got.Unix(), tc.want)
		}
	}
}
