package procs

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"devstack/stack"
)

// watchRule is what an app's watch keys mean. It looks at paths alone, never at files.
type watchRule struct {
	options stack.Watch
	roots   []watchRoot
	ignore  []ignorePattern  // ignore_watch, relative to base
	base    string           // the app's cwd
	logs    []*regexp.Regexp // its log files, and those that they are rotated to
}

// watchRoot is one element of watch: a directory or a file, and which paths below it count.
type watchRoot struct {
	path    string
	pattern *regexp.Regexp // of the path relative to it; nil: everything
}

// watchRuleOf is nil for an app that does not watch.
func watchRuleOf(app stack.App) *watchRule {
	if !app.Watch.On {
		return nil
	}
	r := &watchRule{options: app.Watch, base: app.Cwd}
	for _, glob := range app.Watch.Paths {
		r.roots = append(r.roots, rootOf(app.Cwd, glob))
	}
	if len(r.roots) == 0 {
		r.roots = []watchRoot{{path: app.Cwd}}
	}
	for _, glob := range app.Watch.Ignore {
		if p, ok := parseIgnore(relativeTo(app.Cwd, glob)); ok {
			r.ignore = append(r.ignore, p)
		}
	}
	for _, log := range []string{app.OutFile, app.ErrorFile, app.LogFile} {
		if log != "" {
			log = strings.ToValidUTF8(log, "\uFFFD")
			ext := filepath.Ext(log)
			r.logs = append(r.logs, regexp.MustCompile("^"+regexp.QuoteMeta(strings.TrimSuffix(log, ext))+"[^/]*"+regexp.QuoteMeta(ext)+"$"))
		}
	}
	return r
}

// rootOf splits a glob into the part without wildcards, which is watched, and the rest, which chooses.
func rootOf(cwd, glob string) watchRoot {
	root, pattern := stack.GlobRoot(cwd, glob)
	return watchRoot{path: root, pattern: pattern}
}

// matches says whether a change of this file counts, unless it is ignored.
func (r *watchRule) matches(path string) bool {
	return slices.ContainsFunc(r.roots, func(root watchRoot) bool {
		return within(root.path, path) && (root.pattern == nil || root.pattern.MatchString(relativeTo(root.path, path)))
	})
}

// ignored says whether a path below a root is left out; its parent is not. gitignores are the patterns of the
// directories above it that have a .gitignore. What watch itself names is never asked for.
func (r *watchRule) ignored(path string, isDir bool, gitignores map[string][]ignorePattern) bool {
	switch filepath.Base(path) {
	case ".git", "node_modules", ".devstack":
		return true
	}
	if path == r.options.LogDir {
		return true
	}
	if !isDir && slices.ContainsFunc(r.logs, func(log *regexp.Regexp) bool { return log.MatchString(path) }) {
		return true
	}
	if within(r.base, path) && lastMatch(false, r.ignore, relativeTo(r.base, path), isDir) {
		return true
	}
	ignored := false
	for _, dir := range ancestors(path) {
		if patterns := gitignores[dir]; len(patterns) > 0 {
			ignored = lastMatch(ignored, patterns, relativeTo(dir, path), isDir)
		}
	}
	return ignored
}

// ignorePattern is one line of a .gitignore, or one glob of ignore_watch, which means the same.
type ignorePattern struct {
	match   *regexp.Regexp // of the path relative to the file's directory
	negated bool
	dirOnly bool
}

// parseIgnore reads a line by git's rules; braces group alternatives as well.
func parseIgnore(line string) (p ignorePattern, ok bool) {
	line = strings.TrimRight(line, " \t\r")
	if line == "" || strings.HasPrefix(line, "#") {
		return p, false
	}
	line, p.negated = strings.CutPrefix(line, "!")
	line = strings.TrimPrefix(strings.TrimPrefix(line, `\`), "./")
	line, p.dirOnly = strings.CutSuffix(line, "/")
	prefix := "(?:.*/)?"
	if strings.Contains(line, "/") {
		line, prefix = strings.TrimPrefix(line, "/"), ""
	}
	p.match = stack.CompileGlob(prefix, line, "")
	return p, line != ""
}

// parseGitignore reads a whole file.
func parseGitignore(content string) []ignorePattern {
	var patterns []ignorePattern
	for line := range strings.Lines(content) {
		if p, ok := parseIgnore(strings.TrimRight(line, "\n")); ok {
			patterns = append(patterns, p)
		}
	}
	return patterns
}

// lastMatch lets the last pattern that matches decide.
func lastMatch(ignored bool, patterns []ignorePattern, rel string, isDir bool) bool {
	for _, p := range patterns {
		if (isDir || !p.dirOnly) && p.match.MatchString(rel) {
			ignored = !p.negated
		}
	}
	return ignored
}

// within says whether path is dir or below it.
func within(dir, path string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}

// relativeTo is path without dir before it; a path elsewhere stays as it is.
func relativeTo(dir, path string) string {
	if rest, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, "/")+"/"); ok {
		return rest
	}
	return path
}

// ancestors are the directories above path, the highest first.
func ancestors(path string) []string {
	var dirs []string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		dirs = append(dirs, dir)
		if dir == filepath.Dir(dir) {
			break
		}
	}
	slices.Reverse(dirs)
	return dirs
}
