package main

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// What a command asks a devstackd of its own for, by its command line. DIR is the project's directory.
func TestRequests(t *testing.T) {
	for line, want := range map[string]string{
		"schema":         `POST /v1/schema {}`,
		"preflight":      `POST /v1/preflight {}`,
		"config --json":  `POST /v1/config {"json":true}`,
		"init --dry-run": `POST /v1/init {"dir":"DIR","dry_run":true}`,
		"unstartup":      `POST /v1/unstartup {}`,
		"startup --user me --infra native --dry-run": `POST /v1/startup {"user":"me","infra":"native","dry_run":true}`,
		"bootstrap --check --no-start --timeout 7s": `POST /v1/bootstrap {"user":"devstack","infra":"auto","timeout_ns":7000000000,` +
			`"check":true,"dry_run":false,"no_start":true,"json":false,"cloud_init":false,"source":"","executables":"","dir":""}`,
		"bootstrap --cloud-init --source S --executables E --dir D --json --dry-run": `POST /v1/bootstrap {"user":"devstack","infra":"auto",` +
			`"timeout_ns":300000000000,"check":false,"dry_run":true,"no_start":false,"json":true,"cloud_init":true,"source":"S","executables":"E","dir":"D"}`,
	} {
		b := newBed(t, nil)
		b.answer = "{}"
		if line == "preflight" {
			b.answer = "[]"
		}
		if code := b.run(strings.Fields(line)...); code != api.ExitDone || len(b.asked) != 1 {
			t.Errorf("devstack %s ended with %d and asked %+v: %s", line, code, b.asked, b.err)
			continue
		}
		if got := strings.ReplaceAll(b.asked[0].what+" "+b.asked[0].body, b.dir, "DIR"); got != want {
			t.Errorf("devstack %s asked for\n%s, not\n%s", line, got, want)
		}
	}
}

func TestExportFlags(t *testing.T) {
	got := asked[api.ExportRequest](t, "export", "ecs", "--out", "d", "--check", "--strict", "--report", "--ec2", "--group-workers",
		"--set", "A=1", "--set", "A=x=2", "--set", "B=a,b", "--image", "web=r@sha", "--container", "redis", "--container", "pg",
		"--publish", "web=127.0.0.1:80", "--autoscale", "web=3")
	if !strings.HasSuffix(got.Dir, "/d") {
		t.Errorf("--out d is %s", got.Dir)
	}
	got.Dir = ""
	want := api.ExportRequest{
		Target: "ecs", Check: true, Strict: true, All: true, EC2: true, GroupWorkers: true, Containers: []string{"redis", "pg"},
		Set: map[string]string{"A": "x=2", "B": "a,b"}, Images: map[string]string{"web": "r@sha"},
		Publish: map[string]string{"web": "127.0.0.1:80"}, Autoscale: map[string]int{"web": 3},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("asked for %+v, not %+v", got, want)
	}
	if got := asked[api.ExportRequest](t, "export", "image", "--adopt"); !got.Adopt || got.Dir != "" {
		t.Errorf("asked for %+v", got)
	}
}

func TestRehearseFlags(t *testing.T) {
	got := asked[api.RehearseRequest](t, "rehearse", "kubernetes", "--base", "b", "--set", "A=1", "--image", "web=i", "--secret", "X",
		"--secret", "Y", "--context", "c", "--registry", "r:1", "--keep", "--trial", "ecosystem.yaml")
	want := api.RehearseRequest{
		Targets: []string{"kubernetes"}, Base: "b", Context: "c", Registry: "r:1", Keep: true, Secrets: []string{"X", "Y"},
		Set: map[string]string{"A": "1"}, Images: map[string]string{"web": "i"}, Trial: "# nothing\n",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("asked for %+v, not %+v", got, want)
	}
	if got := asked[api.RehearseRequest](t, "rehearse"); !reflect.DeepEqual(got.Targets, []string{"compose", "ecs"}) {
		t.Errorf("without a target: %q", got.Targets)
	}
}

// asked is the one request that a command line leads to.
func asked[Request any](t *testing.T, args ...string) (r Request) {
	t.Helper()
	b := newBed(t, nil)
	b.write(t, "ecosystem.yaml", "# nothing\n")
	b.answer = "{}"
	if code := b.run(args...); code != api.ExitDone || len(b.asked) != 1 {
		t.Fatalf("devstack %v ended with %d and asked %+v: %s", args, code, b.asked, b.err)
	}
	if err := json.Unmarshal([]byte(b.asked[0].body), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// How a request ended is said once, with every problem, and is the exit code; what was found is shown all the same.
func TestEnded(t *testing.T) {
	for name, test := range map[string]struct {
		result api.Result
		code   api.Code
		err    string
	}{
		"done":        {api.Result{}, api.ExitDone, ""},
		"a code only": {api.Result{Exit: api.ExitStale}, api.ExitStale, ""},
		"a note":      {api.Result{Notes: []string{"mind the gap"}}, api.ExitDone, "note: mind the gap\n"},
		"an error":    {api.Result{Exit: api.ExitFiles, Error: "cannot load", Hint: "edit"}, api.ExitFiles, "error: cannot load\nnext:  edit\n"},
		"two problems": {
			api.Result{Exit: api.ExitFiles, Error: "2 problems", Failures: []api.Failure{{Resource: "files", Message: "one"}, {Resource: "files", Message: "two"}}},
			api.ExitFiles, "✗ files: one\n✗ files: two\nerror: 2 problems\n",
		},
		"interrupted": {api.Result{Exit: api.ExitInterrupted, Error: "interrupted: all is removed"}, api.ExitInterrupted, "interrupted: all is removed\n"},
	} {
		b := newBed(t, nil)
		code := report(b.IO, &cobra.Command{}, b.ended(&test.result, false))
		if code != test.code || b.err.String() != test.err {
			t.Errorf("%s: ended with %d and said\n%s, not %d and\n%s", name, code, b.err, test.code, test.err)
		}
	}
}

// A request that is cancelled before there is a devstackd starts none.
func TestCancelledBeforeTheFirstRequest(t *testing.T) {
	streams, _, _ := testStreams()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := once(ctx, streams, api.Files{}, func(ctx context.Context, c *api.Client) error {
		_, err := c.State(ctx)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	s := &sibling{args: []string{"once"}}
	s.cancel()
	if _, err := s.dial(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("dial after cancel: %v", err)
	}
}
