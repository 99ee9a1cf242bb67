package daemon

import (
	"strings"
	"testing"

	"devstack/daemon/api"
)

func TestScaled(t *testing.T) {
	st := sampleStack()
	st.Apps[1].Instances = 2
	for _, tc := range []struct {
		name string
		req  api.ScaleRequest
		want int
		says string
	}{
		{name: "so many", req: api.ScaleRequest{Name: "agent-a", Instances: 5}, want: 5},
		{name: "more", req: api.ScaleRequest{Name: "agent-a", Instances: 1, Relative: true}, want: 3},
		{name: "less", req: api.ScaleRequest{Name: "agent-a", Instances: -1, Relative: true}, want: 1},
		{name: "an app without a number has one", req: api.ScaleRequest{Name: "web", Instances: 1, Relative: true}, want: 2},
		{name: "none", req: api.ScaleRequest{Name: "agent-a"}, says: "can have 1 to"},
		{name: "less than none", req: api.ScaleRequest{Name: "agent-a", Instances: -2, Relative: true}, says: "agent-a has 2 instances and can have 1 to 1000, not 0"},
		{name: "a slip", req: api.ScaleRequest{Name: "agent-a", Instances: 10000}, says: "not 10000"},
		{name: "a service", req: api.ScaleRequest{Name: "redis", Instances: 2}, says: "redis is a service"},
		{name: "unknown", req: api.ScaleRequest{Name: "agent-c", Instances: 2}, says: "did you mean"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			app, _, refused := scaled(st, tc.req)
			if refused != nil {
				if tc.says == "" || refused.Exit != api.ExitUsage || !strings.Contains(refused.Error, tc.says) {
					t.Errorf("refused with %d: %s", refused.Exit, refused.Error)
				}
				return
			}
			if tc.says != "" || app.Count() != tc.want {
				t.Errorf("%d instances", app.Count())
			}
		})
	}
	if _, _, refused := scaled(nil, api.ScaleRequest{Name: "web", Instances: 2}); refused == nil || refused.Exit != api.ExitNotRunning {
		t.Errorf("without a stack: %+v", refused)
	}
	if st.Apps[1].Instances != 2 {
		t.Error("looking has scaled")
	}
}
