package procs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"devstack/stack"
	"devstack/view"
)

// put writes files; one whose name ends in a slash is a directory.
func put(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		folder := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			folder = path
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if folder == path {
			continue
		}
		old, _ := os.ReadFile(path)
		if err := os.WriteFile(path, append(old, '.'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func watchApp(dir string, paths ...string) stack.App {
	app := testApp("api")
	app.Cwd = dir
	app.Watch = stack.Watch{
		On: true, Paths: paths, FollowSymlinks: true, Interval: 100 * time.Millisecond, Delay: 300 * time.Millisecond,
		LogDir: filepath.Join(dir, "logs"),
	}
	return app
}

// seen is a watcher of real files, and what it reports.
type seen struct {
	t      *testing.T
	w      *watcher
	causes chan string
}

func watchFiles(t *testing.T, apps ...stack.App) *seen {
	t.Helper()
	s := &seen{t: t, causes: make(chan string, 100)}
	s.w = newWatcher(func(_, cause string) { s.causes <- cause }, func(_, message string) { t.Error(message) })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.w.run(t.Context())
	}()
	t.Cleanup(func() { <-ended }) // the context of a test ends before this
	s.w.set(t.Context(), apps)
	return s
}

func (s *seen) want(cause string) {
	s.t.Helper()
	select {
	case got := <-s.causes:
		if got != cause {
			s.t.Errorf("got %q, want %q", got, cause)
		}
	case <-time.After(30 * time.Second):
		s.t.Fatalf("nobody says %q", cause)
	}
}

func TestWatchSeesWhatCounts(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "server.js", "src/a.js", ".git/HEAD", "node_modules/x/i.js", "logs/out.log", "dist/old.js")
	if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("dist/\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	app := watchApp(dir)
	app.Watch.Ignore = []string{"*.txt", "*.tmp"}
	s := watchFiles(t, app)
	// Each step first changes what does not count: had it counted, it would be named.
	for _, name := range []string{".git/HEAD", "node_modules/x/i.js", "logs/out.log", "dist/old.js", "dist/new.js", "a.txt", "src/b.txt"} {
		put(t, dir, name)
	}
	if err := os.Chmod(filepath.Join(dir, "server.js"), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "src/a.js")
	s.want("watch: src/a.js changed")
	put(t, dir, "new/deep/c.js", "new/deep/d.txt")
	s.want("watch: new/deep/c.js changed")
	put(t, dir, "new/deep/c.js") // in a directory that did not exist at first
	s.want("watch: new/deep/c.js changed")
	if err := os.RemoveAll(filepath.Join(dir, "new")); err != nil {
		t.Fatal(err)
	}
	s.want("watch: new/deep/c.js changed")
	put(t, dir, "server.tmp")
	if err := os.Rename(filepath.Join(dir, "server.tmp"), filepath.Join(dir, "server.js")); err != nil { // as editors save
		t.Fatal(err)
	}
	s.want("watch: server.js changed")
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "server.js"), later, later); err != nil { // touch
		t.Fatal(err)
	}
	s.want("watch: server.js changed")
}

func TestARebuildOfAThousandFilesIsOneRestart(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "dist/")
	app := watchApp(dir, "dist")
	app.Watch.Delay = 3 * time.Second // longer than a loaded machine pauses between two files
	s := watchFiles(t, app)
	if err := os.RemoveAll(filepath.Join(dir, "dist")); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		put(t, dir, fmt.Sprintf("dist/%02d/%03d.js", i%20, i))
	}
	got := <-s.causes
	if !strings.HasPrefix(got, "watch: dist/") || !strings.HasSuffix(got, " and 999 more changed") {
		t.Errorf("got %q", got)
	}
	put(t, dir, "dist/00/000.js")
	s.want("watch: dist/00/000.js changed")
}

func TestWatchWaitsForWhatIsNotThereYet(t *testing.T) {
	dir := t.TempDir()
	s := watchFiles(t, watchApp(dir, "build/out/main.js", "conf/*.json"))
	put(t, dir, "build/out/other.js", "build/out/main.js")
	s.want("watch: build/out/main.js changed")
	put(t, dir, "conf/a.yaml", "conf/a.json")
	s.want("watch: conf/a.json changed")
}

func TestWatchFollowsSymlinks(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	put(t, dir, "src/")
	put(t, other, "lib/l.js", "f.js")
	for link, target := range map[string]string{"src/lib": other + "/lib", "src/f.js": other + "/f.js", "src/round": dir} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	s := watchFiles(t, watchApp(dir, "src"))
	put(t, other, "lib/l.js")
	s.want("watch: src/lib/l.js changed")
	put(t, other, "f.js")
	s.want("watch: src/f.js changed")

	app := watchApp(dir, "src")
	app.Watch.FollowSymlinks = false
	s.w.set(t.Context(), []stack.App{app})
	put(t, other, "lib/l.js", "f.js")
	put(t, dir, "src/a.js")
	s.want("watch: src/a.js changed")
}

// One watcher serves all apps, and lets go what none of them needs.
func TestOneWatcherForAllApps(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a/x.js", "b/x.js")
	first, second := watchApp(dir, "a"), watchApp(dir, "b")
	second.Name = "other"
	s := watchFiles(t, first, second)
	put(t, dir, "a/x.js")
	s.want("watch: a/x.js changed")
	put(t, dir, "b/x.js")
	s.want("watch: b/x.js changed")
	s.w.set(t.Context(), []stack.App{first})
	if list := s.w.notify.WatchList(); slices.Contains(list, filepath.Join(dir, "b")) {
		t.Errorf("still watched: %q", list)
	}
	put(t, dir, "b/x.js", "a/x.js")
	s.want("watch: a/x.js changed")
}

// When the system has dropped notifications, the files themselves are asked.
func TestWatchAfterAnOverflow(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.js", "b.js")
	s := &seen{t: t, causes: make(chan string, 1)}
	w := newWatcher(func(_, cause string) { s.causes <- cause }, func(_, message string) { t.Error(message) })
	w.define([]stack.App{watchApp(dir)})
	t.Cleanup(func() { w.notify.Close() })
	w.failed(fsnotify.ErrEventOverflow)
	if !w.next().IsZero() {
		t.Error("nothing has changed, and yet something is due")
	}
	put(t, dir, "b.js", "sub/c.js")
	w.failed(fmt.Errorf("inotify: %w", fsnotify.ErrEventOverflow))
	w.elapsed(w.next())
	s.want("watch: b.js and 1 more changed")
	if !slices.Contains(w.notify.WatchList(), filepath.Join(dir, "sub")) {
		t.Error("a directory that appeared meanwhile is not watched")
	}
}

// PM2 restarts once for each of two saves 300 ms apart, once per instance of the app, and never again after a `stop`.
func TestWatchRestarts(t *testing.T) {
	dir := t.TempDir()
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		app := watchApp(dir)
		app.Watch.UsePolling = true
		m.Apply([]stack.App{app})
		m.Start("api")
		pass(time.Minute + 55*time.Millisecond) // between two looks
		if p := wantState(t, m, "api", view.Online); !p.Watching {
			t.Error("does not watch")
		}
		k.took()
		for range 20 { // longer than watch_delay, but never quiet for that long
			put(t, dir, "a.js")
			pass(200 * time.Millisecond)
		}
		pass(time.Minute)
		p := wantState(t, m, "api", view.Online)
		wantCalls(t, k, "1m4.2s terminated 1", "1m4.2s tree 1", "1m4.2s launch 2")
		if p.RestartsBy != (view.Restarts{Watch: 1}) || p.UnstableRestarts != 0 || len(p.Exits) != 1 {
			t.Fatalf("restarts %+v, unstable %d, exits %+v", p.RestartsBy, p.UnstableRestarts, p.Exits)
		}
		if e := p.Exits[0]; e.Reason != view.Watch || e.Cause != "watch: a.js changed" || ending(e) != "watch: SIGTERM, after a.js changed" {
			t.Errorf("exit %+v: %s", e, ending(e))
		}

		m.Stop("api")
		put(t, dir, "a.js")
		pass(time.Minute)
		if p := wantState(t, m, "api", view.Stopped); !p.Watching {
			t.Error("stop has disabled watch")
		}
		m.Start("api")
		pass(time.Minute)
		put(t, dir, "a.js")
		pass(time.Minute)
		if p := wantState(t, m, "api", view.Online); p.Restarts != 2 {
			t.Errorf("%d restarts after it was stopped and started", p.Restarts)
		}
	})
}

// What has crashed too often runs again as soon as its program is another.
func TestWatchRevivesWhatIsErrored(t *testing.T) {
	dir := t.TempDir()
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		k.dies = time.Millisecond
		app := watchApp(dir)
		app.Watch.UsePolling = true
		m.Apply([]stack.App{app})
		m.Start("api")
		pass(time.Minute)
		wantState(t, m, "api", view.Errored)
		k.mu.Lock()
		k.dies = 0
		k.mu.Unlock()
		put(t, dir, "fixed.js")
		pass(time.Minute)
		synctest.Wait()
		if p := wantState(t, m, "api", view.Online); p.RestartsBy.Watch != 1 || p.UnstableRestarts != 0 {
			t.Errorf("restarts %+v, unstable %d", p.RestartsBy, p.UnstableRestarts)
		}
	})
}
