package preflight

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"devstack/daemon/api"
	"devstack/stack"
)

// MissingScripts are the scripts that do not exist, in file order.
func MissingScripts(apps []stack.App) []string {
	missing := []string{}
	for _, app := range apps {
		if app.Script == "" || slices.Contains(missing, app.Script) {
			continue
		}
		if info, err := os.Stat(app.Script); err != nil || info.IsDir() {
			missing = append(missing, app.Script)
		}
	}
	return missing
}

// UnmadeScripts are the missing scripts of apps that none of the apps that run before makes: those that it depends on may.
func UnmadeScripts(st *stack.Stack, apps []stack.App) []string {
	return slices.DeleteFunc(MissingScripts(apps), func(script string) bool {
		return len(makers(st, apps, owner(apps, script))) > 0
	})
}

// owner is the first app that runs a script.
func owner(apps []stack.App, script string) stack.App {
	return apps[slices.IndexFunc(apps, func(a stack.App) bool { return a.Script == script })]
}

// makers are the apps that may make an app's script: those of apps, which are to run, that it needs to run before.
func makers(st *stack.Stack, apps []stack.App, of stack.App) (names []string) {
	needed, err := st.Closure(of.Name)
	if err != nil {
		return nil
	}
	for _, app := range apps {
		if app.Name != of.Name && slices.Contains(needed, app.Name) {
			names = append(names, app.Name)
		}
	}
	return names
}

// Artifacts names every script that does not exist. One that a dependency of its app may make is no obstacle.
func Artifacts(s Subject) api.Check {
	c := api.Check{Name: Scripts, Status: OK, Detail: "all there"}
	unmade := UnmadeScripts(s.Stack, s.Apps)
	var missing, later []string
	for _, script := range MissingScripts(s.Apps) {
		app := owner(s.Apps, script)
		words := s.Stack.Rel(script) + " of " + app.Name
		if slices.Contains(unmade, script) {
			missing = append(missing, words)
		} else {
			later = append(later, fmt.Sprintf("%s, which %s may make", words, strings.Join(makers(s.Stack, s.Apps, app), " or ")))
		}
	}
	switch {
	case len(missing) == 0 && len(later) > 0:
		c.Status, c.Detail = Warning, "not there yet: "+strings.Join(later, "; ")
		return c
	case len(missing) == 0:
		return c
	}
	c.Status, c.Exit, c.Detail = Failed, api.ExitEnvironment, "missing: "+strings.Join(missing, ", ")
	c.Fix = "build them, or correct `script` (it is relative to `cwd`)"
	switch b := s.Stack.Build; {
	case b != nil && b.IfMissing:
		c.Status, c.Exit, c.Fix = Warning, api.ExitDone, "devstack up builds them"
	case b != nil:
		c.Fix = "run devstack up --build, which runs: " + strings.Join(stack.MaskArgs(b.Command), " ")
	default:
		if dir := buildable(s.Stack, unmade[0]); dir != "" {
			command := "npm run build"
			if dir != s.Stack.Dir {
				command = "npm --prefix " + s.Stack.Rel(dir) + " run build"
			}
			c.Fix = fmt.Sprintf("%s has a build script: let devstack up run it with `build: {command: %s, if_missing: true}` in %s, or correct `script`",
				s.Stack.Rel(filepath.Join(dir, "package.json")), command, filepath.Base(s.Stack.File))
		}
	}
	return c
}

// buildable is the directory of the package that a script belongs to, if that has a build script; empty: it has none.
func buildable(st *stack.Stack, script string) string {
	for dir := filepath.Dir(script); dir == st.Dir || strings.HasPrefix(dir, st.Dir+"/"); dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, "package.json"))
		if err != nil {
			continue
		}
		var manifest struct{ Scripts map[string]string }
		if json.Unmarshal(data, &manifest) == nil && manifest.Scripts["build"] != "" {
			return dir
		}
		return ""
	}
	return ""
}
