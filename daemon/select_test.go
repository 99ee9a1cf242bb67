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
	"devstack/view"
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
	st.Apps = append(st.Apps, stack.App{Name: "3"}, stack.App{Name: "extras"})
	processes := []procs.Process{
		processOf(view.Process{ID: 0, Name: "web", Namespace: "default"}),
		processOf(view.Process{ID: 1, Name: "agent-a", Namespace: "default"}),
		processOf(view.Process{ID: 2, Name: "agent-b", Namespace: "default", Instance: 0}),
		processOf(view.Process{ID: 3, Name: "tool", Namespace: "extras"}),
		processOf(view.Process{ID: 4, Name: "3", Namespace: "numbers"}),
		processOf(view.Process{ID: 5, Name: "agent-b", Namespace: "default", Instance: 1}),
		{ProcessDetails: view.ProcessDetails{Process: view.Process{ID: 6, Name: "agent-b", Namespace: "default", Instance: 2}}, Leaving: true},
		processOf(view.Process{ID: 7, Name: "extras", Namespace: "default"}),
	}
	for _, tc := range []struct {
		name     string
		words    string
		ids      []int
		services string
		unknown  string
	}{
		{name: "nothing is everything", words: "", ids: []int{0, 1, 2, 3, 4, 5, 7}},
		{name: "all", words: "all", ids: []int{0, 1, 2, 3, 4, 5, 7}},
		{name: "several names, in the order of the list", words: "agent-b web", ids: []int{0, 2, 5}},
		{name: "an id is one instance", words: "5", ids: []int{5}},
		{name: "twice is once", words: "5 agent-b 5", ids: []int{2, 5}},
		{name: "a name wins over an id", words: "3", ids: []int{4}},
		{name: "a name wins over a namespace", words: "extras", ids: []int{7}},
		{name: "a namespace", words: "numbers", ids: []int{4}},
		{name: "a glob", words: "agent-*", ids: []int{1, 2, 5}},
		{name: "a regular expression", words: "/^agent-[b-z]$/", ids: []int{2, 5}},
		{name: "a regular expression is not anchored", words: "/oo/", ids: []int{3}},
		{name: "a container", words: "redis", services: "redis"},
		{name: "a container twice and an app", words: "redis web redis", ids: []int{0}, services: "redis"},
		{name: "one unknown word spoils all", words: "web agnt-a", unknown: "agent-a"},
		{name: "a glob is no container", words: "red*", unknown: "known:"},
		{name: "a regular expression is no container", words: "/redis/", unknown: "known:"},
		{name: "a broken regular expression", words: "/(/", unknown: "no regular expression"},
		{name: "what is on its way out", words: "6", unknown: "known:"},
		{name: "no id", words: "99", unknown: "known:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := pick(st, processes, strings.Fields(tc.words))
			if (err != nil) != (tc.unknown != "") {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				if err.Exit != api.ExitUsage || !strings.Contains(err.Message+err.Hint, tc.unknown) || s.processes != nil || s.services != nil {
					t.Errorf("%+v, with %v", err, s)
				}
				return
			}
			if got := s.ids(); !slices.Equal(got, tc.ids) && len(got)+len(tc.ids) > 0 {
				t.Errorf("ids %v", got)
			}
			if got := strings.Join(s.services, " "); got != tc.services {
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
	deleted := sampleStack()
	deleted.Apps = deleted.Apps[1:]
	if got := stopLayers(deleted, []string{"agent-a"}); len(got) != 1 {
		t.Errorf("what needs a deleted app is not stopped: %v", got)
	}
	if got := stopLayers(sampleStack(), []string{"agent-b"}); len(got) != 1 || !slices.Equal(got[0], []string{"agent-b"}) {
		t.Errorf("one app: %v", got)
	}
}

func TestUpNames(t *testing.T) {
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
		_, got, _, err := intent{}.up(sampleStack(), api.UpRequest{Names: strings.Fields(tc.names), Only: tc.only})
		if err != nil || strings.Join(got, " ") != tc.want {
			t.Errorf("up %q, only %v: %v, %v", tc.names, tc.only, got, err)
		}
	}
	if _, _, _, err := (intent{}).up(sampleStack(), api.UpRequest{Names: []string{"wbe"}, Only: true}); err == nil {
		t.Error("an unknown name is accepted")
	}
}

func TestPlanApps(t *testing.T) {
	old, next := sampleStack().Apps, sampleStack().Apps
	next[0].Hash = "2"
	next = next[:3]
	processes := []procs.Process{
		processOf(view.Process{Name: "web", Status: view.Online}), processOf(view.Process{Name: "agent-a", Status: view.Stopped}), processOf(view.Process{Name: "agent-b", Status: view.Online}), processOf(view.Process{Name: "tool", Status: view.Stopped}),
	}
	want := []string{
		"process:web, restart, its definition or environment changed",
		"process:agent-a, start after web, redis",
		"process:agent-b, keep, it runs as the file wants it",
		"process:tool, stop and remove, no longer in the file",
	}
	if d := cmp.Diff(want, planApps(old, next, []string{"web", "agent-a", "agent-b"}, nil, processes)); d != "" {
		t.Error(d)
	}
	if got := planApps(nil, next[:1], nil, nil, nil); !strings.Contains(got[0], "leave") {
		t.Errorf("an app that is not asked for: %q", got)
	}
	more := sampleStack().Apps[:1]
	more[0].Instances = 3
	if got := planApps(old[:1], more, []string{"web"}, nil, processes); !slices.Equal(got, []string{"process:web, scale from 1 to 3"}) {
		t.Errorf("more instances: %q", got)
	}
	next[0].OneShot = true
	done := []procs.Process{processOf(view.Process{Name: "web", Status: view.Completed, Ready: true})}
	if got := planApps(next[:1], next[:1], []string{"web"}, []string{"web"}, done); !strings.Contains(got[0], "run again, its inputs have changed") {
		t.Errorf("with other inputs: %q", got)
	}
	if got := planApps(next[:1], next[:1], []string{"web"}, nil, done); !strings.Contains(got[0], "has done its work") {
		t.Errorf("a one_shot that succeeded: %q", got)
	}
}
