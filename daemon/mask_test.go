package daemon

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"devstack/probe"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

const (
	secretURL = "postgres://u:hunter2@localhost/db refused"
	maskedURL = "@localhost/db refused"
)

// masks fails where a secret shows, and where what is beside it does not.
func masks(t *testing.T, name string, v any, beside string) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text); strings.Contains(s, "hunter2") || !strings.Contains(s, beside) {
		t.Errorf("%s: %s", name, s)
	}
}

func TestDryRunMasksTheBuild(t *testing.T) {
	st := &stack.Stack{
		Project: "p", Build: &stack.Build{Command: []string{"make", "--token=hunter2", "all"}, IfMissing: true},
		Apps: []stack.App{{Name: "web", Script: filepath.Join(t.TempDir(), "dist.js")}},
	}
	manager := procs.NewManager(procs.Options{Keeper: deafKeeper{}})
	defer manager.Close()
	u := &up{d: &Daemon{procs: manager}, proposal: proposal{want: intent{Stack: st}, selected: st.Apps, apps: []string{"web"}}}
	masks(t, "plan", u.dryRun().Plan, "build: make")
}

// A server may repeat what it was asked, with the password in it.
func TestProbesAreMasked(t *testing.T) {
	probes := []view.Probe{{Detail: secretURL}}
	redis := serviceOf(view.Service{Name: "redis", State: "running"})
	redis.Detail, redis.Probes = secretURL, probes
	web := stack.App{Name: "web"}
	f := facts{st: &stack.Stack{Apps: []stack.App{web}}, services: []view.ServiceDetails{redis}}
	masks(t, "a service described", describeService(redis, nil), maskedURL)
	masks(t, "why a service", f.whyService(redis), maskedURL)
	masks(t, "a service's health", serviceHealth(redis, probe.Result{Detail: secretURL}), maskedURL)
	v := judge(goal{services: []string{"redis"}}, []view.ServiceDetails{redis}, nil)
	masks(t, "a service awaited", v.pending, maskedURL)
	redis.StoppedBy = view.ByDevstack
	masks(t, "a service stopped meanwhile", judge(goal{services: []string{"redis"}}, []view.ServiceDetails{redis}, nil).failures, maskedURL)

	failing := view.ProcessDetails{Probes: probes, LastError: secretURL}
	for _, status := range []view.Status{view.Launching, view.Online, view.Errored, view.Stopped, view.WaitingRestart} {
		failing.Process = view.Process{Name: "web", Status: status}
		p := detailsOf(failing)
		masks(t, "why a process is "+string(status), f.whyProcess(web, p), maskedURL)
		masks(t, "a description", describeProcess(web, p, nil, at(0)), maskedURL)
		masks(t, "health without a check", processHealth(p, probe.Result{}, false), `"web"`)
		v := judge(goal{apps: []stack.App{web}, began: at(0)}, nil, []procs.Process{p})
		masks(t, "a process awaited that is "+string(status), append(v.pending, v.failures...), maskedURL)
	}
	failing.Process = view.Process{Name: "web", Status: view.Online, Pid: new(7), Ready: true}
	masks(t, "health by a check", processHealth(detailsOf(failing), probe.Result{Detail: secretURL}, true), maskedURL)
}
