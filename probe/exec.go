package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Execution is how a command ended.
type Execution struct {
	Code   int // the exit code; 128 plus the signal's number if a signal ended the command, as a shell counts
	Stdout string
	Stderr string
}

// Run runs one command until it ends. It returns an error if the command did not run to its end. When ctx ends, Run ends the
// command and all that the command started, before it returns: a probe that hangs must not leave anything behind.
type Run func(ctx context.Context, argv []string) (Execution, error)

// ErrNoCommand is what a Run's error wraps when there is no such program. Waiting does not help then.
var ErrNoCommand = errors.New("there is no such program")

// Command is a command that somebody is asked to run. Name is what people call it: "the healthcheck", or its argv.
// Answer judges what a command that exited with 0 has said; nil means that the exit code alone counts.
type Command struct {
	Name   string
	Argv   []string
	Answer func(Execution) Result
}

// Exec is ready when the command exits with 0. It works alike for containers and processes: run knows where the command
// runs. The probe does not count how many commands run at once: Poll looks once at a time, and a caller that also asks by
// itself has to wait for its turn.
func Exec(c Command, run Run) Probe {
	return Func(func(ctx context.Context) Result {
		x, err := run(ctx, c.Argv)
		switch {
		case err != nil && ctx.Err() != nil:
			return Result{Detail: c.Name + " did not end in time"}
		case err != nil:
			return Result{Broken: errors.Is(err, ErrNoCommand), Detail: fmt.Sprintf("cannot run %s: %v", c.Name, err)}
		case x.Code != 0:
			return Result{Detail: strings.TrimSuffix(fmt.Sprintf("%s exited with %d: %s", c.Name, x.Code, lastLine(x)), ": ")}
		case c.Answer != nil:
			return c.Answer(x)
		}
		return Result{Ready: true, Alive: true, By: Healthcheck, Detail: c.Name + " passed"}
	})
}

// Ponged is the Answer of redis-cli's ping: redis-cli exits with 0 also when redis loads its data or refuses the login.
func Ponged(x Execution) Result {
	if strings.Contains(x.Stdout, "PONG") {
		return Result{Ready: true, Alive: true, By: Pong, Detail: "PING -> PONG"}
	}
	for line := range strings.Lines(x.Stdout + "\n" + x.Stderr) {
		line = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "AUTH failed: "), "(error) ")
		if word, _, _ := strings.Cut(line, " "); len(word) > 2 && word == strings.ToUpper(word) { // redis's errors begin so
			return refused("-" + line)
		}
	}
	return Result{Detail: strings.TrimSuffix("redis-cli got no PONG: "+lastLine(x), ": ")}
}

// lastLine is the line that says most about a failure: the last one of the errors, or of the output if there are none.
func lastLine(x Execution) string {
	for _, text := range []string{x.Stderr, x.Stdout} {
		if text = strings.TrimSpace(text); text != "" {
			return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
		}
	}
	return ""
}
