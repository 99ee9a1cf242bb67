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

// startup has systemd start the stack at boot. It starts nothing now.
func (m *machine) startup(ctx context.Context, r api.StartupRequest) error {
	o := machineOptions{user: r.User, infra: r.Infra}
	if o.user == "" {
		var err error
		if o.user, err = m.startupUser(ctx); err != nil {
			return err
		}
	}
	w, err := m.wanted(ctx, o)
	if err != nil {
		return err
	}
	if r.DryRun {
		return m.printUnits(w)
	}
	if os.Geteuid() != 0 {
		return m.askForRoot(w.Devstack, "startup", "--user", o.user, "--infra", o.infra)
	}
	plan := func() []pilot.Step { return pilot.Startup(w, pilot.Observe(ctx, w)) }
	out, err := pilot.Execute(ctx, plan, pilot.Commands(os.Stderr), m.announce)
	if err := m.explain(out, err); err != nil {
		return err
	}
	if len(w.Missing) > 0 {
		fmt.Fprintf(m.err, "note: nothing sets %s at boot: write the values into %s\n", strings.Join(w.Missing, ", "), pilot.EnvFile(w.Project))
	}
	if len(out.Done) == 0 {
		fmt.Fprintf(m.err, "nothing to do: systemd starts %s at boot\n", w.Project)
		return nil
	}
	fmt.Fprintf(m.err, "systemd starts %s at boot, as %s, from what devstack save has saved\n", w.Project, w.User)
	fmt.Fprintf(m.err, "next:  systemctl start %s\n", w.Project)
	return nil
}

// unstartup takes the stack out of the boot. What runs goes on.
func (m *machine) unstartup(ctx context.Context, _ api.UnstartupRequest) error {
	w, err := m.wanted(ctx, machineOptions{user: pilot.User, infra: pilot.Docker})
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return m.askForRoot(w.Devstack, "unstartup")
	}
	plan := func() []pilot.Step { return pilot.Unstartup(w.Unit, pilot.Observe(ctx, w)) }
	out, err := pilot.Execute(ctx, plan, pilot.Commands(os.Stderr), m.announce)
	if err := m.explain(out, err); err != nil {
		return err
	}
	if len(out.Done) == 0 {
		fmt.Fprintf(m.err, "nothing to do: %s has no units\n", w.Project)
	}
	return nil
}

// startupUser is who the unit names already, who asks, who called sudo, or who owns the project: root only if nobody else
// comes into question.
func (m *machine) startupUser(ctx context.Context) (string, error) {
	w, err := m.wanted(ctx, machineOptions{user: pilot.User, infra: "auto"})
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

func (m *machine) printUnits(w pilot.Wanted) error {
	files, err := pilot.Units(w.Unit)
	if err != nil {
		return err
	}
	for i, f := range files {
		if i > 0 {
			fmt.Fprintln(&m.out)
		}
		if _, err := fmt.Fprintf(&m.out, "# %s\n%s", f.Path, f.Text); err != nil {
			return err
		}
	}
	return nil
}

// askForRoot prints, as PM2 does, the command line to be copied.
func (m *machine) askForRoot(devstack string, args ...string) error {
	words := []string{"sudo", "env", "PATH=" + os.Getenv("PATH"), devstack, "-f", m.files.File}
	if m.files.Project != "" {
		words = append(words, "-p", m.files.Project)
	}
	for i, w := range append(words, args...) {
		if i > 0 {
			fmt.Fprint(&m.out, " ")
		}
		fmt.Fprint(&m.out, quoted(w))
	}
	fmt.Fprintln(&m.out)
	return &api.Error{Exit: api.ExitEnvironment, Message: "cannot write systemd's units: only root can; nothing was changed", Hint: "copy and run the line above"}
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

// announce says what is done next.
func (m *machine) announce(s pilot.Step) { fmt.Fprintf(m.err, "%s: %s\n", s.Name, s.Do) }

// explain is how a plan ended: what was done, and what was in the way.
func (m *machine) explain(out pilot.Outcome, err error) error {
	if errors.Is(err, context.Canceled) {
		return &api.Error{Exit: api.ExitInterrupted, Message: "interrupted: what was done stays", Hint: "run the same command again: it goes on from there"}
	}
	if err != nil {
		done := "nothing"
		if len(out.Done) > 0 {
			done = strings.Join(out.Done, ", ")
		}
		return &api.Error{
			Exit: api.ExitEnvironment, Message: fmt.Sprintf("cannot finish: %v; done before it: %s", err, done),
			Hint: "repair it and run the same command again: it goes on from there",
		}
	}
	for i, p := range out.Blocked {
		if i < len(out.Blocked)-1 {
			fmt.Fprintf(m.err, "problem: %s (%s)\n", p.Message, p.Fix)
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
