package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"devstack/daemon/api"
	"devstack/view"
)

func TestWhy(t *testing.T) {
	before := func(d time.Duration) *time.Time { at := now().Add(-d); return &at }
	next := now().Add(4 * time.Second)
	crashing := api.Why{Name: "agent", Kind: "process", Instances: []api.WhyInstance{{
		Name: "agent", Status: "waiting restart", Reason: "exited with code 1 and is about to be restarted", Restarts: 3, NextRestartAt: &next,
		Causes: []view.Count{{Cause: "crash", Count: 2}, {Cause: "memory", Count: 1}},
		LastFailure: &view.ExitRecord{
			Exit: view.Exit{Code: ptr(1), Reason: "crash", At: *before(2 * time.Second)}, UptimeMS: 300, LastLines: []string{"boom\x1b[2J"},
			LogFiles: []string{"/logs/agent-error.log"},
		},
	}}}
	waiting := api.Why{Name: "agent", Kind: "process", Instances: []api.WhyInstance{{
		Name: "agent", Status: "waiting", Reason: "waits for api", WaitsFor: []api.Blocker{{
			Name: "api", Condition: "service_healthy", Status: "waiting", Reason: "waits for redis",
			WaitsFor: []api.Blocker{{Name: "redis", Condition: "service_started", Status: "exited", Reason: "was stopped by somebody else"}},
		}},
	}}}
	stopped := api.Why{Name: "redis", Kind: "service", Instances: []api.WhyInstance{{
		Name: "redis", Status: "exited", Reason: "does not run", StoppedBy: "other", StoppedAt: before(3 * time.Minute), RepairAttempts: 1,
		LastProbe: &view.Probe{At: *before(time.Hour), Detail: "refused"},
	}}}
	golden(t, "why.txt", renderWhy(&crashing, now(), false)+"\n"+renderWhy(&waiting, now(), false)+"\n"+renderWhy(&stopped, now(), false))

	b := newBed(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/why/agent" {
			send(w, waiting)
		}
	})
	if code := b.run("why", "agent", "--json"); code != api.ExitDone || !strings.Contains(b.out.String(), `"waits_for": [`) {
		t.Errorf("ended with %d and %s%s", code, b.out, b.err)
	}
	if b := newBed(t, nil); b.run("why", "agent") != api.ExitNotRunning || !strings.Contains(b.err.String(), "next:  devstack up") {
		t.Errorf("with nothing running: %s", b.err)
	}
}
