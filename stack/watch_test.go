package stack_test

import (
	"reflect"
	"testing"
	"time"

	"devstack/stack"
)

func TestWatch(t *testing.T) {
	s := load(t, write(t, map[string]string{"ecosystem.yaml": `
log_dir: var/logs
defaults: {watch_options: {followSymlinks: false}}
apps:
- {name: off, script: a.js}
- {name: every, script: a.js, watch: true}
- {name: one, script: a.js, watch: dist}
- {name: some, script: a.js, watch: [src, "lib/*.js"], ignore_watch: ["*.md"], watch_delay: 1s, watch_options: {usePolling: true, interval: 500}}
- {name: cron, script: a.js, cron_restart: "30 0 3 * * *"}
- {name: never, script: a.js, cron_restart: 0}
profiles: {pilot: {defaults: {watch: false}}}
`}))
	base := stack.Watch{Interval: 100 * time.Millisecond, Delay: 300 * time.Millisecond, LogDir: s.Dir + "/var/logs"}
	all, one := base, base
	all.On = true
	one.On, one.Paths = true, []string{"dist"}
	some := stack.Watch{
		On: true, Paths: []string{"src", "lib/*.js"}, Ignore: []string{"*.md"}, FollowSymlinks: true, UsePolling: true,
		Interval: 500 * time.Millisecond, Delay: time.Second, LogDir: base.LogDir,
	}
	for name, want := range map[string]stack.Watch{"off": base, "every": all, "one": one, "some": some} {
		if got := app(t, s, name).Watch; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.Local)
	a, never := app(t, s, "cron"), app(t, s, "never")
	if got, want := a.NextCronRestart(now), time.Date(2026, 11, 24, 3, 0, 30, 0, time.Local); !got.Equal(want) {
		t.Errorf("next at %s, want %s", got, want)
	}
	if got := never.NextCronRestart(now); !got.IsZero() {
		t.Errorf("0 means never, not %s", got)
	}
}
