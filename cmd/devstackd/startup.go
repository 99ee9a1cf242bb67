package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"devstack/daemon/api"
	"devstack/profiles/pilot"
)

// runStartup has systemd start the stack at boot. It starts nothing now.
func runStartup(ctx context.Context, c *command, args []string) error {
	var o machineFlags
	c.flags.StringVar(&o.user, "user", "", "")
	c.flags.StringVar(&o.infra, "infra", "auto", "")
	dryRun := c.flags.Bool("dry-run", false, "")
	if err := c.parse(args); err != nil {
		return err
	}
	if err := knownInfra(o.infra); err != nil {
		return err
	}
	if o.user == "" {
		var err error
		if o.user, err = c.startupUser(ctx); err != nil {
			return err
		}
	}
	w, err := c.machine(ctx, o)
	if err != nil {
		return err
	}
	if *dryRun {
		return c.printUnits(w)
	}
	if os.Geteuid() != 0 {
		return c.askForRoot(w.Devstack, "startup", "--user", o.user, "--infra", o.infra)
	}
	plan := func() []pilot.Step { return pilot.Startup(w, pilot.Observe(ctx, w)) }
	out, err := pilot.Execute(ctx, plan, pilot.Commands(c.stderr), c.announce)
	if err := c.explain(out, err); err != nil {
		return err
	}
	if len(w.Missing) > 0 {
		fmt.Fprintf(c.stderr, "note: nothing sets %s at boot: write the values into %s\n", strings.Join(w.Missing, ", "), pilot.EnvFile(w.Project))
	}
	if len(out.Done) == 0 {
		fmt.Fprintf(c.stderr, "nothing to do: systemd starts %s at boot\n", w.Project)
		return nil
	}
	fmt.Fprintf(c.stderr, "systemd starts %s at boot, as %s, from what devstack save has saved\n", w.Project, w.User)
	fmt.Fprintf(c.stderr, "next:  systemctl start %s\n", w.Project)
	return nil
}

// runUnstartup takes the stack out of the boot. What runs goes on.
func runUnstartup(ctx context.Context, c *command, args []string) error {
	if err := c.parse(args); err != nil {
		return err
	}
	w, err := c.machine(ctx, machineFlags{user: pilot.User, infra: pilot.Docker})
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return c.askForRoot(w.Devstack, "unstartup")
	}
	plan := func() []pilot.Step { return pilot.Unstartup(w.Unit, pilot.Observe(ctx, w)) }
	out, err := pilot.Execute(ctx, plan, pilot.Commands(c.stderr), c.announce)
	if err := c.explain(out, err); err != nil {
		return err
	}
	if len(out.Done) == 0 {
		fmt.Fprintf(c.stderr, "nothing to do: %s has no units\n", w.Project)
	}
	return nil
}

// startupUser is who the unit names already, who asks, who called sudo, or who owns the project: root only if nobody else
// comes into question.
func (c *command) startupUser(ctx context.Context) (string, error) {
	w, err := c.machine(ctx, machineFlags{user: pilot.User, infra: "auto"})
	if err != nil {
		return "", err
	}
	for _, text := range pilot.Observe(ctx, w).Files {
		for line := range strings.Lines(text) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), "User="); ok {
				return name, nil
			}
		}
	}
	if name := os.Getenv("SUDO_USER"); os.Geteuid() == 0 && name != "" && name != "root" {
		return name, nil
	}
	if me, err := user.Current(); err == nil && me.Uid != "0" {
		return me.Username, nil
	}
	if _, err := user.Lookup(pilot.User); err == nil && w.Owner == "root" {
		return pilot.User, nil
	}
	return w.Owner, nil
}

func (c *command) printUnits(w pilot.Wanted) error {
	files, err := pilot.Units(w.Unit)
	if err != nil {
		return err
	}
	for i, f := range files {
		if i > 0 {
			fmt.Fprintln(c.stdout)
		}
		if _, err := fmt.Fprintf(c.stdout, "# %s\n%s", f.Path, f.Text); err != nil {
			return err
		}
	}
	return nil
}

// askForRoot prints, as PM2 does, the command line to be copied.
func (c *command) askForRoot(devstack string, args ...string) error {
	words := []string{"sudo", "env", "PATH=" + os.Getenv("PATH"), devstack, "-f", c.file}
	if c.name != "" {
		words = append(words, "-p", c.name)
	}
	for i, w := range append(words, args...) {
		if i > 0 {
			fmt.Fprint(c.stdout, " ")
		}
		fmt.Fprint(c.stdout, quoted(w))
	}
	fmt.Fprintln(c.stdout)
	return &api.Error{Exit: api.ExitEnvironment, Message: "systemd's units are root's to write, and nothing was done", Hint: "copy and run the line above"}
}

// quoted is a word as a shell reads it.
func quoted(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:=@%+,", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func knownInfra(name string) error {
	if name != "auto" && name != pilot.Docker && name != pilot.Native {
		return &api.Error{Exit: api.ExitUsage, Message: fmt.Sprintf("--infra is auto, docker or native, not %q", name)}
	}
	return nil
}

// announce says what is done next.
func (c *command) announce(s pilot.Step) { fmt.Fprintf(c.stderr, "%s: %s\n", s.Name, s.Do) }

// explain is how a plan ended: what was done, and what was in the way.
func (c *command) explain(out pilot.Outcome, err error) error {
	if errors.Is(err, context.Canceled) {
		return &api.Error{Exit: api.ExitInterrupted, Message: "interrupted: what was done stays", Hint: "run the same again: it goes on from there"}
	}
	if err != nil {
		done := "nothing"
		if len(out.Done) > 0 {
			done = strings.Join(out.Done, ", ")
		}
		return &api.Error{
			Exit: api.ExitEnvironment, Message: fmt.Sprintf("%v; done before: %s", err, done),
			Hint: "repair it and run the same again: it goes on from there",
		}
	}
	for i, p := range out.Blocked {
		if i < len(out.Blocked)-1 {
			fmt.Fprintln(c.stderr, "error:", p.Message)
			fmt.Fprintln(c.stderr, "next: ", p.Fix)
			continue
		}
		return &api.Error{Exit: codeOfProblems(out.Blocked), Message: p.Message, Hint: p.Fix}
	}
	return nil
}

func codeOfProblems(problems []pilot.Problem) api.Code {
	var codes []api.Code
	for _, p := range problems {
		code := api.ExitEnvironment
		if p.Engine {
			code = api.ExitEngine
		}
		codes = append(codes, code)
	}
	return api.First(codes...)
}

// projectDir is where bootstrap's hints say to go.
func projectDir(w pilot.Wanted) string { return filepath.Dir(w.File) }
