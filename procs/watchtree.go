package procs

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// watchTree is how the files that an app watches looked the last time.
type watchTree struct {
	rule       *watchRule
	gitignores map[string][]ignorePattern // by directory
	files      map[string]stamp           // those whose change counts
	dirs       map[string]bool            // to be watched for what appears in them
	links      map[string]bool            // files to be watched themselves: symbolic links that are followed
	anchors    map[string]bool            // directories where a root can appear
	watch      func(path string)          // is told each path to be watched, before it is looked at
}

// stamp changes with a file's content.
type stamp struct {
	modified int64
	size     int64
	inode    uint64
}

func stampOf(fi fs.FileInfo) stamp {
	s := stamp{modified: fi.ModTime().UnixNano(), size: fi.Size()}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		s.inode = st.Ino
	}
	return s
}

// newWatchTree takes stock of everything below the roots.
func newWatchTree(rule *watchRule, watch func(path string)) *watchTree {
	t := &watchTree{
		rule: rule, gitignores: map[string][]ignorePattern{}, files: map[string]stamp{},
		dirs: map[string]bool{}, links: map[string]bool{}, anchors: map[string]bool{}, watch: watch,
	}
	t.lookAtAll()
	return t
}

// lookAtAll returns what has changed since the last look.
func (t *watchTree) lookAtAll() []string {
	var changed []string
	for _, root := range t.rule.roots {
		changed = append(changed, t.lookAt(root.path)...)
	}
	return changed
}

// concerns are the paths to look at when something happened to path.
func (t *watchTree) concerns(path string) []string {
	var paths []string
	if t.links[path] || t.dirs[filepath.Dir(path)] {
		paths = append(paths, path)
	}
	for _, root := range t.rule.roots {
		if within(path, root.path) && !slices.Contains(paths, root.path) {
			paths = append(paths, root.path)
		}
	}
	return paths
}

// lookAt looks anew at a path and everything below it, and returns the files that have changed, come or gone.
func (t *watchTree) lookAt(path string) []string {
	before := t.forget(path)
	t.begin(path)
	for _, root := range t.rule.roots { // also those in a directory that is ignored otherwise
		if within(path, root.path) && !t.dirs[root.path] {
			t.anchor(root.path)
			t.begin(root.path)
		}
	}
	var changed []string
	for file, old := range before {
		if now, ok := t.files[file]; !ok || now != old {
			changed = append(changed, file)
		}
	}
	for file := range t.files {
		if _, ok := before[file]; !ok && within(path, file) {
			changed = append(changed, file)
		}
	}
	slices.Sort(changed)
	return changed
}

func (t *watchTree) begin(path string) {
	if real, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		t.visit(path, []string{filepath.Join(real, filepath.Base(path))})
	}
}

// forget takes out what is known at and below path, and returns the files.
func (t *watchTree) forget(path string) map[string]stamp {
	gone := map[string]stamp{}
	if s, ok := t.files[path]; ok {
		gone[path] = s
		delete(t.files, path)
		delete(t.links, path)
	}
	if !t.dirs[path] {
		return gone
	}
	for file, s := range t.files {
		if within(path, file) {
			gone[file] = s
			delete(t.files, file)
			delete(t.links, file)
		}
	}
	for dir := range t.dirs {
		if within(path, dir) {
			delete(t.dirs, dir)
			delete(t.gitignores, dir)
		}
	}
	return gone
}

// anchor watches the nearest directory above a root, because the root itself may be removed and come again.
func (t *watchTree) anchor(root string) {
	above := ancestors(root)
	for _, dir := range slices.Backward(above) {
		if fi, err := os.Stat(dir); err == nil && fi.IsDir() {
			t.anchors[dir] = true
			t.watch(dir)
			break
		}
	}
	for _, dir := range slices.Backward(above) { // up to the top of the repository
		t.readGitignore(dir)
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			break
		}
	}
}

func (t *watchTree) readGitignore(dir string) {
	if data, err := os.ReadFile(filepath.Join(dir, ".gitignore")); err == nil {
		t.gitignores[dir] = parseGitignore(string(data))
	} else {
		delete(t.gitignores, dir)
	}
}

// visit takes stock of path; chain is where it and the directories above it really are, the last one its own.
func (t *watchTree) visit(path string, chain []string) {
	fi, err := os.Lstat(path)
	if err != nil {
		return
	}
	link := fi.Mode()&fs.ModeSymlink != 0 && t.rule.options.FollowSymlinks
	if link {
		real, err := filepath.EvalSymlinks(path)
		if err != nil || slices.Contains(chain[:len(chain)-1], real) {
			return // it leads nowhere, or in a circle
		}
		if fi, err = os.Stat(path); err != nil {
			return
		}
		chain = append(slices.Clone(chain[:len(chain)-1]), real)
	}
	isRoot := slices.ContainsFunc(t.rule.roots, func(r watchRoot) bool { return r.path == path })
	if !isRoot && t.rule.ignored(path, fi.IsDir(), t.gitignores) {
		return
	}
	if fi.IsDir() {
		t.visitDir(path, chain)
		return
	}
	if !t.rule.matches(path) {
		return
	}
	if link {
		t.links[path] = true
		t.watch(path)
	}
	t.files[path] = stampOf(fi)
}

func (t *watchTree) visitDir(dir string, chain []string) {
	t.dirs[dir] = true
	t.watch(dir)
	t.readGitignore(dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // it has just gone, or may not be read
	}
	for _, e := range entries {
		t.visit(filepath.Join(dir, e.Name()), append(slices.Clone(chain), filepath.Join(chain[len(chain)-1], e.Name())))
	}
}

// watched are all paths that the tree needs to hear about.
func (t *watchTree) watched(path string) bool {
	return t.dirs[path] || t.links[path] || t.anchors[path]
}

// isGitignore says whether a path decides what is ignored.
func isGitignore(path string) bool { return strings.HasSuffix(path, "/.gitignore") }
