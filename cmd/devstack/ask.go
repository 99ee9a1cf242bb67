package main

import (
	"context"
	"fmt"
	"strings"

	"devstack/daemon/api"
	"devstack/view"
)

// ask asks a devstackd of this command alone about files, and shows what is going on meanwhile. The answer is nil if nothing
// was found; the result then says why.
func ask[Request, Answer any](
	ctx context.Context, f *Factory, files api.Files, to api.Endpoint[Request, Answer], r Request,
) (answer *Answer, result *api.Result, err error) {
	err = f.Once(ctx, files, func(ctx context.Context, c *api.Client) error {
		answer, result, err = api.Ask(ctx, c, to, r, f.line)
		return err
	})
	return answer, result, err
}

// askText asks for a document and prints it.
func askText[Request any](ctx context.Context, f *Factory, files api.Files, to api.Endpoint[Request, api.Text], r Request) error {
	answer, result, err := ask(ctx, f, files, to, r)
	if err != nil {
		return err
	}
	if answer != nil {
		fmt.Fprint(f.IO.Out, answer.Text)
	}
	return f.ended(result, false)
}

// line shows an event that is a line, or a warning.
func (f *Factory) line(e view.Event) {
	switch e.Kind {
	case view.KindLine:
		fmt.Fprintln(f.IO.Err, printableLines(e.Message))
	case view.KindWarning:
		fmt.Fprintln(f.IO.Err, f.IO.ErrStyle().yellow("warning:"), printableLines(e.Message))
	}
}

// ended says how a request ended: what the user should know, what failed and what to do next. rest says, too, that what runs is
// left running.
func (f *Factory) ended(r *api.Result, rest bool) error {
	c := f.IO.ErrStyle()
	for _, note := range r.Notes {
		f.note(note)
	}
	if note := otherVersion(r.State); note != "" {
		f.note(note)
	}
	if !saysItAll(r) {
		fmt.Fprint(f.IO.Err, renderFailures(r.Failures, c))
	}
	if r.Exit != api.ExitDone && rest && r.State != nil && anythingRuns(r.State) {
		fmt.Fprintln(f.IO.Err, "The rest of the stack is left running; devstack down ends it.")
	}
	if r.Error == "" || r.Exit == api.ExitDone {
		return exitWith(r.Exit)
	}
	return &api.Error{Exit: r.Exit, Message: r.Error, Hint: r.Hint}
}

// pairs are NAME=VALUE flags that may be given several times; of a name the last one counts.
type pairs map[string]string

// Set is pflag's.
func (p *pairs) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return fmt.Errorf("%q has no NAME=VALUE", text)
	}
	if *p == nil {
		*p = pairs{}
	}
	(*p)[name] = value
	return nil
}

// Type is what help shows where a usage names nothing.
func (p *pairs) Type() string { return "NAME=VALUE" }

func (p *pairs) String() string { return "" } // there is no default
