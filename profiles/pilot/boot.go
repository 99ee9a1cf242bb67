package pilot

import (
	"fmt"
	"path/filepath"
	"strings"
)

// units are written where they differ, enabled, and an infra unit that is no longer needed is removed.
func units(w Wanted, f Facts) Step {
	s := Step{Name: "units", Found: strings.Join(w.Names(), ", ")}
	files, err := Units(w.Unit)
	if err != nil {
		s.Problem = &Problem{Message: err.Error(), Fix: "give the directory another name"}
		return s
	}
	var changed, disabled []string
	reload, running := false, false
	for _, file := range files {
		name := filepath.Base(file.Path)
		if f.Files[file.Path] != file.Text {
			changed = append(changed, name)
			s.Actions = append(s.Actions, Action{Write: &file})
			running = running || f.Units[name].Active == "active"
		}
		reload = reload || f.Units[name].Reload
		if !f.Units[name].Enabled {
			disabled = append(disabled, name)
		}
	}
	var do []string
	if len(changed) > 0 {
		do = append(do, "write "+strings.Join(changed, ", "))
	}
	if _, ok := f.Files[filepath.Join(unitDir, w.infraName())]; ok && w.Driver != Docker {
		do = append(do, "remove "+w.infraName())
		s.Actions = append(s.Actions, run("systemctl", "disable", "--now", w.infraName()), Action{Remove: filepath.Join(unitDir, w.infraName())})
		reload = true
	}
	if len(changed) > 0 || reload {
		do = append(do, "have systemd read its files")
		s.Actions = append(s.Actions, run("systemctl", "daemon-reload"))
	}
	if len(disabled) > 0 {
		do = append(do, "start at boot: "+strings.Join(disabled, ", "))
		s.Actions = append(s.Actions, run(append([]string{"systemctl", "enable", "--quiet"}, disabled...)...))
	}
	if running {
		do = append(do, "(what runs takes it up with systemctl restart "+w.Project+")")
	}
	s.Do = strings.Join(do, ", ")
	return s
}

// start waits until the stack is ready: the unit says so itself.
func start(w Wanted, f Facts) Step {
	s := Step{Name: StartStep, Found: w.Project + " runs"}
	if len(w.Missing) > 0 {
		s.Problem = &Problem{
			Message: "nothing sets " + strings.Join(w.Missing, ", "),
			Fix:     fmt.Sprintf("write the values into %s, then run devstack bootstrap again", EnvFile(w.Project)),
		}
	}
	var stopped []string
	for _, name := range w.Names() {
		if f.Units[name].Active != "active" {
			stopped = append(stopped, name)
		}
	}
	if len(stopped) == 0 {
		return s
	}
	s.Found = "does not run"
	if s.Problem == nil {
		s.Do = "start " + strings.Join(stopped, ", ") + " and wait until the stack is ready"
		for _, name := range stopped {
			if f.Units[name].Active == "failed" {
				s.Actions = append(s.Actions, run("systemctl", "reset-failed", name))
			}
		}
		s.Actions = append(s.Actions, Action{Run: append([]string{"systemctl", "start"}, stopped...), Limit: w.Timeout})
	}
	return s
}
