package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"devstack/daemon/api"
	"devstack/view"
)

// daemon answers like one whose stack is sampleState; posts keeps what it was told to do.
func daemon(posts map[string]string, result api.Result) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/state":
			send(w, sampleState())
		case r.Method == http.MethodPost:
			var body json.RawMessage
			_ = json.NewDecoder(r.Body).Decode(&body)
			posts[r.URL.Path] = string(body)
			send(w, view.Event{Seq: 1, Resource: "redis", Kind: view.KindReady, To: "ready", Time: now()},
				api.Event{Event: view.Event{Seq: 2, Kind: view.KindResult}, Result: &result})
		case r.URL.Path == "/v1/logs":
			send(w, api.LogRecord{Timestamp: now(), AppName: "web", Type: "out", Message: r.URL.Query().Encode()})
		case r.URL.Path == "/v1/processes":
			send(w, sampleList())
		case strings.HasPrefix(r.URL.Path, "/v1/describe/"):
			d := api.Description{}
			for _, p := range sampleState().Processes {
				if "/v1/describe/"+p.Name == r.URL.Path {
					d.Process = append(d.Process, api.ProcessDetails{ProcessDetails: view.ProcessDetails{Process: p}, OutFile: "/logs/" + p.Name + "-out.log", Command: []string{"node", "x.js"}})
				}
			}
			send(w, d)
		}
	}
}

func TestUpShowsHowItEnded(t *testing.T) {
	posts := map[string]string{}
	b := newBed(t, daemon(posts, api.Result{
		Exit: api.ExitProcess, Error: "agent-e2e does not stay up", Hint: "devstack logs agent-e2e --err", State: sampleState(),
		Notes:    []string{"the shell overrides REDIS_URL"},
		Failures: []api.Failure{{Resource: "agent-e2e", Message: "exited with code 1", LastLines: []string{"boom"}, LogFile: "/l.log", LogFiles: []string{"/l.log"}}},
		Links:    []api.Link{{Name: "orchestrator", Port: 3000, Kind: api.LinkHTTP, URL: "http://localhost:3000"}},
	}))
	if code := b.run("up", "--timeout", "5s", "agent-e2e"); code != api.ExitProcess {
		t.Errorf("ended with %d", code)
	}
	for _, want := range []string{"NAME", "agent-e2e", "\n\nredis         redis://localhost:6380\n", "http://localhost:3000"} {
		if !strings.Contains(b.out.String(), want) {
			t.Errorf("no %q on standard output:\n%s", want, b.out)
		}
	}
	for _, want := range []string{
		"redis: ready", "note: the shell", "│ boom", "log: /l.log", "error: agent-e2e does not stay up",
		"next:  devstack logs agent-e2e --err", "rest of the stack is left running",
	} {
		if !strings.Contains(b.err.String(), want) {
			t.Errorf("no %q on standard error:\n%s", want, b.err)
		}
	}
	var request api.UpRequest
	if err := json.Unmarshal([]byte(posts["/v1/up"]), &request); err != nil {
		t.Fatal(err)
	}
	if request.File != filepath.Join(b.dir, "ecosystem.yaml") || request.Timeout.Seconds() != 5 ||
		!reflect.DeepEqual(request.Environment, []string{"A=1"}) || b.spawned != 1 {
		t.Errorf("asked for %+v with %d keepers", request, b.spawned)
	}
}

func TestProgressJSONIsTheEventsAlone(t *testing.T) {
	b := newBed(t, daemon(map[string]string{}, api.Result{Exit: api.ExitTimeout, Error: "too slow", State: sampleState()}))
	if code := b.run("up", "--progress", "json"); code != api.ExitTimeout {
		t.Errorf("ended with %d", code)
	}
	lines := strings.Split(strings.TrimSpace(b.out.String()), "\n")
	if len(lines) != 2 || b.err.Len() > 0 {
		t.Errorf("out %q, err %q", lines, b.err)
	}
	var last api.Event
	if err := json.Unmarshal([]byte(lines[1]), &last); err != nil || last.Result == nil || last.Result.Exit != api.ExitTimeout {
		t.Errorf("the last line is %q, %v", lines[1], err)
	}
}

func TestDryRunPrintsThePlan(t *testing.T) {
	b := newBed(t, daemon(map[string]string{}, api.Result{Plan: "create redis\n", State: sampleState()}))
	if code := b.run("up", "--dry-run"); code != api.ExitDone || b.out.String() != "create redis\n" {
		t.Errorf("ended with %d and %q", code, b.out)
	}
}

func TestWithNoKeeper(t *testing.T) {
	const state = `{"project":"shop","services":[],"processes":[]}`
	for line, want := range map[string]struct {
		code    api.Code
		out     string
		err     string
		answer  string
		asked   string // of a devstackd of its own: what, then the body
		project string
	}{
		"ps":          {out: "The stack is empty.\n", err: "devstack up starts it", answer: state, asked: "GET /v1/state"},
		"ps --json":   {out: `"project": "shop"`, answer: state, asked: "GET /v1/state"},
		"jlist":       {out: "[]\n"},
		"stop":        {err: "nothing to stop"},
		"down -v":     {answer: "null", asked: `POST /v1/down {"volumes":true,"keep_infra":false}`},
		"restart":     {code: api.ExitNotRunning, err: "next:  devstack up"},
		"describe x":  {code: api.ExitNotRunning, err: "next:  devstack up"},
		"config":      {out: "apps: []\n", err: "a line\n", answer: `{"text":"apps: []\n"}`, asked: `POST /v1/config {"json":false}`},
		"-p x config": {out: "apps: []\n", answer: `{"text":"apps: []\n"}`, asked: `POST /v1/config {"json":false}`, project: "x"},
	} {
		b := newBed(t, nil)
		b.answer = want.answer
		if code := b.run(strings.Fields(line)...); code != want.code {
			t.Errorf("devstack %s ended with %d: %s", line, code, b.err)
		}
		if !strings.Contains(b.out.String(), want.out) || !strings.Contains(b.err.String(), want.err) {
			t.Errorf("devstack %s wrote %q and %q", line, b.out, b.err)
		}
		var asked string
		for _, q := range b.asked {
			asked = strings.TrimSpace(q.what + " " + q.body)
			if files := (api.Files{File: filepath.Join(b.dir, "ecosystem.yaml"), Project: want.project}); q.files != files {
				t.Errorf("devstack %s asked about %+v, not %+v", line, q.files, files)
			}
		}
		if asked != want.asked {
			t.Errorf("devstack %s asked devstackd for %q, not %q", line, asked, want.asked)
		}
		if b.spawned > 0 {
			t.Errorf("devstack %s started a keeper", line)
		}
	}
}

func TestLogsWithNoKeeper(t *testing.T) {
	b := newBed(t, nil)
	b.answer = `{"app_name":"web","type":"out","message":"one"}` + "\n" + `{"app_name":"web","type":"err","message":"two"}` + "\n"
	if code := b.run("logs", "--lines", "3", "--err", "web"); code != api.ExitDone || b.out.String() != "web | one\nweb ! two\n" {
		t.Errorf("ended with %d and %q, %q", code, b.out, b.err)
	}
	if len(b.asked) != 1 || b.asked[0].what != "GET /v1/logs?follow=false&lines=3&names=web&stream=err" {
		t.Errorf("asked devstackd for %+v", b.asked)
	}
}

// A stack that others can reach is not said to be none: `stop` would end with 0.
func TestAnothersStackIsSeen(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	dir, err := os.Open(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil { // as its keeper does
		t.Fatal(err)
	}
	if code := b.run("stop"); code != api.ExitUsage || !strings.Contains(b.err.String(), "another user's") {
		t.Errorf("ended with %d: %s", code, b.err)
	}
}

func TestLogsOfWhatOthersRun(t *testing.T) {
	b := newBed(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/state" {
			state := sampleState()
			state.Services[0].Driver = "none"
			send(w, state)
		}
	})
	if code := b.run("logs", "--no-follow", "redis"); code != api.ExitDone || !strings.Contains(b.err.String(), "redis is run by others") {
		t.Errorf("ended with %d: %s", code, b.err)
	}
}

func TestDownWaitsUntilTheKeeperIsGone(t *testing.T) {
	posts := map[string]string{}
	b := newBed(t, daemon(posts, api.Result{}))
	if code := b.run("down", "--keep-infra"); code != api.ExitDone || b.waited != 1 {
		t.Errorf("ended with %d, waited %d times: %s", code, b.waited, b.err)
	}
	if want := `{"volumes":false,"keep_infra":true}`; posts["/v1/down"] != want {
		t.Errorf("asked for %s, not %s", posts["/v1/down"], want)
	}
}

func TestAnotherProjectNameIsAUsageError(t *testing.T) {
	for _, line := range []string{"ps", "down", "stop", "describe redis", "logs", "jlist"} {
		posts := map[string]string{}
		b := newBed(t, daemon(posts, api.Result{}))
		if code := b.run(append([]string{"-p", "other"}, strings.Fields(line)...)...); code != api.ExitUsage || len(posts) > 0 {
			t.Errorf("devstack -p other %s ended with %d, did %q", line, code, posts)
		}
		if !strings.Contains(b.err.String(), "cannot use the name other: the stack running in") {
			t.Errorf("it said %q", b.err)
		}
	}
}

func TestFindFile(t *testing.T) {
	root := t.TempDir()
	deep := filepath.Join(root, "a", "b")
	both := filepath.Join(root, "both")
	for _, path := range []string{"ecosystem.yml", "a/b/x.yaml", "both/ecosystem.yaml", "both/ecosystem.yml"} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ start, file, want, err string }{
		{start: root, want: "ecosystem.yml"},
		{start: deep, want: "ecosystem.yml"},
		{start: deep, file: "x.yaml", want: "a/b/x.yaml"},
		{start: deep, file: "../..", want: "ecosystem.yml"},
		{start: deep, file: "..", err: "cannot find ecosystem.yaml in " + filepath.Join(root, "a")},
		{start: deep, file: "y.yaml", err: "cannot read " + filepath.Join(deep, "y.yaml") + ": there is no such file"},
		{start: both, err: "cannot choose: there are both"},
	} {
		got, err := findFile(test.start, test.file)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s %s: %v, not %s", test.start, test.file, err, test.err)
			}
			continue
		}
		if err != nil || got != filepath.Join(root, test.want) {
			t.Errorf("%s %s: %s, %v", test.start, test.file, got, err)
		}
	}
	if _, err := findFile("/", ""); err == nil || !strings.Contains(err.Error(), "cannot find ecosystem.yaml in /") {
		t.Errorf("at the root: %v", err)
	}
}

func TestARefusalIsSaidOnce(t *testing.T) {
	b := newBed(t, daemon(map[string]string{}, api.Result{
		Exit: api.ExitFiles, Error: "files: ecosystem.yaml:3:5: unknown key", Hint: "devstack config",
		Failures: []api.Failure{{Resource: "files", Exit: api.ExitFiles, Message: "ecosystem.yaml:3:5: unknown key"}},
	}))
	if code := b.run("up"); code != api.ExitFiles || strings.Count(b.err.String(), "unknown key") != 1 || b.out.Len() > 0 {
		t.Errorf("ended with %d, said %q and %q", code, b.err, b.out)
	}
}
