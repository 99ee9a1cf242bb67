package daemon

import (
	"fmt"
	"strings"
	"testing"

	"devstack/daemon/api"
)

// What an up, or a resurrect, makes of what was wanted before.
func TestUpIntent(t *testing.T) {
	past := func(l lasting) intent { return intent{lasting: l} } // of a stack that is not there
	now := func(change func(*intent)) intent {                   // of a running one
		i := intent{Stack: fourApps()}.clone()
		change(&i)
		return i
	}
	resurrect := api.UpRequest{Resurrect: true}
	for name, tc := range map[string]struct {
		before intent
		req    api.UpRequest
		runs   string
		want   string // what show says
		counts string // of instances, if they are others than the files'
		notes  string
	}{
		"the first":                     {runs: "web last agent"},
		"named":                         {req: api.UpRequest{Names: []string{"agent"}}, runs: "web agent"},
		"only":                          {req: api.UpRequest{Names: []string{"agent"}, Only: true}, runs: "agent", want: "loose=agent"},
		"named, without autostart":      {req: api.UpRequest{Names: []string{"extra"}}, runs: "extra", want: "started=extra"},
		"takes back what was stopped":   {before: past(lasting{Stopped: set("web", "extra"), Started: set("extra"), StoppedInstances: map[string][]int{"last": {0}}, Instances: map[string]int{"web": 3}}), runs: "web last agent"},
		"takes back what it names":      {before: past(lasting{Stopped: set("web", "last"), Started: set("extra")}), req: api.UpRequest{Names: []string{"web"}}, runs: "web", want: "stopped=last started=extra"},
		"of the running one":            {before: now(func(i *intent) { i.Stopped, i.Started = set("web"), set("extra") }), runs: "web last agent", want: "started=extra"},
		"leaves what it does not name":  {before: now(func(i *intent) { i.Stopped, i.LeftOut = set("web", "last"), set("last") }), req: api.UpRequest{Names: []string{"web"}}, runs: "web", want: "stopped=last left out=last"},
		"loose stays loose":             {before: now(func(i *intent) { i.Loose = set("agent", "web") }), req: api.UpRequest{Names: []string{"web"}}, runs: "web", want: "loose=agent"},
		"the file wins over scale":      {before: now(func(i *intent) { i.scale("last", 3) }), runs: "web last agent", notes: "last was scaled to 3; the file says 2, and the file wins"},
		"scaled and not spoken of":      {before: now(func(i *intent) { i.scale("last", 3) }), req: api.UpRequest{Names: []string{"web"}}, runs: "web", want: "scaled=last:3", counts: "1 1 1 3"},
		"ends a down that failed":       {before: now(func(i *intent) { i.Down = &api.DownRequest{} }), runs: "web last agent"},
		"starts services that stopped":  {before: now(func(i *intent) { i.StoppedServices = map[string]string{"redis": "other"} }), runs: "web last agent"},
		"not those of others":           {before: now(func(i *intent) { i.StoppedServices = map[string]string{"redis": "other"} }), req: api.UpRequest{NoInfra: true}, runs: "web last agent", want: "services=redis:other"},
		"launches of a stack that over": {before: intent{Launches: map[string]launch{"web/0": {Least: 9}}}, runs: "web last agent"},

		"resurrect: nothing remembered":  {req: resurrect, runs: "web last agent"},
		"resurrect: one stopped":         {before: past(lasting{Stopped: set("last")}), req: resurrect, runs: "web agent", want: "stopped=last left out=last"},
		"resurrect: needed and stopped":  {before: past(lasting{Stopped: set("web")}), req: resurrect, runs: "last agent", want: "stopped=web left out=web"},
		"resurrect: one instance":        {before: past(lasting{StoppedInstances: map[string][]int{"last": {1}}}), req: resurrect, runs: "web last agent", want: "instances stopped=last/1 left out=last"},
		"resurrect: one that is gone":    {before: past(lasting{StoppedInstances: map[string][]int{"last": {5}}}), req: resurrect, runs: "web last agent"},
		"resurrect: one started":         {before: past(lasting{Started: set("extra", "web")}), req: resurrect, runs: "web extra last agent", want: "started=extra"},
		"resurrect: all stopped":         {before: past(lasting{Stopped: set("web", "agent", "last")}), req: resurrect, want: "stopped=agent last web left out=agent last web"},
		"resurrect: gone from the file":  {before: past(lasting{Stopped: set("old"), Instances: map[string]int{"old": 3}}), req: resurrect, runs: "web last agent"},
		"resurrect: scaled":              {before: past(lasting{Instances: map[string]int{"web": 3, "last": 2}}), req: resurrect, runs: "web last agent", want: "scaled=web:3", counts: "3 1 1 2"},
		"resurrect: scaled to nonsense":  {before: past(lasting{Instances: map[string]int{"web": 0, "last": maxScale + 1}}), req: resurrect, runs: "web last agent"},
		"resurrect: stopped and started": {before: past(lasting{Stopped: set("extra"), Started: set("extra")}), req: resurrect, runs: "web last agent", want: "stopped=extra left out=extra"},
		"resurrect: of the running one":  {before: now(func(i *intent) { i.scale("last", 3); i.Stopped["web"] = true }), req: resurrect, runs: "last agent", want: "stopped=web scaled=last:3 left out=web", counts: "1 1 1 3"},
	} {
		t.Run(name, func(t *testing.T) {
			before := show(tc.before)
			got, runs, notes, err := tc.before.up(fourApps(), tc.req)
			if err != nil || strings.Join(runs, " ") != tc.runs {
				t.Errorf("runs %v, %v", runs, err)
			}
			if said := show(got); said != tc.want {
				t.Errorf("got  %q\nwant %q", said, tc.want)
			}
			if said := show(tc.before); said != before {
				t.Errorf("the intent before has changed from %q to %q", before, said)
			}
			var counts []string
			for _, app := range got.Stack.Apps {
				counts = append(counts, fmt.Sprint(app.Count()))
			}
			if tc.counts == "" {
				tc.counts = "1 1 1 2"
			}
			if strings.Join(counts, " ") != tc.counts {
				t.Errorf("instances: %v", counts)
			}
			if said := strings.Join(notes, "; "); said != tc.notes {
				t.Errorf("says %q", said)
			}
		})
	}
	if _, _, _, err := (intent{}).up(fourApps(), api.UpRequest{Names: []string{"wep"}}); err == nil || !strings.Contains(err.Error(), "web") {
		t.Errorf("an unknown name: %v", err)
	}
}
