package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"devstack/daemon/api"
	"devstack/profiles/pilot"
)

// installed is where bootstrap puts the executables.
const installed = "/usr/local/bin"

// bootstrap makes this machine the stack's pilot machine, or says what that would take.
func (m *machine) bootstrap(ctx context.Context, r api.BootstrapRequest) error {
	o := machineOptions{user: r.User, infra: r.Infra, bin: installed, timeout: r.Timeout}
	if r.CloudInit {
		return m.cloudInit(ctx, r, o)
	}
	if os.Geteuid() != 0 {
		return &api.Error{Exit: api.ExitEnvironment, Message: "cannot bootstrap: only root can look at and change the whole machine", Hint: "sudo devstack bootstrap"}
	}
	w, err := m.wanted(ctx, o)
	if err != nil {
		return err
	}
	if r.Check || r.DryRun {
		return m.look(r, cut(r, pilot.Bootstrap(w, pilot.Observe(ctx, w))))
	}
	var broken error
	plan := func() []pilot.Step {
		if now, err := m.wanted(ctx, o); err != nil {
			broken = err
		} else {
			w = now
		}
		return cut(r, pilot.Bootstrap(w, pilot.Observe(ctx, w)))
	}
	out, err := pilot.Execute(ctx, plan, pilot.Commands(os.Stderr), m.announce)
	if broken != nil {
		return broken
	}
	return m.concluded(ctx, r, w, out, err)
}

// cut leaves the start out where it was not asked for.
func cut(r api.BootstrapRequest, steps []pilot.Step) []pilot.Step {
	if !r.NoStart {
		return steps
	}
	return slices.DeleteFunc(steps, func(s pilot.Step) bool { return s.Name == pilot.StartStep })
}

// stepAnswer is a step in JSON.
type stepAnswer struct {
	pilot.Step
	Commands []string `json:"commands"`
	Status   string   `json:"status"` // ok, changed, pending, problem
}

// bootstrapAnswer is the JSON of bootstrap.
type bootstrapAnswer struct {
	Steps   []stepAnswer `json:"steps"`
	Changed []string     `json:"changed"`
	Exit    api.Code     `json:"exit"`
}

func stepsAnswer(steps []pilot.Step, changed []string, exit api.Code) bootstrapAnswer {
	a := bootstrapAnswer{Steps: []stepAnswer{}, Changed: append([]string{}, changed...), Exit: exit}
	for _, s := range steps {
		row := stepAnswer{Step: s, Commands: []string{}, Status: "ok"}
		for _, action := range s.Actions {
			row.Commands = append(row.Commands, action.String())
		}
		switch {
		case s.Problem != nil:
			row.Status = "problem"
		case s.Pending():
			row.Status = "pending"
		case slices.Contains(changed, s.Name):
			row.Status = "changed"
		}
		a.Steps = append(a.Steps, row)
	}
	return a
}

// look shows a plan. Only --check makes what it finds an exit code: 10, or that of the first problem.
func (m *machine) look(r api.BootstrapRequest, steps []pilot.Step) error {
	exit := api.ExitDone
	if r.Check && slices.ContainsFunc(steps, pilot.Step.Pending) {
		exit = api.ExitStale
	}
	var problems []pilot.Problem
	for _, s := range steps {
		if s.Problem != nil {
			problems = append(problems, *s.Problem)
		}
	}
	if len(problems) > 0 {
		exit = codeOfProblems(problems)
	}
	a := stepsAnswer(steps, nil, exit)
	if err := m.showSteps(r, a); err != nil {
		return err
	}
	return &api.Error{Exit: exit}
}

func (m *machine) showSteps(r api.BootstrapRequest, a bootstrapAnswer) error {
	if r.JSON {
		return encodeJSON(&m.out, a)
	}
	for _, s := range a.Steps {
		text := s.Found
		if s.Problem != nil {
			text = s.Problem.Message + " (" + s.Problem.Fix + ")"
		} else if s.Do != "" {
			text += " -> " + s.Do
		}
		fmt.Fprintf(&m.out, "%-8s %s: %s\n", s.Status, s.Name, text)
		if r.DryRun {
			for _, line := range s.Commands {
				fmt.Fprintln(&m.out, "           "+line)
			}
		}
	}
	return nil
}

// concluded says how a bootstrap ended.
func (m *machine) concluded(ctx context.Context, r api.BootstrapRequest, w pilot.Wanted, out pilot.Outcome, err error) error {
	result := m.explain(out, err)
	if err != nil && out.Failed != nil && out.Failed.Name == pilot.StartStep && ctx.Err() == nil {
		result = m.notStarted(ctx, w, errors.Is(err, context.DeadlineExceeded))
	}
	for _, s := range out.Steps {
		if result == nil && s.Problem != nil {
			result = &api.Error{Exit: api.ExitEnvironment, Message: "cannot start the stack, everything else is done: " + s.Problem.Message, Hint: s.Problem.Fix}
		}
	}
	if r.JSON {
		exit := api.ExitDone
		if known, ok := result.(*api.Error); ok { //nolint:errorlint // made above
			exit = known.Exit
		}
		if err := encodeJSON(&m.out, stepsAnswer(out.Steps, out.Done, exit)); err != nil {
			return err
		}
	}
	if result != nil {
		return result
	}
	if len(out.Done) == 0 {
		fmt.Fprintln(m.err, "nothing to do: everything is as it should be")
	} else {
		fmt.Fprintln(m.err, "done:", strings.Join(out.Done, ", "))
	}
	if w.User != "root" {
		fmt.Fprintf(m.err, "next:  sudo -u %s devstack -C %s ps\n", w.User, quoted(projectDir(w)))
	}
	return nil
}

// notStarted is the unit's own reason, from its journal and its exit code, or what it still waits for.
func (m *machine) notStarted(ctx context.Context, w pilot.Wanted, late bool) error {
	if late {
		return &api.Error{
			Exit: api.ExitTimeout, Message: fmt.Sprintf("%s is not ready after %v, and goes on starting: %s", w.Project, w.Timeout, pilot.Status(ctx, w.Unit)),
			Hint: fmt.Sprintf("sudo -u %s devstack -C %s ps", w.User, quoted(projectDir(w))),
		}
	}
	lines, code := pilot.Failure(ctx, w.Unit)
	for _, line := range lines {
		fmt.Fprintln(m.err, "│", line)
	}
	exit := api.ExitProcess
	if code > int(api.ExitBug) && code <= int(api.ExitPortTaken) {
		exit = api.Code(code)
	}
	return &api.Error{
		Exit: exit, Message: "cannot start " + w.Project + "; everything is installed",
		Hint: "journalctl -u " + strings.Join(w.Names(), " -u ") + ", then devstack bootstrap again",
	}
}

// cloudInit prints the first boot of a machine that becomes the stack's.
func (m *machine) cloudInit(ctx context.Context, r api.BootstrapRequest, o machineOptions) error {
	w, err := m.wanted(ctx, o)
	if err != nil {
		return err
	}
	b := pilot.FirstBoot{Project: w.Project, Required: w.Required, Dir: r.Dir, Source: r.Source, Executables: r.Executables}
	if b.Dir == "" {
		b.Dir = "/opt/" + w.Project
	}
	for _, flag := range []struct{ name, value, usual string }{{"infra", o.infra, "auto"}, {"user", o.user, pilot.User}} {
		if flag.value != flag.usual {
			b.Args = append(b.Args, "--"+flag.name, flag.value)
		}
	}
	if r.NoStart {
		b.Args = append(b.Args, "--no-start")
	}
	text, err := pilot.CloudInit(b)
	if err != nil {
		return &api.Error{Exit: api.ExitUsage, Message: err.Error()}
	}
	_, err = fmt.Fprint(&m.out, text)
	return err
}
