package daemon

import (
	"maps"
	"slices"
	"testing"

	"devstack/daemon/api"
	"devstack/view"
)

// What the result of a command shows has been told before it: nobody reads on after the result.
func TestNoEventComesAfterTheResult(t *testing.T) {
	r := newProject(t, `
apps:
  - {name: a, command: "exec sleep 1000"}
  - {name: b, command: "exec sleep 1000"}
  - {name: c, command: "exec sleep 1000"}
`)
	r.mustUp()
	for range 5 {
		told := map[string]string{}
		var state *api.State
		_, err := r.client.Act(t.Context(), api.Restart, api.ActionRequest{Names: []string{"all"}}, func(e api.Event) {
			if e.Kind == view.KindReady {
				told[e.Resource] = e.To
			}
			if e.Result != nil {
				state = e.Result.State
			}
		})
		if err != nil || state == nil {
			t.Fatalf("restart: %v", err)
		}
		for _, p := range state.Processes {
			if p.Ready && told[p.Name] != view.IsReady {
				t.Errorf("%s is ready in the result; told was %q (of %v)", p.Name, told[p.Name], slices.Sorted(maps.Keys(told)))
			}
		}
	}
}
