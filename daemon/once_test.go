package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/stack"
	"devstack/view"
)

type greeting struct {
	Name string `json:"name"`
}

const greet api.Endpoint[greeting, greeting] = "/greet"

// asking is a client of o over one connection, whose end is an error of the test unless Serve ends well.
func asking(t *testing.T, ctx context.Context, o *Once) (client *api.Client, ours *net.UnixConn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "once") // short, for the socket in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	at := &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"}
	listener, err := net.ListenUnix("unix", at)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if ours, err = net.DialUnix("unix", nil, at); err != nil {
		t.Fatal(err)
	}
	theirs, err := listener.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := o.Serve(ctx, theirs); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(func() {
		ours.Close()
		serving.Wait()
	})
	return api.NewClientOn(func(context.Context) (net.Conn, error) { return ours, nil }), ours
}

func testOnce() *Once { return NewOnce(api.Files{}, nil, "") }

// Events come before the result, in the order of their numbers, whoever tells them.
func TestOnceAnswers(t *testing.T) {
	o := testOnce()
	Handle(o, greet, func(_ context.Context, r greeting, tell func(view.Event)) (*greeting, error) {
		var tellers sync.WaitGroup
		for range 20 {
			tellers.Go(func() { tell(view.Event{Kind: view.KindLine, Message: "hm"}) })
		}
		tellers.Wait()
		return &greeting{"hello " + r.Name}, nil
	})
	c, _ := asking(t, t.Context(), o)
	var seen []uint64
	answer, result, err := api.Ask(t.Context(), c, greet, greeting{"you"}, func(e view.Event) {
		if e.Kind != view.KindLine || e.Message != "hm" || e.Time.IsZero() {
			t.Errorf("told %+v", e)
		}
		seen = append(seen, e.Seq)
	})
	if err != nil || answer.Name != "hello you" || result.Exit != api.ExitDone || result.Failures == nil || result.Notes == nil {
		t.Errorf("%+v, %+v, %v", answer, result, err)
	}
	if len(seen) != 20 || !slices.IsSorted(seen) || seen[0] != 1 {
		t.Errorf("events %v", seen)
	}
}

// What was found is answered beside an error; an error without a message is an exit code.
func TestOnceAnswersBesideAnError(t *testing.T) {
	for name, test := range map[string]struct {
		answer *greeting
		err    error
		want   api.Result
	}{
		"refused":     {nil, &api.Error{Exit: api.ExitUsage, Message: "no", Hint: "yes"}, api.Result{Exit: api.ExitUsage, Error: "no", Hint: "yes"}},
		"found, too":  {&greeting{"x"}, errors.New("boom"), api.Result{Exit: api.ExitBug, Error: "boom", Answer: []byte(`{"name":"x"}`)}},
		"code alone":  {&greeting{}, &api.Error{Exit: api.ExitStale}, api.Result{Exit: api.ExitStale, Answer: []byte(`{"name":""}`)}},
		"interrupted": {nil, fmt.Errorf("while: %w", context.Canceled), api.Result{Exit: api.ExitInterrupted, Error: "interrupted"}},
	} {
		o := testOnce()
		Handle(o, greet, func(context.Context, greeting, func(view.Event)) (*greeting, error) { return test.answer, test.err })
		c, _ := asking(t, t.Context(), o)
		answer, got, err := api.Ask(t.Context(), c, greet, greeting{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		test.want.Failures, test.want.Notes, test.want.Links = []api.Failure{}, []string{}, []api.Link{}
		if test.want.Answer == nil {
			test.want.Answer = []byte("null")
		}
		if !reflect.DeepEqual(*got, test.want) || (answer == nil) != (test.answer == nil) {
			t.Errorf("%s: %+v, not %+v; %v", name, got, test.want, answer)
		}
	}
}

// Closing our half cancels the request, and so does the end of Serve's context; the answer comes in both cases.
func TestOnceIsCancelled(t *testing.T) {
	ends := map[string]func(end context.CancelFunc, ours *net.UnixConn){
		"by the client": func(_ context.CancelFunc, ours *net.UnixConn) { _ = ours.CloseWrite() },
		"by a signal":   func(end context.CancelFunc, _ *net.UnixConn) { end() },
	}
	for name, cancel := range ends {
		t.Run(name, func(t *testing.T) {
			ctx, end := context.WithCancel(t.Context())
			defer end()
			o := testOnce()
			Handle(o, greet, func(ctx context.Context, _ greeting, tell func(view.Event)) (*greeting, error) {
				tell(view.Event{Kind: view.KindLine, Message: "begun"})
				<-ctx.Done()
				tell(view.Event{Kind: view.KindLine, Message: "cleared away"})
				return &greeting{"removed"}, ctx.Err()
			})
			c, ours := asking(t, ctx, o)
			var told []string
			answer, result, err := api.Ask(t.Context(), c, greet, greeting{}, func(e view.Event) {
				if told = append(told, e.Message); len(told) == 1 {
					cancel(end, ours)
				}
			})
			if err != nil || answer == nil || answer.Name != "removed" || result.Exit != api.ExitInterrupted {
				t.Errorf("%+v, %+v, %v", answer, result, err)
			}
			if !slices.Equal(told, []string{"begun", "cleared away"}) {
				t.Errorf("told %q", told)
			}
		})
	}
}

// A devstack of another version is told so.
func TestOnceDoesNotKnowARequest(t *testing.T) {
	c, _ := asking(t, t.Context(), testOnce())
	_, _, err := api.Ask(t.Context(), c, greet, greeting{}, nil)
	var refused *api.Error
	if !errors.As(err, &refused) || refused.Exit != api.ExitBug || !strings.Contains(refused.Hint, "different versions") {
		t.Errorf("%v", err)
	}
}

func TestRefusal(t *testing.T) {
	where := &stack.Error{Message: "unknown key", Hint: "did you mean apps?"}
	for name, test := range map[string]struct {
		err      error
		exit     api.Code
		hint     string
		failures int
	}{
		"one problem in the files": {where, api.ExitFiles, "did you mean apps?", 1},
		"several":                  {stack.Errors{where, {Message: "cycle"}}, api.ExitFiles, "did you mean apps?", 2},
		"an unknown name":          {&stack.UnknownError{Kind: "profile", Name: "pilto"}, api.ExitUsage, "", 1},
		"no engine":                {fmt.Errorf("x: %w", &infra.Error{Kind: infra.NoEngine, Hint: "start it"}), api.ExitEngine, "start it", 0},
		"a taken port":             {&infra.Error{Kind: infra.PortTaken, Message: "taken"}, api.ExitPortTaken, "", 0},
		"a bug":                    {os.ErrPermission, api.ExitBug, "", 0},
		"none":                     {nil, api.ExitDone, "", 0},
	} {
		r := Refusal(test.err)
		if r.Exit != test.exit || r.Hint != test.hint || len(r.Failures) != test.failures || (r.Error == "") != (test.err == nil) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// Without a daemon the files answer, and a refusal names every problem in them.
func TestOffline(t *testing.T) {
	dir, home := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, "ecosystem.yaml")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("apps:\n  - {name: web, command: [sleep, '9'], namespace: a}\n  - {name: other, command: [sleep, '9'], instances: 2}\n")
	client := func() *api.Client {
		c, _ := asking(t, t.Context(), NewOnce(api.Files{File: file}, []string{"PATH=" + os.Getenv("PATH")}, home))
		return c
	}
	state, err := client().State(t.Context())
	if err != nil || len(state.Processes) != 3 || state.Daemon != nil || state.Processes[2].Status != "stopped" || state.Processes[2].Instance != 1 {
		t.Errorf("state: %+v, %v", state, err)
	}
	for _, err := range client().Logs(t.Context(), api.LogsRequest{Names: []string{"wbe"}}) {
		var refused *api.Error
		if !errors.As(err, &refused) || refused.Exit != api.ExitUsage {
			t.Errorf("an unknown name: %v", err)
		}
	}
	result, err := client().Down(t.Context(), api.DownRequest{}, func(api.Event) {})
	if err != nil || result.Exit != api.ExitDone || !slices.Equal(result.Notes, []string{"nothing is running"}) {
		t.Errorf("down of nothing: %+v, %v", result, err)
	}
	write("apps:\n  - {name: web, comand: x}\n  - {name: web}\nnonsense: 1\n")
	_, err = client().State(t.Context())
	var refused *api.Error
	if !errors.As(err, &refused) || refused.Exit != api.ExitFiles || !strings.Contains(refused.Message, "comand") || !strings.Contains(refused.Message, "nonsense") {
		t.Errorf("two problems: %v", err)
	}
	checks, result, err := api.Ask(t.Context(), client(), api.EndpointPreflight, api.PreflightRequest{}, nil)
	if err != nil || result.Exit != api.ExitFiles || result.Error != "" || len(*checks) < 2 || (*checks)[0].Name != "files" || (*checks)[0].Status != "failed" {
		t.Errorf("preflight: %+v, %+v, %v", checks, result, err)
	}
}
