package daemon

import (
	"testing"

	"devstack/daemon/api"
)

// Equal reloads that came in while another one ran are answered by one, and no other reload is left out.
func TestLastReloadCovers(t *testing.T) {
	done, failed := &api.Result{}, &api.Result{Exit: api.ExitProcess}
	last := lastReload{names: []string{"web"}, environment: []string{"A=1"}, began: at(10), result: done}
	same := api.ActionRequest{Names: []string{"web"}, Environment: []string{"A=1"}}
	for name, tc := range map[string]struct {
		last  lastReload
		req   api.ActionRequest
		asked int64
		want  bool
	}{
		"asked before it began":     {last, same, 9, true},
		"asked when it began":       {last, same, 10, false},
		"asked later":               {last, same, 11, false},
		"of other apps":             {last, api.ActionRequest{Names: []string{"agent"}, Environment: []string{"A=1"}}, 9, false},
		"with another environment":  {last, api.ActionRequest{Names: []string{"web"}, Environment: []string{"A=2"}}, 9, false},
		"it failed":                 {lastReload{names: last.names, environment: last.environment, began: last.began, result: failed}, same, 9, false},
		"it was refused, or is not": {lastReload{names: last.names, environment: last.environment, began: last.began}, same, 9, false},
		"there was none":            {lastReload{}, api.ActionRequest{}, 9, false},
	} {
		if got := tc.last.covers(tc.req, at(tc.asked)); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
