package preflight

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"devstack/daemon/api"
	"devstack/stack"
)

// scanLimit is how many files are looked at for one package; a larger one is not judged.
const scanLimit = 2000

// Stale warns of scripts whose package has sources that are newer than everything that was built from them. Only scripts
// in a directory that builds are written to are looked at.
func Stale(s Subject) api.Check {
	c := api.Check{Name: "build", Status: OK, Detail: "no sources are newer than what was built from them"}
	var stale, seen []string
	for _, app := range s.Apps {
		root, output := builtIn(s.Stack.Dir, app.Script)
		if root == "" || slices.Contains(seen, output) {
			continue
		}
		seen = append(seen, output)
		if source := newerSource(root, output); source != "" {
			stale = append(stale, fmt.Sprintf("%s is older than %s", s.Stack.Rel(output), s.Stack.Rel(source)))
		}
	}
	if len(stale) > 0 {
		c.Status, c.Detail, c.Fix = Warning, strings.Join(stale, ", "), "build it"
		if b := s.Stack.Build; b != nil {
			c.Fix = "devstack up --build, which runs: " + strings.Join(stack.MaskArgs(b.Command), " ")
		}
	}
	return c
}

// builtIn is the package of a script and the directory that its build writes to, which is one of the usual names; empty
// where there is none below dir.
func builtIn(dir, script string) (root, output string) {
	rel, err := filepath.Rel(dir, script)
	if script == "" || err != nil || !filepath.IsLocal(rel) {
		return "", ""
	}
	parts := strings.Split(filepath.ToSlash(filepath.Dir(rel)), "/")
	for i := len(parts) - 1; i >= 0; i-- {
		if slices.Contains([]string{"dist", "build", "out"}, parts[i]) {
			root = filepath.Join(dir, filepath.Join(parts[:i]...))
			return root, filepath.Join(root, parts[i])
		}
	}
	return "", ""
}

// newerSource is a source of the package that was changed after its newest built file; empty where there is none, nothing
// was built, or there is too much to look at.
func newerSource(root, output string) string {
	left := scanLimit
	_, built, all := newest(output, nil, &left)
	if built.IsZero() || !all {
		return ""
	}
	sources := func(name string) bool {
		ext := filepath.Ext(name)
		return slices.Contains([]string{".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"}, ext)
	}
	source, changed, all := newest(filepath.Join(root, "src"), sources, &left)
	if !all || !changed.After(built) {
		return ""
	}
	return source
}

// newest is the file below dir that was changed last, of those that are wanted; all is false if there are more than left.
func newest(dir string, wanted func(name string) bool, left *int) (path string, changed time.Time, all bool) {
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // what cannot be read is not judged
		}
		if d.IsDir() {
			if d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		}
		if *left--; *left < 0 {
			return fs.SkipAll
		}
		if wanted != nil && !wanted(d.Name()) {
			return nil
		}
		if info, err := d.Info(); err == nil && info.ModTime().After(changed) {
			path, changed = name, info.ModTime()
		}
		return nil
	})
	return path, changed, *left >= 0
}
