package stack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// fileNames are the names that Find looks for, in this order.
var fileNames = [...]string{"ecosystem.yaml", "ecosystem.yml"}

// Find is the absolute path of the ecosystem file. With file set (-f) it is that file, relative to start; a directory
// means the one inside it. Otherwise it is the nearest in start and the directories above it, as git finds .git.
// Nothing found is an *Error.
func Find(start, file string) (string, error) {
	start, err := filepath.Abs(start)
	if err != nil {
		return "", err
	}
	if file != "" {
		return findGiven(start, file)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		path, err := in(dir)
		if err != nil || path != "" {
			return path, err
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	e := &Error{File: start, Message: "there is no ecosystem.yaml here or in a directory above"}
	e.Hint = "write one: a list `apps` with name and script each, and `compose: compose.yaml` for containers; " +
		"or name the file with -f FILE, its directory with -C DIR"
	if _, err := os.Stat(filepath.Join(start, "ecosystem.config.js")); err == nil {
		e.Hint = "ecosystem.config.js is PM2's: devstack import ecosystem.config.js --out ecosystem.yaml"
	}
	return "", e
}

func findGiven(start, file string) (string, error) {
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(start, path)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", &Error{File: path, Message: "this file does not exist", Hint: "-f names the ecosystem.yaml to use"}
	case err != nil:
		return "", &Error{File: path, Message: "cannot read: " + err.Error()}
	case !info.IsDir():
		return path, nil
	}
	found, err := in(path)
	if err == nil && found == "" {
		err = &Error{File: path, Message: "there is no ecosystem.yaml in this directory"}
	}
	return found, err
}

// in is the path of the one ecosystem file in dir, or empty. Both names at once are an error: one would be ignored.
func in(dir string) (string, error) {
	var found []string
	for _, name := range fileNames {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
			found = append(found, filepath.Join(dir, name))
		}
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", &Error{File: dir, Message: "ecosystem.yaml and ecosystem.yml both exist", Hint: "remove one, or choose with -f FILE"}
}
