package main

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"devstack/daemon/api"
)

// sampleList is sampleState's processes with their definitions; the last one is a command.
func sampleList() []api.ListedProcess {
	var list []api.ListedProcess
	created := now().Add(-time.Hour)
	for _, p := range sampleState().Processes {
		list = append(list, api.ListedProcess{
			Process: p, Script: "/shop/dist/server.js", Interpreter: "node", NodeArgs: []string{"--inspect"}, Command: []string{},
			Args: []string{"--fast"}, Cwd: "/shop", OutFile: "/logs/" + p.Name + "-out.log", ErrorFile: "/logs/" + p.Name + "-error.log",
			Instances: 1, Autorestart: true, CreatedAt: &created,
		})
	}
	last := &list[len(list)-1]
	last.Script, last.Interpreter, last.Command = "", "", []string{"/bin/sh", "-c", "exit 1"}
	return list
}

func TestJlistIsPM2s(t *testing.T) {
	b := newBed(t, daemon(nil, api.Result{}))
	if code := b.run("jlist"); code != api.ExitDone {
		t.Fatalf("ended with %d: %s", code, b.err)
	}
	var list []map[string]any
	if err := json.Unmarshal(b.out.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	env := func(i int) map[string]any { return list[i]["pm2_env"].(map[string]any) }
	for key, want := range map[string]any{"name": "orchestrator", "pid": 4711.0, "pm_id": 0.0} {
		if list[0][key] != want {
			t.Errorf("%s is %v, not %v", key, list[0][key], want)
		}
	}
	for key, want := range map[string]any{
		"status": "online", "exec_mode": "fork_mode", "namespace": "default", "restart_time": 0.0, "unstable_restarts": 0.0,
		"pm_exec_path": "/shop/dist/server.js", "exec_interpreter": "node", "node_args": []any{"--inspect"}, "args": []any{"--fast"},
		"pm_cwd": "/shop", "instances": 1.0, "NODE_APP_INSTANCE": 0.0, "watch": false, "autorestart": true,
		"pm_out_log_path": "/logs/orchestrator-out.log", "pm_err_log_path": "/logs/orchestrator-error.log",
		"pm_uptime": float64(now().UnixMilli() - 180_000), "created_at": float64(now().UnixMilli() - 3_600_000),
	} {
		if got := env(0)[key]; !reflect.DeepEqual(got, want) {
			t.Errorf("pm2_env.%s is %v, not %v", key, got, want)
		}
	}
	for _, key := range []string{"exit_code", "versioning", "env"} {
		if v, there := env(0)[key]; there {
			t.Errorf("pm2_env.%s is there: %v", key, v)
		}
	}
	if got := env(2)["status"]; got != "launching" {
		t.Errorf("a waiting process is %v", got)
	}
	if got := env(3)["exit_code"]; got != 1.0 {
		t.Errorf("the exit code is %v", got)
	}
	if path, args := env(3)["pm_exec_path"], env(3)["args"]; path != "/bin/sh" || !reflect.DeepEqual(args, []any{"-c", "exit 1", "--fast"}) {
		t.Errorf("a command is %v %v", path, args)
	}
}
