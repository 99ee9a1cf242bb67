package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
	"devstack/view"
)

// act carries out call in the running stack of p and shows how it went, with the table at the end if that is asked for.
// No running stack is api.ErrNotRunning, and says so with the next command.
func (f *Factory) act(ctx context.Context, p *project, title string, table bool, call func(each func(api.Event)) (*api.Result, error)) error {
	if err := f.checkName(ctx, p); err != nil {
		return needsStack(p, err)
	}
	result, err := f.action(title, call)
	if err != nil {
		return needsStack(p, err)
	}
	return f.finish(result, table)
}

// action carries out call and shows its events: live on a terminal, as plain lines elsewhere, raw under --progress json.
func (f *Factory) action(title string, call func(each func(api.Event)) (*api.Result, error)) (*api.Result, error) {
	ending := slices.Contains([]string{"stop", "down", "delete", "kill"}, title)
	switch f.progressMode() {
	case "json":
		return call(rawEvents(f.IO.Out))
	case "tty":
		live := startLive(f.IO, title, ending)
		result, err := call(func(e api.Event) { live.event(e.Event) })
		live.stop(err == nil)
		return result, err
	}
	lines := newPlain(f.IO.Err, f.IO.ErrStyle(), time.Now(), ending)
	return call(func(e api.Event) { lines.event(e.Event) })
}

func (f *Factory) progressMode() string {
	switch {
	case f.globals.progress != "auto" && f.globals.progress != "":
		return f.globals.progress
	case f.IO.ErrTTY:
		return "tty"
	}
	return "plain"
}

// finish shows how an action ended: the table and the endpoints, and what ended says.
func (f *Factory) finish(result *api.Result, table bool) error {
	if f.progressMode() == "json" { // the result was the last event
		return exitWith(result.Exit)
	}
	fmt.Fprint(f.IO.Out, result.Plan)
	if table && result.State != nil {
		fmt.Fprint(f.IO.Out, renderState(result.State, time.Now(), f.IO.TableWidth(), f.IO.OutStyle()))
		if urls := endpoints(result.State, result.Links); len(urls) > 0 {
			fmt.Fprintf(f.IO.Out, "\n%s\n", strings.Join(urls, "\n"))
		}
	}
	return f.ended(result, table)
}

// saysItAll is whether the error alone says the only failure: that of a refusal, which has no more to it.
func saysItAll(r *api.Result) bool {
	return r.State == nil && len(r.Failures) == 1 && len(r.Failures[0].LastLines) == 0 && r.Failures[0].LogFile == ""
}

func exitWith(code api.Code) error {
	if code == api.ExitDone {
		return nil
	}
	return &exitError{code}
}

// otherVersion says that the running daemon was built from another version than this command.
func otherVersion(s *api.State) string {
	if s == nil || s.Daemon == nil || s.Daemon.Version == api.BuildVersion() {
		return ""
	}
	return "the running devstackd is " + s.Daemon.Version + ", this devstack is " + api.BuildVersion() +
		": install both together, then devstack daemon restart"
}

func anythingRuns(s *api.State) bool {
	return slices.ContainsFunc(s.Services, func(s view.Service) bool { return s.State == "running" }) ||
		slices.ContainsFunc(s.Processes, func(p view.Process) bool { return p.Pid != nil })
}

// completeNames completes the names of the running stack, for the shell.
func (f *Factory) completeNames(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	p, err := findProject(&f.globals, f.Getenv)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	state, err := f.Client(p).State(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, s := range state.Services {
		names = append(names, s.Name)
	}
	for _, p := range state.Processes {
		names = append(names, p.Name)
	}
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool { return slices.Contains(args, name) })
	return names, cobra.ShellCompDirectiveNoFileComp
}
