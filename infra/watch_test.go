package infra

import (
	"log/slog"
	"testing"
	"time"

	"devstack/view"
)

func TestAnEngineThatShutsDownIsNotSomebodyWhoStopped(t *testing.T) {
	now := time.Now()
	i := New(nil, slog.New(slog.DiscardHandler), func(view.Event) {})
	defer i.Close()
	i.order = []string{"just now", "long ago", "ours"}
	for name, tr := range map[string]*tracked{
		"just now": {view: view.ServiceDetails{Service: view.Service{StoppedBy: view.ByOther}}, decidedAt: now.Add(-2 * time.Second)},
		"long ago": {view: view.ServiceDetails{Service: view.Service{StoppedBy: view.ByOther}}, decidedAt: now.Add(-time.Minute)},
		"ours":     {view: view.ServiceDetails{Service: view.Service{StoppedBy: view.ByDevstack}}},
	} {
		i.tracked[name] = tr
	}
	i.forgive(now)
	stopped := i.Stopped()
	if len(stopped) != 2 || stopped["long ago"] != view.ByOther || stopped["ours"] != view.ByDevstack {
		t.Errorf("stopped are %v, want what was decided long before, and ours", stopped)
	}
}

func TestEventsOfAnEarlierRunOrOfOurOwnDoingMeanNothing(t *testing.T) {
	start := time.Now()
	i := New(nil, slog.New(slog.DiscardHandler), func(view.Event) {})
	defer i.Close()
	i.tracked["db"] = &tracked{container: Container{ID: "now", StartedAt: start}, ours: map[string]bool{"replaced": true}}
	for _, test := range []struct {
		name string
		e    EngineEvent
		want bool
	}{
		{"a death now", EngineEvent{At: start.Add(1), Container: "now", Service: "db", Action: "die"}, true},
		{"a death before its start", EngineEvent{At: start.Add(-1), Container: "now", Service: "db", Action: "die"}, false},
		{"the death of a container that a plan replaces", EngineEvent{At: start.Add(1), Container: "replaced", Service: "db", Action: "die"}, false},
		{"the death of an unknown container", EngineEvent{At: start.Add(1), Container: "other", Service: "db", Action: "die"}, false},
		{"the start of an unknown container", EngineEvent{At: start.Add(1), Container: "other", Service: "db", Action: "start"}, true},
		{"another service", EngineEvent{At: start.Add(1), Container: "now", Service: "web", Action: "die"}, false},
	} {
		if got := i.concerns(test.e); got != test.want {
			t.Errorf("%s: %t, want %t", test.name, got, test.want)
		}
	}
}
