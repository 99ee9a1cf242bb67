package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"devstack/daemon/api"
)

// globals are the flags of every command.
type globals struct {
	file     string // -f
	dir      string // -C
	project  string // -p
	profile  string // --profile
	progress string // --progress
	noColor  bool   // --no-color
}

// project is the stack that a command is about.
type project struct {
	api.Files
	api.Location
}

// findProject finds ecosystem.yaml in the directory dir or above, as git finds .git, or takes the given file.
func findProject(g *globals, getenv func(string) string) (*project, error) {
	path, err := findFile(g.dir, g.file)
	if err != nil {
		return nil, err
	}
	profile := g.profile
	if profile == "" {
		profile = getenv("DEVSTACK_PROFILE")
	}
	location, err := api.Locate(filepath.Dir(path), getenv("DEVSTACK_HOME"))
	if err != nil {
		return nil, err
	}
	return &project{api.Files{File: path, Project: g.project, Profile: profile}, location}, nil
}

// findFile is the absolute path of the ecosystem file.
func findFile(start, file string) (string, error) {
	start, err := filepath.Abs(start)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(start); err != nil || !info.IsDir() {
		return "", &api.Error{Exit: api.ExitUsage, Message: "cannot use " + start + ": it is not a directory", Hint: "-C DIR names the directory of ecosystem.yaml"}
	}
	if file != "" {
		return givenFile(start, file)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if path, err := fileIn(dir); err != nil || path != "" {
			return path, err
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	hint := "devstack init drafts one; or write an ecosystem.yaml with a list of apps, or name one: devstack -f FILE, devstack -C DIR"
	if _, err := os.Stat(filepath.Join(start, "ecosystem.config.js")); err == nil {
		hint = "ecosystem.config.js is PM2's: devstack import ecosystem.config.js --out ecosystem.yaml"
	}
	return "", &api.Error{Exit: api.ExitFiles, Message: "cannot find ecosystem.yaml in " + start + " or above it", Hint: hint}
}

func givenFile(start, file string) (string, error) {
	if !filepath.IsAbs(file) {
		file = filepath.Join(start, file)
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", &api.Error{Exit: api.ExitFiles, Message: "cannot read " + file + ": there is no such file", Hint: "-f FILE names the ecosystem.yaml to use"}
	case err != nil:
		return "", &api.Error{Exit: api.ExitFiles, Message: "cannot read the file: " + err.Error()}
	case !info.IsDir():
		return file, nil
	}
	path, err := fileIn(file)
	if err == nil && path == "" {
		err = &api.Error{Exit: api.ExitFiles, Message: "cannot find ecosystem.yaml in " + file}
	}
	return path, err
}

// fileIn is the ecosystem file in dir, or empty. Two are an error: one of them would be ignored.
func fileIn(dir string) (string, error) {
	var found []string
	for _, name := range []string{"ecosystem.yaml", "ecosystem.yml"} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			found = append(found, path)
		}
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", &api.Error{
		Exit: api.ExitFiles, Message: "cannot choose: there are both ecosystem.yaml and ecosystem.yml in " + dir,
		Hint: "remove one, or choose with -f FILE",
	}
}
