package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"devstack/daemon/api"
	"devstack/procs/keeper"
	"devstack/procs/keeper/protocol"
)

func TestResurrectAsksForAnUp(t *testing.T) {
	posts := map[string]string{}
	b := newBed(t, daemon(posts, api.Result{State: &api.State{}}))
	if code := b.run("resurrect", "--no-infra", "--timeout", "5s"); code != api.ExitDone {
		t.Fatalf("ended with %d: %s", code, b.err)
	}
	var got api.UpRequest
	if err := json.Unmarshal([]byte(posts["/v1/up"]), &got); err != nil {
		t.Fatal(err)
	}
	if !got.Resurrect || !got.NoInfra || got.Timeout != 5*time.Second || len(got.Names) > 0 || got.Infra != "auto" {
		t.Errorf("asked for %+v", got)
	}
}

// In the foreground the command is the keeper; what it ends with is the command's end.
func TestResurrectInTheForeground(t *testing.T) {
	for name, tc := range map[string]struct {
		line string
		ends error
		args string // of the daemon, after the file
		code api.Code
		says string
	}{
		"ended":   {line: "", args: "--timeout 2m0s"},
		"flags":   {line: "--no-infra --timeout 10m -p shop --profile pilot", args: "-p shop --profile pilot --timeout 10m0s --no-infra"},
		"refused": {ends: &keeper.FailedError{Text: "ecosystem.yaml:2:3: no", Code: 3}, args: "--timeout 2m0s", code: 3, says: "error: ecosystem.yaml:2:3: no"},
		"no code": {ends: &keeper.FailedError{Text: "no"}, args: "--timeout 2m0s", code: 1, says: "error: no"},
		"locked":  {ends: protocol.ErrLocked, args: "--timeout 2m0s", code: 1, says: "another keeper runs it"},
		"broken":  {ends: errors.New("cannot bind"), args: "--timeout 2m0s", code: 1, says: "error: cannot bind"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, nil)
			var got []string
			b.KeepHere = func(_ *project, args []string) error { got = args; return tc.ends }
			if code := b.run(append([]string{"resurrect", "--foreground"}, strings.Fields(tc.line)...)...); code != tc.code {
				t.Errorf("ended with %d: %s", code, b.err)
			}
			if len(got) < 3 || !slices.Equal(got[:2], []string{"resurrect", "--file"}) || strings.Join(got[3:], " ") != tc.args {
				t.Errorf("the daemon gets %q", got)
			}
			if !strings.Contains(b.err.String(), tc.says) || b.spawned > 0 {
				t.Errorf("said %s; %d keepers in the background", b.err, b.spawned)
			}
		})
	}
}

func TestSaveShows(t *testing.T) {
	saved := api.Saved{Path: "/home/me/.devstack/1/intent.json", Stopped: []string{"web", "agent"}, StoppedInstances: map[string][]int{"b": {0, 2}}, Started: []string{"extra"}, Instances: map[string]int{"b": 3, "a": 2}}
	b := newBed(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method+" "+r.URL.Path != "POST /v1/save" {
			t.Errorf("asked %s %s", r.Method, r.URL)
		}
		send(w, saved)
	})
	if code := b.run("save"); code != api.ExitDone {
		t.Fatalf("ended with %d: %s", code, b.err)
	}
	want := "/home/me/.devstack/1/intent.json\nstopped: web, agent, b (instance 0), b (instance 2)\nstarted: extra\nscaled:  a to 2, b to 3\n"
	if b.out.String() != want {
		t.Errorf("shows\n%s", b.out)
	}
	b.out.Reset()
	var again api.Saved
	if code := b.run("dump", "--json"); code != api.ExitDone || json.Unmarshal(b.out.Bytes(), &again) != nil || again.Path != saved.Path {
		t.Errorf("ended with %d and shows\n%s", code, b.out)
	}
}
