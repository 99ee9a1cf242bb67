package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"devstack/daemon/api"
	"devstack/procs/keeper/protocol"
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
	api.Location // whom to ask; as a rule this is own

	own       api.Location // where up starts a keeper
	displaced string       // why a stack that runs here cannot go on, for people; empty: none, or it can
}

// findProject finds ecosystem.yaml in the directory dir or above, as git finds .git, or takes the given file.
func findProject(g *globals, getenv func(string) string) (*project, error) {
	path, err := findFile(g.dir, g.file)
	if err != nil {
		return nil, err
	}
	return locateProject(g, getenv, path)
}

// locateProject is the project of the file at path, which need not be there.
func locateProject(g *globals, getenv func(string) string, path string) (*project, error) {
	profile := g.profile
	if profile == "" {
		profile = getenv("DEVSTACK_PROFILE")
	}
	location, err := api.Locate(filepath.Dir(path), getenv("DEVSTACK_HOME"))
	if err != nil {
		return nil, err
	}
	p := &project{Files: api.Files{File: path, Project: g.project, Profile: profile}, Location: location, own: location}
	p.findKeeper()
	return p, nil
}

// findKeeper looks who runs the stack. Its keeper is found by the directory first, then by its path: the two part when the
// directory is moved, or removed and made again, while its stack runs.
func (p *project) findKeeper() {
	ofPath, ofDirectory := protocol.Find(p.Dir, p.StateDir)
	switch {
	case ofPath == ofDirectory:
	case ofDirectory == nil:
		p.displaced = displacedBy(p, ofPath)
	case ofDirectory.IsAt(ofDirectory.Dir): // a bind mount: one directory with two paths, and the first one counts
		p.Dir, p.File = ofDirectory.Dir, filepath.Join(ofDirectory.Dir, filepath.Base(p.File))
		p.ask(ofDirectory)
		p.own = p.Location
	default:
		p.displaced = displacedBy(p, ofDirectory)
		if ofPath != nil {
			p.displaced += "; " + displacedBy(p, ofPath)
		}
		p.ask(ofDirectory)
	}
}

func (p *project) ask(h *protocol.Holder) {
	p.ID, p.StateDir, p.Socket = h.ID, h.StateDir, h.Socket
}

// findWithoutFile finds a stack that runs although its file, or its directory's content, is gone: it can be looked at and
// ended. Nil if there is none.
func findWithoutFile(g *globals, getenv func(string) string) *project {
	dir, err := filepath.Abs(g.dir)
	if g.file != "" || err != nil {
		return nil
	}
	for ; ; dir = filepath.Dir(dir) {
		p, err := locateProject(g, getenv, filepath.Join(dir, "ecosystem.yaml"))
		if err != nil {
			return nil
		}
		if ofPath, ofDirectory := protocol.Find(p.Dir, p.StateDir); ofPath != nil || ofDirectory != nil {
			return p
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
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
