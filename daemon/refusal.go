package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/stack"
)

// refusal is an action that changed nothing.
func refusal(failures ...api.Failure) *api.Result {
	r := &api.Result{Exit: exitCode(failures), Failures: failures, Notes: []string{}}
	r.Error = failures[0].Resource + ": " + failures[0].Message
	if len(failures) > 1 {
		r.Error = fmt.Sprintf("%d problems; nothing was started", len(failures))
	}
	return r
}

// withoutNull makes every list of a result one.
func withoutNull(r *api.Result) {
	r.Failures, r.Notes, r.Links = orEmpty(r.Failures), orEmpty(r.Notes), orEmpty(r.Links)
	for i := range r.Failures {
		f := &r.Failures[i]
		f.LastLines, f.LogFiles = orEmpty(f.LastLines), orEmpty(f.LogFiles)
	}
}

func notRunning() *api.Result {
	return &api.Result{Exit: api.ExitNotRunning, Error: "no stack is running", Hint: "devstack up"}
}

// cancelled is an action that ended early: `down` was run, or the daemon leaves.
func cancelled(cause error) *api.Result {
	r := &api.Result{Exit: api.ExitInterrupted, Error: "the daemon ended before the command was done", Hint: "devstack ps", Notes: []string{}}
	if errors.Is(cause, errDown) {
		r.Error, r.Hint = errDown.Error(), "devstack up"
	}
	return r
}

// fileRefusal is what an error of stack.Load means to the user.
func fileRefusal(err error) *api.Result {
	var unknown *stack.UnknownError
	if errors.As(err, &unknown) {
		return usage(unknown.Kind, err.Error(), "")
	}
	var all stack.Errors
	if !errors.As(err, &all) {
		return refusal(api.Failure{Resource: "files", Exit: api.ExitFiles, Message: err.Error()})
	}
	var failures []api.Failure
	var hints []string
	for _, e := range all {
		failures = append(failures, api.Failure{Resource: "files", Exit: api.ExitFiles, Message: e.Error()})
		if e.Hint != "" && !slices.Contains(hints, e.Hint) {
			hints = append(hints, e.Hint)
		}
	}
	if hints == nil {
		hints = []string{"correct it there; devstack preflight checks everything and starts nothing"}
	}
	r := refusal(failures...)
	r.Hint = strings.Join(hints, "\n")
	if len(failures) == 1 {
		r.Error = failures[0].Message // it begins with the file
	}
	return r
}

// usage refuses what cannot be meant.
func usage(what, message, hint string) *api.Result {
	r := refusal(api.Failure{Resource: what, Exit: api.ExitUsage, Message: message})
	r.Error, r.Hint = message, hint
	return r
}

// Refusal is what an error means to the user: its exit code, what to do next, and every problem of the files. No error is
// success.
func Refusal(err error) *api.Result {
	var (
		known   *api.Error
		single  *stack.Error
		all     stack.Errors
		unknown *stack.UnknownError
		engine  *infra.Error
	)
	switch {
	case err == nil:
		return &api.Result{}
	case errors.As(err, &known):
		return &api.Result{Exit: known.Exit, Error: known.Message, Hint: known.Hint}
	case errors.Is(err, context.Canceled):
		return &api.Result{Exit: api.ExitInterrupted, Error: "interrupted"}
	case errors.As(err, &unknown), errors.As(err, &all):
		return fileRefusal(err)
	case errors.As(err, &single):
		return fileRefusal(stack.Errors{single})
	case errors.As(err, &engine):
		return &api.Result{Exit: CodeOf(engine.Kind), Error: err.Error(), Hint: engine.Hint}
	}
	return &api.Result{Exit: api.ExitBug, Error: err.Error()}
}

// refusalError is a Refusal as the answer to a request that has no events, with every problem on a line of its own.
func refusalError(err error) *api.Error {
	r := Refusal(err)
	return &api.Error{Exit: r.Exit, Message: allReasons(r), Hint: r.Hint}
}

// allReasons is everything that stands in the way, a line each.
func allReasons(r *api.Result) string {
	text := r.Error
	if r.State == nil && len(r.Failures) == 1 { // a refusal: its error is that reason
		return text
	}
	for _, f := range r.Failures {
		text += "\n  " + f.Resource + ": " + f.Message
	}
	return text
}

// infraFailures says what an error of infra means to the user, each part of it.
func infraFailures(err error) []api.Failure {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []api.Failure
		for _, e := range many.Unwrap() {
			out = append(out, infraFailures(e)...)
		}
		return out
	}
	f := api.Failure{Resource: "services", Exit: api.ExitEngine, Message: err.Error(), LastLines: []string{}}
	var e *infra.Error
	var refused *api.Error
	if errors.As(err, &refused) {
		f.Resource, f.Exit = "infra", refused.Exit
	}
	if errors.As(err, &e) {
		f.Exit = CodeOf(e.Kind)
		if e.Service != "" {
			f.Resource = e.Service
		}
	}
	return []api.Failure{f}
}

// CodeOf is the exit code that a kind of error deserves.
func CodeOf(k infra.ErrorKind) api.Code {
	switch k {
	case infra.Unsupported:
		return api.ExitFiles
	case infra.PortTaken:
		return api.ExitPortTaken
	}
	return api.ExitEngine
}

// infraHint is the next step that an error of infra names.
func infraHint(err error) string {
	var e *infra.Error
	var refused *api.Error
	if errors.As(err, &refused) {
		return refused.Hint
	}
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}
