package daemon

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

func TestEnvironmentsOf(t *testing.T) {
	st := &stack.Stack{Apps: []stack.App{{
		Name: "web", Instances: 2, InstanceVar: "NODE_APP_INSTANCE",
		Environment: []stack.Variable{
			{Key: "API_KEY", Value: "hunter2", Origin: "env", Declared: true},
			{Key: "HOME", Value: "/root", Origin: "shell"},
		},
	}}}
	s := selection{processes: []procs.Process{processOf(view.Process{Name: "web", Instance: 1, ID: 4}), processOf(view.Process{Name: "gone"})}}
	want := []api.ProcessEnvironment{{Name: "web", Instance: 1, ID: 4, Environment: []api.EnvironmentItem{
		{Key: "API_KEY", Value: "***", Origin: "env"},
		{Key: "HOME", Value: "/root", Origin: "shell"},
		{Key: "NODE_APP_INSTANCE", Value: "1", Origin: "instance"},
	}}}
	if d := cmp.Diff(want, environmentsOf(st, s, false)); d != "" {
		t.Error(d)
	}
	want[0].Environment[0].Value = "hunter2"
	if d := cmp.Diff(want, environmentsOf(st, s, true)); d != "" {
		t.Error(d)
	}
}

func TestWholeApps(t *testing.T) {
	st := sampleStack()
	st.Apps[0].Instances = 2
	web := []procs.Process{processOf(view.Process{Name: "web"}), processOf(view.Process{Name: "web", ID: 1, Instance: 1})}
	if r := wholeApps(st, selection{processes: web}); r != nil {
		t.Errorf("all instances: %+v", r)
	}
	for _, s := range []selection{{processes: web[1:]}, {services: []string{"redis"}}} {
		if r := wholeApps(st, s); r == nil || r.Exit != api.ExitUsage {
			t.Errorf("%+v: %+v", s, r)
		}
	}
}
