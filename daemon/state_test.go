package daemon

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// The shapes are part of the contract: nulls and empty lists, never absent keys.
func TestStateShape(t *testing.T) {
	redis := view.NewService("redis")
	redis.Driver, redis.Image = driverDocker, "redis:7"
	web := procs.Idle(stack.App{Name: "web", Namespace: "default", WaitReady: true}, 0, 0)
	got, err := json.MarshalIndent(stateOf(
		&stack.Stack{Project: "p", Profile: "dev"}, driverDocker,
		&api.Daemon{Pid: 1, Version: "v"},
		[]view.ServiceDetails{redis}, []procs.Process{web}, at(0),
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
   "ready_by": null,
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

func TestUptimeIsOfTheMomentOfTheAnswer(t *testing.T) {
	v := processView(processOf(view.Process{StartedAt: new(at(10))}), at(12))
	if *v.UptimeMS != 2000 {
		t.Errorf("up for %d ms", *v.UptimeMS)
	}
	if v := processView(processOf(view.Process{StartedAt: new(at(10))}), at(9)); *v.UptimeMS != 0 {
		t.Errorf("up for %d ms although the clock was set back", *v.UptimeMS)
	}
	if v := processView(processOf(view.Process{}), at(12)); v.UptimeMS != nil {
		t.Errorf("up for %d ms although it does not run", *v.UptimeMS)
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
	d, refused := describe(st, "web", map[string][]string{"web": {"redis"}}, nil, []procs.Process{processOf(view.Process{Name: "web"})}, time.Now())
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
