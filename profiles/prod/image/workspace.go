package image

import (
	"path"
	"slices"
	"strings"

	"devstack/profiles/prod"
)

// Workspace is what the lock file and the manifests say.
type Workspace struct {
	Manager  string    // npm or pnpm
	Version  string    // exact, as in package.json's packageManager; empty with npm: the base image's
	Node     string    // a tag of the official image, without its variant: 24, 22.11.0
	Files    []string  // of the root, that installing needs: package.json, the lock file, .npmrc, pnpm-workspace.yaml, patches
	Tokens   []string  // variables that .npmrc takes a secret from
	Packages []Package // by directory; the root is "."
}

// Package is one package of the workspace.
type Package struct {
	Dir     string   // relative to the workspace, with slashes
	Needs   []string // directories of the workspace packages among its production dependencies
	Scripts bool     // it has scripts that installing runs
	Source  bool     // its manifest leads into its src: that is the program, and stays
}

// named are the packages that a workload works in or names files of; none: it belongs to the root.
func (ws Workspace) named(w prod.Workload) []string {
	var out []string
	for _, word := range append([]string{w.WorkDir}, w.Command...) {
		if dir := ws.holding(inImage(w, word)); dir != "." && !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	slices.Sort(out)
	return out
}

// inImage is a word of a command as a path of the workspace.
func inImage(w prod.Workload, word string) string {
	if !path.IsAbs(word) {
		word = path.Join(w.WorkDir, word)
	}
	return strings.TrimPrefix(path.Clean(word), prod.ImageDir+"/")
}

// holding is the package that a file is in.
func (ws Workspace) holding(file string) string {
	best := "."
	for _, p := range ws.Packages {
		if (file == p.Dir || strings.HasPrefix(file, p.Dir+"/")) && (best == "." || len(p.Dir) > len(best)) {
			best = p.Dir
		}
	}
	return best
}

// closure is the packages and all that they need, sorted.
func (ws Workspace) closure(roots []string) []string {
	out := slices.Clone(roots)
	for i := 0; i < len(out); i++ {
		for _, p := range ws.Packages {
			if p.Dir != out[i] {
				continue
			}
			for _, need := range p.Needs {
				if !slices.Contains(out, need) {
					out = append(out, need)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}
