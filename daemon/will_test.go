package daemon

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"devstack/stack"
)

// four apps: agent needs web, extra does not start by itself.
func fourApps() *stack.Stack {
	return &stack.Stack{Project: "p", Apps: []stack.App{
		{Name: "web", Autostart: true, Instances: 1},
		{Name: "agent", Autostart: true, Instances: 1, DependsOn: []stack.Dependency{{Name: "web"}}},
		{Name: "extra", Instances: 1},
		{Name: "last", Autostart: true, Instances: 2},
	}}
}

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, name := range names {
		m[name] = true
	}
	return m
}

func names(m map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(m)), " ") }

func TestWill(t *testing.T) {
	st := fourApps()
	before := will{Stopped: set("web", "agent"), LeftOut: set("web")}
	started := before.ran(st.Apps[0], st.Apps[2])
	if names(started.Stopped) != "agent" || names(started.Started) != "extra" || names(started.LeftOut) != "" {
		t.Errorf("after a start: %+v", started)
	}
	if names(before.Stopped) != "agent web" || names(before.LeftOut) != "web" {
		t.Errorf("the will before has changed: %+v", before)
	}
	stopped := started.stopped("extra", "last")
	if names(stopped.Stopped) != "agent extra last" || names(stopped.Started) != "" {
		t.Errorf("after a stop: %+v", stopped)
	}
	for name, want := range map[string]bool{"web": true, "agent": false, "extra": false, "last": false} {
		i := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == name })
		if got := stopped.wants(st.Apps[i]); got != want {
			t.Errorf("wants %s: %v", name, got)
		}
	}
}

func TestResurrected(t *testing.T) {
	for name, tc := range map[string]struct {
		past    remembered
		runs    string
		leftOut string
		counts  string
	}{
		"nothing remembered":  {runs: "web last agent", counts: "1 1 1 2"},
		"one stopped":         {past: remembered{Stopped: []string{"last"}}, runs: "web agent", leftOut: "last", counts: "1 1 1 2"},
		"needed and stopped":  {past: remembered{Stopped: []string{"web"}}, runs: "last agent", leftOut: "web", counts: "1 1 1 2"},
		"one started":         {past: remembered{Started: []string{"extra", "web"}}, runs: "web extra last agent", counts: "1 1 1 2"},
		"all stopped":         {past: remembered{Stopped: []string{"web", "agent", "last"}}, leftOut: "agent last web", counts: "1 1 1 2"},
		"gone from the file":  {past: remembered{Stopped: []string{"old"}, Instances: map[string]int{"old": 3}}, runs: "web last agent", counts: "1 1 1 2"},
		"scaled":              {past: remembered{Instances: map[string]int{"web": 3, "last": 2}}, runs: "web last agent", counts: "3 1 1 2"},
		"scaled to nonsense":  {past: remembered{Instances: map[string]int{"web": 0, "last": maxScale + 1}}, runs: "web last agent", counts: "1 1 1 2"},
		"stopped and started": {past: remembered{Stopped: []string{"extra"}, Started: []string{"extra"}}, runs: "web last agent", leftOut: "extra", counts: "1 1 1 2"},
	} {
		t.Run(name, func(t *testing.T) {
			st := fourApps()
			w := tc.past.will(st)
			tc.past.rescale(st)
			got, err := resurrected(st, w)
			if err != nil || strings.Join(got, " ") != tc.runs {
				t.Errorf("runs %v, %v", got, err)
			}
			if names(w.LeftOut) != tc.leftOut {
				t.Errorf("left out: %v", w.LeftOut)
			}
			var counts []string
			for _, app := range st.Apps {
				counts = append(counts, string(rune('0'+app.Count())))
			}
			if strings.Join(counts, " ") != tc.counts {
				t.Errorf("instances: %v", counts)
			}
		})
	}
}

func TestRemembered(t *testing.T) {
	st := fourApps()
	st.Apps[0].Instances = 3
	want := &desired{Stack: st, Environment: []string{"TOKEN=hunter2"}, Scaled: set("web"), Will: will{Stopped: set("last", "agent"), Started: set("extra")}}
	r := want.toRemember(at(0))
	if !slices.Equal(r.Stopped, []string{"agent", "last"}) || !slices.Equal(r.Started, []string{"extra"}) || !maps.Equal(r.Instances, map[string]int{"web": 3}) {
		t.Errorf("remembered %+v", r)
	}
	for name, tc := range map[string]struct {
		content string
		err     string
	}{
		"ours":       {`{"version": 1, "stopped": ["web"]}`, ""},
		"with more":  {`{"version": 1, "of_later": true}`, ""},
		"torn":       {`{"version": 1, "sto`, "damaged"},
		"empty":      {``, "damaged"},
		"newer":      {`{"version": 2}`, "version 2"},
		"no version": {`{}`, "version 0"},
	} {
		_, err := parseRemembered([]byte(tc.content))
		if (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a resurrect has left out keeps nobody waiting, services always do.
func TestGated(t *testing.T) {
	st := fourApps()
	st.Apps[1].DependsOn = append(st.Apps[1].DependsOn, stack.Dependency{Name: "redis", Service: true}, stack.Dependency{Name: "last"})
	want := &desired{Stack: st, Will: will{LeftOut: set("web", "redis")}}
	var left []string
	for _, dep := range want.gated()[1].DependsOn {
		left = append(left, dep.Name)
	}
	if !slices.Equal(left, []string{"redis", "last"}) || len(st.Apps[1].DependsOn) != 3 {
		t.Errorf("waits for %v; the stack has %v", left, st.Apps[1].DependsOn)
	}
}
