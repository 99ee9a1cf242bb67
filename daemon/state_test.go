package daemon

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
)

// The shapes are part of the contract: nulls and empty lists, never absent keys.
func TestStateShape(t *testing.T) {
	got, err := json.MarshalIndent(stateOf(
		&stack.Stack{Project: "p", Profile: "dev"}, driverDocker,
		&api.Daemon{Pid: 1, Version: "v"},
		[]infra.Service{{Name: "redis", Driver: "docker", Image: "redis:7", State: "absent", Health: infra.Stopped, EngineHealth: "none"}},
		[]procs.Process{{App: "web", Namespace: "default", State: procs.Stopped, ReadyBy: "ipc", Memory: -1, CPU: -1}}, at(0),
	), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want := `{
 "project": "p",
 "profile": "dev",
 "infra": "none",
 "daemon": {
  "pid": 1,
  "version": "v"
 },
 "services": [
  {
   "name": "redis",
   "driver": "docker",
   "image": "redis:7",
   "id": null,
   "state": "absent",
   "stopped_by": null,
   "health": "stopped",
   "engine_health": "none",
   "ready": false,
   "ports": [],
   "restarts": 0,
   "started_at": null,
   "memory_bytes": null,
   "cpu_percent": null
  }
 ],
 "processes": [
  {
   "name": "web",
   "namespace": "default",
   "instance": 0,
   "id": 0,
   "pid": null,
   "status": "stopped",
   "ready": false,
   "ready_by": "ipc",
   "exec_mode": "fork",
   "restarts": 0,
   "unstable_restarts": 0,
   "uptime_ms": null,
   "started_at": null,
   "memory_bytes": null,
   "cpu_percent": null,
   "ports": [],
   "watching": false,
   "waiting_for": [],
   "exit": null
  }
 ]
}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
}

func TestServiceView(t *testing.T) {
	v := serviceView(infra.Service{State: "running", Memory: 7 << 20, CPU: 0})
	if v.MemoryBytes == nil || *v.MemoryBytes != 7<<20 || v.CPUPercent == nil || *v.CPUPercent != 0 {
		t.Errorf("view %+v", v)
	}
	v = serviceView(infra.Service{State: "running", Memory: -1, CPU: -1})
	if v.MemoryBytes != nil || v.CPUPercent != nil {
		t.Errorf("what is not known is %v, %v", *v.MemoryBytes, *v.CPUPercent)
	}
}

func TestProcessView(t *testing.T) {
	v := processView(procs.Process{
		App: "web", Pid: 42, StartedAt: at(10), Memory: 1 << 20, CPU: 0, State: procs.Online,
		Exits: []procs.Exit{{Code: -1, Signal: 9, Reason: procs.Crash, At: at(9)}},
	}, at(12))
	if *v.Pid != 42 || *v.UptimeMS != 2000 || *v.MemoryBytes != 1<<20 || *v.CPUPercent != 0 {
		t.Errorf("view %+v", v)
	}
	if v.Exit.Code != nil || *v.Exit.Signal != "SIGKILL" {
		t.Errorf("a death by signal has no code: %+v", v.Exit)
	}
	if e := exitView(procs.Exit{Code: -1, Unknown: true}); e.Code != nil || e.Signal != nil {
		t.Errorf("an unknown exit has neither: %+v", e)
	}
	if e := exitView(procs.Exit{Code: 0}); e.Code == nil || *e.Code != 0 {
		t.Errorf("exit 0: %+v", e)
	}
}

func TestDescribeMasksSecrets(t *testing.T) {
	st := &stack.Stack{Project: "p", Apps: []stack.App{{
		Name: "web", Script: "/app/server.js", Interpreter: "node", Args: []string{"--token=hunter2"},
		DependsOn: []stack.Dependency{{Name: "redis", Service: true, Condition: stack.Healthy}},
		Environment: []stack.Variable{
			{Key: "API_KEY", Value: "hunter2", Origin: "env", Declared: true},
			{Key: "DATABASE_URL", Value: "postgres://u:hunter2@localhost/db", Origin: ".env", Declared: true},
			{Key: "HOME", Value: "/inherited", Origin: "shell"},
		},
	}}}
	d, refused := describe(st, "web", map[string][]string{"web": {"redis"}}, nil, []procs.Process{{App: "web"}}, time.Now())
	if refused != nil {
		t.Fatal(refused)
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text); strings.Contains(s, "hunter2") || strings.Contains(s, "/inherited") {
		t.Errorf("a secret or an inherited value shows: %s", s)
	}
	if got := d.Process[0].DependsOn[0]; got.Open || got.Name != "redis" {
		t.Errorf("dependency %+v", got)
	}
	if _, refused := describe(st, "nobody", nil, nil, nil, time.Now()); refused == nil {
		t.Error("a name that does not exist is described")
	}
}
