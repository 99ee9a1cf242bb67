package stack

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v4"
)

// Watch is which files' changes restart an app.
type Watch struct {
	On             bool          `json:"on"`
	Paths          []string      `json:"paths"`           // globs, relative to cwd; none: everything below cwd
	Ignore         []string      `json:"ignore"`          // globs, beside .git, node_modules, .devstack, LogDir and .gitignore
	FollowSymlinks bool          `json:"follow_symlinks"` // true
	UsePolling     bool          `json:"use_polling"`     // look every Interval, for file systems that report nothing
	Interval       time.Duration `json:"interval"`        // 100 ms
	Delay          time.Duration `json:"delay"`           // how long files must be quiet before the restart; 300 ms
	LogDir         string        `json:"log_dir"`         // the stack's; never watched
}

func defaultWatch() Watch {
	return Watch{FollowSymlinks: true, Interval: 100 * time.Millisecond, Delay: 300 * time.Millisecond}
}

// watch is true, false, or globs.
func (d *definition) watch(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && plain(n, "!!bool") {
		d.Watch.On, d.Watch.Paths = d.boolean(n, "watch"), nil
		return
	}
	if n.Kind != yaml.SequenceNode && !plain(n, "!!str") {
		d.at(n, "watch must be true, false or globs, not %s", describe(n))
		return
	}
	d.Watch.Paths = d.list(n, "watch")
	d.Watch.On = len(d.Watch.Paths) > 0
	if slices.Contains(d.Watch.Paths, "") {
		d.at(n, "watch contains an empty path")
	}
}

func (d *definition) watchOptions(n *yaml.Node) {
	known := []string{"followSymlinks", "usePolling", "interval"}
	for _, e := range d.entries(n, "watch_options") {
		switch e.key.Value {
		case "followSymlinks":
			d.Watch.FollowSymlinks = d.boolean(e.value, "watch_options.followSymlinks")
		case "usePolling":
			d.Watch.UsePolling = d.boolean(e.value, "watch_options.usePolling")
		case "interval":
			d.Watch.Interval = d.positive(e.value, "watch_options.interval")
		default:
			d.at(e.key, "unknown key %q in watch_options%s", e.key.Value, didYouMean(e.key.Value, known))
		}
	}
}

func showWatch(a *App) any {
	if len(a.Watch.Paths) > 0 {
		return a.Watch.Paths
	}
	return a.Watch.On
}

func showWatchOptions(a *App) any {
	return map[string]any{
		"followSymlinks": a.Watch.FollowSymlinks, "usePolling": a.Watch.UsePolling, "interval": FormatDuration(a.Watch.Interval),
	}
}
