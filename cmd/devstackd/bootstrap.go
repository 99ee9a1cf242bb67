package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"devstack/daemon/api"
	"devstack/profiles/pilot"
)

// installed is where bootstrap puts the executables.
const installed = "/usr/local/bin"

// bootstrapFlags are what bootstrap is asked for.
type bootstrapFlags struct {
	machineFlags
	check, dryRun, noStart, cloudInit bool

	source, executables, dir string // of --cloud-init
}

// runBootstrap makes this machine the stack's pilot machine, or says what that would take.
func runBootstrap(ctx context.Context, c *command, args []string) error {
	o, err := c.bootstrapFlags(args)
	if err != nil {
		return err
	}
	if o.cloudInit {
		return c.cloudInit(ctx, o)
	}
	if os.Geteuid() != 0 {
		return &api.Error{Exit: api.ExitEnvironment, Message: "bootstrap looks at and changes the whole machine: only root can", Hint: "sudo devstack bootstrap"}
	}
	w, err := c.machine(ctx, o.machineFlags)
	if err != nil {
		return err
	}
	if o.check || o.dryRun {
		return c.look(o, o.cut(pilot.Bootstrap(w, pilot.Observe(ctx, w))))
	}
	var broken error
	plan := func() []pilot.Step {
		if now, err := c.machine(ctx, o.machineFlags); err != nil {
			broken = err
		} else {
			w = now
		}
		return o.cut(pilot.Bootstrap(w, pilot.Observe(ctx, w)))
	}
	out, err := pilot.Execute(ctx, plan, pilot.Commands(c.stderr), c.announce)
	if broken != nil {
		return broken
	}
	return c.concluded(ctx, w, out, err)
}

// bootstrapFlags reads the flags that cmd/devstack's bootstrap documents.
func (c *command) bootstrapFlags(args []string) (o bootstrapFlags, err error) {
	o.bin = installed
	c.flags.StringVar(&o.user, "user", pilot.User, "")
	c.flags.StringVar(&o.infra, "infra", "auto", "")
	c.flags.DurationVar(&o.timeout, "timeout", 5*time.Minute, "")
	c.flags.BoolVar(&o.check, "check", false, "")
	c.flags.BoolVar(&o.dryRun, "dry-run", false, "")
	c.flags.BoolVar(&o.noStart, "no-start", false, "")
	c.flags.BoolVar(&o.cloudInit, "cloud-init", false, "")
	c.flags.StringVar(&o.source, "source", "", "")
	c.flags.StringVar(&o.executables, "executables", "", "")
	c.flags.StringVar(&o.dir, "dir", "", "")
	if err := c.parse(args); err != nil {
		return o, err
	}
	usage := func(message string) error { return &api.Error{Exit: api.ExitUsage, Message: message} }
	switch {
	case o.check && o.dryRun:
		return o, usage("--check and --dry-run are two questions: ask one")
	case !o.cloudInit && (o.source != "" || o.executables != "" || o.dir != ""):
		return o, usage("--source, --executables and --dir are of --cloud-init")
	case o.timeout <= 0:
		return o, usage("--timeout is a time like 90s or 2m, more than nothing")
	case o.cloudInit && o.source == "":
		return o, usage("--cloud-init needs --source: what the new machine fetches the project from")
	}
	return o, knownInfra(o.infra)
}

// cut leaves the start out where it was not asked for.
func (o bootstrapFlags) cut(steps []pilot.Step) []pilot.Step {
	if !o.noStart {
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
func (c *command) look(o bootstrapFlags, steps []pilot.Step) error {
	exit := api.ExitDone
	if o.check && slices.ContainsFunc(steps, pilot.Step.Pending) {
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
	if err := c.showSteps(a, o.dryRun); err != nil {
		return err
	}
	if exit != api.ExitDone {
		return silent{exit}
	}
	return nil
}

func (c *command) showSteps(a bootstrapAnswer, commands bool) error {
	if c.json {
		return c.writeJSON(a)
	}
	for _, s := range a.Steps {
		text := s.Found
		if s.Problem != nil {
			text = s.Problem.Message + " (" + s.Problem.Fix + ")"
		} else if s.Do != "" {
			text += " -> " + s.Do
		}
		fmt.Fprintf(c.stdout, "%-8s %s: %s\n", s.Status, s.Name, text)
		if commands {
			for _, line := range s.Commands {
				fmt.Fprintln(c.stdout, "           "+line)
			}
		}
	}
	return nil
}

// concluded says how a bootstrap ended.
func (c *command) concluded(ctx context.Context, w pilot.Wanted, out pilot.Outcome, err error) error {
	result := c.explain(out, err)
	if err != nil && out.Failed != nil && out.Failed.Name == pilot.StartStep && ctx.Err() == nil {
		result = c.notStarted(ctx, w, errors.Is(err, context.DeadlineExceeded))
	}
	for _, s := range out.Steps {
		if result == nil && s.Problem != nil {
			result = &api.Error{Exit: api.ExitEnvironment, Message: "everything is there but for the start: " + s.Problem.Message, Hint: s.Problem.Fix}
		}
	}
	if c.json {
		exit := api.ExitDone
		if known, ok := result.(*api.Error); ok { //nolint:errorlint // made above
			exit = known.Exit
		}
		if err := c.writeJSON(stepsAnswer(out.Steps, out.Done, exit)); err != nil {
			return err
		}
	}
	if result != nil {
		return result
	}
	if len(out.Done) == 0 {
		fmt.Fprintln(c.stderr, "nothing to do: everything is as it should be")
	} else {
		fmt.Fprintln(c.stderr, "done:", strings.Join(out.Done, ", "))
	}
	if w.User != "root" {
		fmt.Fprintf(c.stderr, "next:  sudo -u %s devstack -C %s ps\n", w.User, quoted(projectDir(w)))
	}
	return nil
}

// notStarted is the unit's own reason, from its journal and its exit code, or what it still waits for.
func (c *command) notStarted(ctx context.Context, w pilot.Wanted, late bool) error {
	if late {
		return &api.Error{
			Exit: api.ExitTimeout, Message: fmt.Sprintf("%s is not ready after %v, and goes on starting: %s", w.Project, w.Timeout, pilot.Status(ctx, w.Unit)),
			Hint: fmt.Sprintf("sudo -u %s devstack -C %s ps", w.User, quoted(projectDir(w))),
		}
	}
	lines, code := pilot.Failure(ctx, w.Unit)
	for _, line := range lines {
		fmt.Fprintln(c.stderr, "│", line)
	}
	exit := api.ExitProcess
	if code > int(api.ExitBug) && code <= int(api.ExitPortTaken) {
		exit = api.Code(code)
	}
	return &api.Error{
		Exit: exit, Message: "everything is installed, and " + w.Project + " does not start",
		Hint: "journalctl -u " + strings.Join(w.Names(), " -u ") + ", then devstack bootstrap again",
	}
}

// cloudInit prints the first boot of a machine that becomes the stack's.
func (c *command) cloudInit(ctx context.Context, o bootstrapFlags) error {
	w, err := c.machine(ctx, o.machineFlags)
	if err != nil {
		return err
	}
	b := pilot.FirstBoot{Project: w.Project, Required: w.Required, Dir: o.dir, Source: o.source, Executables: o.executables}
	if b.Dir == "" {
		b.Dir = "/opt/" + w.Project
	}
	for _, flag := range []struct{ name, value, usual string }{{"infra", o.infra, "auto"}, {"user", o.user, pilot.User}} {
		if flag.value != flag.usual {
			b.Args = append(b.Args, "--"+flag.name, flag.value)
		}
	}
	if o.noStart {
		b.Args = append(b.Args, "--no-start")
	}
	text, err := pilot.CloudInit(b)
	if err != nil {
		return &api.Error{Exit: api.ExitUsage, Message: err.Error()}
	}
	_, err = fmt.Fprint(c.stdout, text)
	return err
}
