package probe

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"testing"
)

func TestExec(t *testing.T) {
	broken := errors.New("the engine does not answer")
	for _, test := range []struct {
		name   string
		answer func(Execution) Result
		ended  Execution
		err    error
		want   Result
	}{
		{"passes", nil, Execution{Stdout: "fine\n"}, nil, Result{Ready: true, Alive: true, By: Healthcheck, Detail: "the check passed"}},
		{
			"fails with an error", nil,
			Execution{Code: 4, Stdout: "hello\n", Stderr: "line 1\n no such table \n\n"},
			nil,
			Result{Detail: "the check exited with 4: no such table"},
		},
		{"fails with output", nil, Execution{Code: 137, Stdout: "a\nb"}, nil, Result{Detail: "the check exited with 137: b"}},
		{"fails in silence", nil, Execution{Code: 1}, nil, Result{Detail: "the check exited with 1"}},
		{"cannot run", nil, Execution{}, broken, Result{Detail: "cannot run the check: the engine does not answer"}},
		{
			"does not exist", nil,
			Execution{},
			fmt.Errorf("cannot find chck: %w", ErrNoCommand),
			Result{Broken: true, Detail: "cannot run the check: cannot find chck: there is no such program"},
		},
		{"pong", Ponged, Execution{Stdout: "PONG\n"}, nil, Result{Ready: true, Alive: true, By: Pong, Detail: "PING -> PONG"}},
		{
			"pong under a warning", Ponged,
			Execution{Stdout: "PONG\n", Stderr: "Warning: a password on the command line"},
			nil,
			Result{Ready: true, Alive: true, By: Pong, Detail: "PING -> PONG"},
		},
		{
			"loading", Ponged,
			Execution{Stdout: "LOADING Redis is loading the dataset in memory\n"},
			nil,
			Result{Alive: true, Detail: "redis is loading its data"},
		},
		{
			"no password", Ponged,
			Execution{Stdout: "(error) NOAUTH Authentication required.\n"},
			nil,
			Result{Broken: true, Alive: true, Detail: "redis asks for a password and none is known: NOAUTH Authentication required."},
		},
		{
			"no password, under a warning", Ponged,
			Execution{Stdout: "\nNOAUTH Authentication required.\n", Stderr: "Warning: a password on the command line"},
			nil,
			Result{Broken: true, Alive: true, Detail: "redis asks for a password and none is known: NOAUTH Authentication required."},
		},
		{"another answer", Ponged, Execution{Stdout: "hello"}, nil, Result{Detail: "redis-cli got no PONG: hello"}},
		{
			"wrong password", Ponged,
			Execution{Stderr: "AUTH failed: WRONGPASS invalid username-password pair"},
			nil,
			Result{Broken: true, Alive: true, Detail: "redis refuses the login: WRONGPASS invalid username-password pair"},
		},
		{"no answer", Ponged, Execution{}, nil, Result{Detail: "redis-cli got no PONG"}},
		{
			"refused", Ponged,
			Execution{Code: 1, Stderr: "Could not connect: Connection refused"},
			nil,
			Result{Detail: "the check exited with 1: Could not connect: Connection refused"},
		},
	} {
		var asked []string
		run := func(_ context.Context, argv []string) (Execution, error) {
			asked = argv
			return test.ended, test.err
		}
		got := Exec(Command{Name: "the check", Argv: []string{"check", "-q"}, Answer: test.answer}, run).Check(t.Context())
		if got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
		if fmt.Sprint(asked) != "[check -q]" {
			t.Errorf("%s: it ran %v", test.name, asked)
		}
	}
}

func TestExecThatDoesNotEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hangs := func(ctx context.Context, _ []string) (Execution, error) {
		cancel()
		<-ctx.Done()
		return Execution{}, ctx.Err()
	}
	if r := Exec(Command{Name: "the check"}, hangs).Check(ctx); r != (Result{Detail: "the check did not end in time"}) {
		t.Errorf("%+v", r)
	}
}

func TestLogLine(t *testing.T) {
	var lines []string
	next := func() (string, bool) {
		if len(lines) == 0 {
			return "", false
		}
		line := lines[0]
		lines = lines[1:]
		return line, true
	}
	p := LogLine(next, regexp.MustCompile(`^ready( on \d+)?$`))
	not := Result{Detail: `no log line matches "^ready( on \\d+)?$" yet`}
	ready := Result{Ready: true, Alive: true, By: LogLined, Detail: "log line: ready on 3000"}
	for i, step := range []struct {
		said []string
		want Result
	}{
		{nil, not},
		{[]string{"booting", "not ready"}, not},
		{[]string{"still booting", "ready on 3000", "ready"}, ready},
		{nil, ready},
	} {
		lines = append(lines, step.said...)
		if got := p.Check(t.Context()); got != step.want {
			t.Errorf("look %d: %+v, want %+v", i, got, step.want)
		}
	}
	if len(lines) != 1 {
		t.Errorf("after the line that it waits for it read on: %q is left", lines)
	}
}

// An output that is written faster than it is read must not hold up a look for ever.
func TestLogLineEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	endless := func() (string, bool) {
		cancel()
		return "more", true
	}
	if r := LogLine(endless, regexp.MustCompile("never")).Check(ctx); r.Ready {
		t.Errorf("%+v", r)
	}
}

// An empty line is a line.
func TestLogLineFindsAnEmptyLine(t *testing.T) {
	said := 0
	next := func() (string, bool) {
		said++
		return "", said == 1
	}
	p := LogLine(next, regexp.MustCompile("^$"))
	for range 2 {
		if r := p.Check(t.Context()); !r.Ready {
			t.Errorf("%+v", r)
		}
	}
}
