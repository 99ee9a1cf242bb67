package procs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"devstack/stack"
)

// watcher restarts apps when their files change. One watcher serves all apps of a stack. Only the goroutine of run uses the
// fields below taken. The watcher looks at content: a file that somebody opens, or gives other rights, has not changed.
type watcher struct {
	changed func(app, cause string)
	warn    func(app, message string)
	sets    chan []stack.App // definitions; each is answered on taken
	taken   chan struct{}

	apps    []*watchedApp
	notify  *fsnotify.Watcher // nil while nobody needs it
	refused map[string]bool   // apps that were told why something cannot be watched
}

// watchedApp is one app that watches.
type watchedApp struct {
	name    string
	cwd     string
	tree    *watchTree
	pending map[string]bool // what has changed since the last restart
	first   string          // of them
	due     time.Time       // when the files have been quiet for watch_delay; zero: nothing is pending
	poll    time.Time       // usePolling: the next look; else zero
}

func newWatcher(changed, warn func(app, text string)) *watcher {
	return &watcher{
		changed: changed, warn: warn, sets: make(chan []stack.App), taken: make(chan struct{}), refused: map[string]bool{},
	}
}

// set makes these definitions the ones to watch for. When it returns, a change of any file will be seen.
func (w *watcher) set(ctx context.Context, apps []stack.App) {
	select {
	case w.sets <- apps:
	case <-ctx.Done():
		return
	}
	select {
	case <-w.taken:
	case <-ctx.Done():
	}
}

func (w *watcher) run(ctx context.Context) {
	defer func() {
		if w.notify != nil {
			w.notify.Close()
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var events chan fsnotify.Event
		var failures chan error
		if w.notify != nil {
			events, failures = w.notify.Events, w.notify.Errors
		}
		select {
		case <-ctx.Done():
			return
		case apps := <-w.sets:
			w.define(apps)
			select {
			case w.taken <- struct{}{}:
			case <-ctx.Done():
				return
			}
		case e := <-events:
			w.happened(e)
		case err := <-failures:
			w.failed(err)
		case <-timer.C:
			w.elapsed(time.Now())
		}
		if next := w.next(); !next.IsZero() {
			timer.Reset(max(time.Until(next), 0))
		}
	}
}

// define keeps what watches as before, and takes stock for what is new.
func (w *watcher) define(apps []stack.App) {
	old := w.apps
	w.apps = nil
	for _, app := range apps {
		rule := watchRuleOf(app)
		if rule == nil {
			continue
		}
		if i := slices.IndexFunc(old, func(a *watchedApp) bool {
			return a.name == app.Name && reflect.DeepEqual(a.tree.rule, rule)
		}); i >= 0 {
			w.apps = append(w.apps, old[i])
			continue
		}
		a := &watchedApp{name: app.Name, cwd: app.Cwd, pending: map[string]bool{}}
		delete(w.refused, app.Name)
		if rule.options.UsePolling {
			a.tree = newWatchTree(rule, func(string) {})
			a.poll = time.Now().Add(rule.options.Interval)
		} else {
			a.tree = newWatchTree(rule, func(path string) { w.add(app.Name, path) })
		}
		w.apps = append(w.apps, a)
	}
	w.release()
}

// add has the system report what happens to a path.
func (w *watcher) add(app, path string) {
	var err error
	if w.notify == nil {
		w.notify, err = fsnotify.NewWatcher()
	}
	if err == nil {
		err = w.notify.Add(path)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) || w.refused[app] {
		return
	}
	w.refused[app] = true
	w.warn(app, fmt.Sprintf("cannot watch %s: %v; raise fs.inotify.max_user_watches, or set watch_options.usePolling", path, err))
}

// release ends the watches that nobody needs any more.
func (w *watcher) release() {
	if w.notify == nil {
		return
	}
	for _, path := range w.notify.WatchList() {
		if !slices.ContainsFunc(w.apps, func(a *watchedApp) bool { return a.tree.watched(path) }) {
			w.drop(path)
		}
	}
}

func (w *watcher) drop(path string) {
	// It may have gone by itself, with what it watched.
	_ = w.notify.Remove(path)
}

// happened takes one notification of the system, and looks at the files itself: the system does not report the files that
// a new directory already holds.
func (w *watcher) happened(e fsnotify.Event) {
	gone := e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename)
	lost := false
	for _, a := range w.apps {
		if !a.poll.IsZero() {
			continue
		}
		if isGitignore(e.Name) && a.tree.dirs[filepath.Dir(e.Name)] {
			a.tree.lookAtAll() // what it lets in from now on has not changed
			continue
		}
		lost = lost || gone && a.tree.watched(e.Name)
		for _, path := range a.tree.concerns(e.Name) {
			changed := a.tree.lookAt(path)
			if _, ok := a.tree.files[path]; ok && e.Has(fsnotify.Write) && len(changed) == 0 {
				changed = []string{path} // written twice within one tick of the file system's clock
			}
			a.note(changed)
		}
	}
	if lost {
		w.release()
	}
}

// failed looks at everything when the system has lost count of what happened.
func (w *watcher) failed(err error) {
	for _, a := range w.apps {
		switch {
		case !a.poll.IsZero():
		case errors.Is(err, fsnotify.ErrEventOverflow):
			a.note(a.tree.lookAtAll())
		default:
			w.warn(a.name, "cannot watch files: "+err.Error())
		}
	}
}

// elapsed polls and restarts what is due.
func (w *watcher) elapsed(now time.Time) {
	for _, a := range w.apps {
		if !a.poll.IsZero() && !now.Before(a.poll) {
			a.note(a.tree.lookAtAll())
			a.poll = now.Add(a.tree.rule.options.Interval)
		}
		if !a.due.IsZero() && !now.Before(a.due) {
			w.changed(a.name, a.cause())
			a.due, a.first, a.pending = time.Time{}, "", map[string]bool{}
		}
	}
}

// next is when elapsed has something to do; zero: never.
func (w *watcher) next() time.Time {
	var next time.Time
	for _, a := range w.apps {
		for _, t := range []time.Time{a.due, a.poll} {
			if !t.IsZero() && (next.IsZero() || t.Before(next)) {
				next = t
			}
		}
	}
	return next
}

// note puts the restart off until the files are quiet.
func (a *watchedApp) note(changed []string) {
	if len(changed) == 0 {
		return
	}
	if a.first == "" {
		a.first = changed[0]
	}
	for _, path := range changed {
		a.pending[path] = true
	}
	a.due = time.Now().Add(a.tree.rule.options.Delay)
}

// cause names the file that triggered the restart.
func (a *watchedApp) cause() string {
	more := ""
	if n := len(a.pending) - 1; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%s%s changed", relativeTo(a.cwd, a.first), more)
}
