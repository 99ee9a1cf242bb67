package daemon

import (
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
)

func sampleStack() *stack.Stack {
	needs := func(names ...string) []stack.Dependency {
		var out []stack.Dependency
		for _, name := range names {
			out = append(out, stack.Dependency{Name: name, Service: name == "redis", Condition: stack.Healthy})
		}
		return out
	}
	return &stack.Stack{
		Compose: &types.Project{Services: types.Services{"redis": {Name: "redis"}}},
		Apps: []stack.App{
			{Name: "web", Hash: "1", Autostart: true, DependsOn: needs("redis")},
			{Name: "agent-a", Hash: "1", Autostart: true, DependsOn: needs("web", "redis")},
			{Name: "agent-b", Hash: "1", Autostart: true, DependsOn: needs("web")},
			{Name: "tool", Hash: "1", DependsOn: needs("redis")},
		},
	}
}

func TestPick(t *testing.T) {
	st := sampleStack()
	var processes []procs.Process
	for i, app := range st.Apps {
		processes = append(processes, procs.Process{ID: i, App: app.Name, Namespace: "default"})
	}
	processes[3].Namespace = "extras"
	for _, tc := range []struct {
		words    string
		apps     string
		services string
		unknown  string
	}{
		{words: "", apps: "web agent-a agent-b tool"},
		{words: "all", apps: "web agent-a agent-b tool"},
		{words: "agent-b web", apps: "web agent-b"},
		{words: "redis", services: "redis"},
		{words: "redis web", apps: "web", services: "redis"},
		{words: "agent-*", apps: "agent-a agent-b"},
		{words: "/^agent-[b-z]$/", apps: "agent-b"},
		{words: "2", apps: "agent-b"},
		{words: "extras", apps: "tool"},
		{words: "web agnt-a", unknown: "agent-a"},
		{words: "red*", unknown: "known: redis, web"},
		{words: "/(/", unknown: "known:"},
	} {
		t.Run(tc.words, func(t *testing.T) {
			apps, services, err := pick(st, processes, strings.Fields(tc.words))
			if (err != nil) != (tc.unknown != "") {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				if err.Exit != api.ExitUsage || !strings.Contains(err.Message+err.Hint, tc.unknown) || apps != nil || services != nil {
					t.Errorf("%+v, with %v %v", err, apps, services)
				}
				return
			}
			if got := strings.Join(apps, " "); got != tc.apps {
				t.Errorf("apps %q", got)
			}
			if got := strings.Join(services, " "); got != tc.services {
				t.Errorf("services %q", got)
			}
		})
	}
}

func TestStopLayers(t *testing.T) {
	got := stopLayers(sampleStack(), []string{"web", "agent-a", "agent-b", "tool"})
	if d := cmp.Diff([][]string{{"agent-a", "agent-b"}, {"web", "tool"}}, got); d != "" {
		t.Error(d)
	}
	if got := stopLayers(sampleStack(), []string{"agent-b"}); len(got) != 1 || !slices.Equal(got[0], []string{"agent-b"}) {
		t.Errorf("one app: %v", got)
	}
}

func TestWanted(t *testing.T) {
	for _, tc := range []struct {
		names, want string
		only        bool
	}{
		{names: "", want: "redis web agent-a agent-b"},
		{names: "agent-b", want: "redis web agent-b"},
		{names: "agent-b", only: true, want: "agent-b"},
		{names: "tool", want: "redis tool"},
		{names: "redis", want: "redis"},
	} {
		got, err := wanted(sampleStack(), strings.Fields(tc.names), tc.only)
		if err != nil || strings.Join(got, " ") != tc.want {
			t.Errorf("wanted(%q, only %v) = %v, %v", tc.names, tc.only, got, err)
		}
	}
	if _, err := wanted(sampleStack(), []string{"wbe"}, true); err == nil {
		t.Error("an unknown name is accepted")
	}
}

func TestPlanApps(t *testing.T) {
	old, next := sampleStack().Apps, sampleStack().Apps
	next[0].Hash = "2"
	next = next[:3]
	processes := []procs.Process{
		{App: "web", State: procs.Online}, {App: "agent-a", State: procs.Stopped}, {App: "agent-b", State: procs.Online}, {App: "tool", State: procs.Stopped},
	}
	want := []string{
		"process:web, restart, its definition or environment changed",
		"process:agent-a, start after web, redis",
		"process:agent-b, keep, it runs as the file wants it",
		"process:tool, stop and remove, no longer in the file",
	}
	if d := cmp.Diff(want, planApps(old, next, []string{"web", "agent-a", "agent-b"}, processes)); d != "" {
		t.Error(d)
	}
	if got := planApps(nil, next[:1], nil, nil); !strings.Contains(got[0], "leave") {
		t.Errorf("an app that is not asked for: %q", got)
	}
	next[0].OneShot = true
	done := []procs.Process{{App: "web", State: procs.Stopped, Ready: true}}
	if got := planApps(next[:1], next[:1], []string{"web"}, done); !strings.Contains(got[0], "has done its work") {
		t.Errorf("a one_shot that succeeded: %q", got)
	}
}
