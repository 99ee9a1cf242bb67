package preflight

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"devstack/daemon/api"
	"devstack/procs/node"
	"devstack/stack"
)

// oldestNode is the first major version of Node.js that is not warned of.
const oldestNode = 18

// Programs names every interpreter and command that is not on its app's PATH.
func Programs(s Subject) api.Check {
	c := api.Check{Name: "programs", Status: OK}
	var found, missing, told []string
	for _, app := range s.Apps {
		name := program(app)
		if name == "" {
			continue
		}
		switch _, err := find(name, app); {
		case err == nil && !slices.Contains(found, name):
			found = append(found, name)
		case err != nil && !slices.Contains(told, name): // once, however many apps want it
			told = append(told, name)
			problem, fix := whyNot(name, err)
			missing = append(missing, fmt.Sprintf("%s of %s: %s", name, app.Name, problem))
			c.Fix = fix
		}
	}
	c.Detail = strings.Join(found, ", ")
	if len(missing) > 0 {
		c.Status, c.Exit, c.Detail = Failed, api.ExitEnvironment, strings.Join(missing, ", ")
	}
	return c
}

// whyNot says why a program cannot be run, and what to do about it.
func whyNot(name string, err error) (problem, fix string) {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "not executable", "chmod +x it, or name the program that runs it first"
	case strings.Contains(name, "/"):
		return "not found", "correct the path in ecosystem.yaml; it is relative to the app's cwd"
	case node.IsNode(name):
		return "not found", fmt.Sprintf("install Node.js %d or newer, or add its directory to PATH", oldestNode)
	}
	return "not found", "install it, or add its directory to PATH"
}

// NodeVersion asks each Node.js of the stack for its version.
func NodeVersion(ctx context.Context, s Subject) api.Check {
	c := api.Check{Name: "Node.js", Status: OK, Detail: "not used"}
	var asked, versions []string
	for _, app := range s.Apps {
		name := program(app)
		if !node.IsNode(name) {
			continue
		}
		path, err := find(name, app)
		if err != nil || slices.Contains(asked, path) {
			continue
		}
		asked = append(asked, path)
		version, err := askVersion(ctx, path)
		if err != nil {
			c.Status, c.Detail, c.Fix = Failed, fmt.Sprintf("%s does not run: %v", path, err), "reinstall Node.js"
			c.Exit = api.ExitEnvironment
			return c
		}
		versions = append(versions, version)
		major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
		if n, err := strconv.Atoi(major); err == nil && n < oldestNode {
			c.Status, c.Fix = Warning, fmt.Sprintf("install Node.js %d or newer", oldestNode)
		}
	}
	if len(versions) > 0 {
		c.Detail = strings.Join(versions, ", ")
	}
	return c
}

func askVersion(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	return strings.TrimSpace(string(out)), err
}

// program is what an app's launch executes: its command, its interpreter or the script itself.
func program(app stack.App) string {
	switch {
	case len(app.Command) > 0:
		return app.Command[0]
	case app.Interpreter == "" || app.Interpreter == "none":
		return "" // the script itself, which Artifacts looks for
	}
	return app.Interpreter
}

// find is the executable file that name means for app: looked up in the app's own PATH, a path relative to its cwd.
func find(name string, app stack.App) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(app.Cwd, name)
		}
		return name, executable(name)
	}
	path := ""
	for _, v := range app.Environment {
		if v.Key == "PATH" {
			path = v.Value
		}
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(app.Cwd, dir)
		}
		if file := filepath.Join(dir, name); executable(file) == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}

func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir() || info.Mode()&0o111 == 0:
		return fs.ErrPermission
	}
	return nil
}
