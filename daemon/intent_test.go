package daemon

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
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

// chosen is the selection of these processes of fourApps, of which each was launched seven times.
func chosen(processes ...string) selection {
	var s selection
	for _, name := range processes {
		app, number, _ := strings.Cut(name, "/")
		p := was(app, "")
		p.Newest = 7
		if number == "1" {
			p.Instance = 1
		}
		s.processes = append(s.processes, p)
	}
	return s
}

// was is a process whose newest launch was the fourth.
func was(app string, status view.Status) procs.Process {
	p := processOf(view.Process{Name: app, Status: status})
	p.Newest = 4
	return p
}

func app(i *intent, name string) stack.App {
	return i.Stack.Apps[slices.IndexFunc(i.Stack.Apps, func(a stack.App) bool { return a.Name == name })]
}

// Each command, from the intent before to the one after it.
func TestWhatCommandsMakeOfAnIntent(t *testing.T) {
	type commands []func(*intent)
	stop := func(processes ...string) func(*intent) {
		return func(i *intent) { i.stopSelected(chosen(processes...)) }
	}
	start := func(processes ...string) func(*intent) {
		return func(i *intent) {
			s := chosen(processes...)
			i.runSelected(s)
			i.Launches.anew(s.processes...)
		}
	}
	overlapping := was("web", view.Online)
	overlapping.Overlaps = true
	for name, tc := range map[string]struct {
		do   commands
		want string // what show says
	}{
		"nothing":                      {want: ""},
		"stop an app":                  {commands{stop("web")}, "stopped=web"},
		"stop one of two":              {commands{stop("last/1")}, "instances stopped=last/1"},
		"stop one, then the other":     {commands{stop("last/1"), stop("last")}, "stopped=last"},
		"stop what was started":        {commands{start("extra"), stop("extra")}, "stopped=extra"},
		"stop all":                     {commands{stop("web", "agent", "extra", "last", "last/1")}, "stopped=agent extra last web"},
		"start":                        {commands{stop("web"), start("web")}, "launches=web/0:8"},
		"start without autostart":      {commands{start("extra")}, "started=extra launches=extra/0:8"},
		"start one of two stopped":     {commands{stop("last", "last/1"), start("last/1")}, "instances stopped=last/0 launches=last/1:8"},
		"start both, one by one":       {commands{stop("last", "last/1"), start("last/1"), start("last")}, "launches=last/0:8 last/1:8"},
		"a stop after a start":         {commands{start("last", "last/1"), stop("last/1")}, "instances stopped=last/1 launches=last/0:8"},
		"start what was left out":      {commands{func(i *intent) { i.LeftOut, i.Stopped = set("web"), set("web") }, start("web")}, "launches=web/0:8"},
		"stop what was left out again": {commands{func(i *intent) { i.LeftOut, i.Stopped = set("web"), set("web") }, stop("web")}, "stopped=web left out=web"},
		"stop the rest of what was left out": {
			commands{func(i *intent) { i.LeftOut, i.StoppedInstances = set("last"), map[string][]int{"last": {0}} }, stop("last/1")},
			"stopped=last",
		},
		"reload": {commands{func(i *intent) {
			i.Launches.replace(overlapping)
		}}, "launches=web/0:5 beside"},
		"reload, stopped first": {commands{func(i *intent) {
			i.Launches.replace(was("web", ""))
		}}, "launches=web/0:5"},
		"a reload that fails":     {commands{func(i *intent) { i.Launches.replace(was("web", "")); i.Launches.drop(was("web", "")) }}, ""},
		"scale":                   {commands{func(i *intent) { i.scale("web", 3) }}, "scaled=web:3"},
		"scale what is stopped":   {commands{stop("web"), func(i *intent) { i.scale("web", 3) }}, "stopped=web scaled=web:3"},
		"scale away what stopped": {commands{stop("last/1"), func(i *intent) { i.scale("last", 1) }}, "scaled=last:1"},
		"scale away what runs":    {commands{stop("last"), func(i *intent) { i.scale("last", 1) }}, "stopped=last scaled=last:1"},
		"scale up beside a stopped one": {
			commands{stop("last/1"), func(i *intent) { i.scale("last", 3); i.launchNew(app(i, "last"), chosen("last", "last/1").processes) }},
			"instances stopped=last/1 scaled=last:3 launches=last/2:1",
		},
		"delete": {
			commands{start("web"), func(i *intent) { i.scale("web", 2); i.Loose["web"] = true; i.remove("web") }},
			"stopped=web apps=agent extra last",
		},
		"stop and start services": {
			commands{func(i *intent) { i.stopServices("redis", "db"); i.runServices("db", "mq") }, func(i *intent) { i.raised("mq") }},
			"services=redis:devstack raising=db",
		},
		"stop a service that is being started": {commands{func(i *intent) { i.runServices("redis"); i.stopServices("redis") }}, "services=redis:devstack"},
		"others stop and start": {
			commands{func(i *intent) {
				i.stopServices("redis")
				i.stoppedByOthers(map[string]string{"db": "other", "redis": "devstack"})
				i.stoppedByOthers(map[string]string{"mq": "other"})
			}},
			"services=mq:other redis:devstack",
		},
		"a start ends a down that failed":   {commands{func(i *intent) { i.Down = &api.DownRequest{} }, start("web")}, "launches=web/0:8"},
		"so does that of a service":         {commands{func(i *intent) { i.Down = &api.DownRequest{} }, func(i *intent) { i.runServices("redis") }}, "raising=redis"},
		"a stop goes on with it":            {commands{func(i *intent) { i.Down = &api.DownRequest{} }, stop("web")}, "stopped=web down"},
		"down leaves what lasts, and alone": {commands{start("extra"), stop("web"), func(i *intent) { i.scale("last", 3); *i = i.over() }}, "stopped=web started=extra scaled=last:3 apps="},
	} {
		t.Run(name, func(t *testing.T) {
			now := intent{Stack: fourApps()}
			for _, change := range tc.do {
				before, next := now, now.clone()
				shown := show(before)
				change(&next)
				if again := show(before); again != shown {
					t.Errorf("the intent before has changed from %q to %q", shown, again)
				}
				now = next
			}
			if got := show(now); got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

// show is what an intent says that the files do not.
func show(i intent) string {
	var parts []string
	add := func(label string, items []string) {
		if len(items) > 0 {
			slices.Sort(items)
			parts = append(parts, strings.TrimSuffix(label+"="+strings.Join(items, " "), "="))
		}
	}
	keys := func(m map[string]bool) []string { return slices.Collect(maps.Keys(m)) }
	add("stopped", keys(i.Stopped))
	var instances, scaled, services, launches, apps []string
	for name, numbers := range i.StoppedInstances {
		for _, n := range numbers {
			instances = append(instances, instanceName(name, n))
		}
	}
	for name, n := range i.Instances {
		scaled = append(scaled, name+":"+string(rune('0'+n)))
	}
	for name, by := range i.StoppedServices {
		services = append(services, name+":"+by)
	}
	for name, l := range i.Launches {
		text := name + ":" + string(rune('0'+l.Least))
		if l.Beside {
			text += " beside"
		}
		launches = append(launches, text)
	}
	add("instances stopped", instances)
	add("started", keys(i.Started))
	add("scaled", scaled)
	add("services", services)
	add("raising", keys(i.Raising))
	add("left out", keys(i.LeftOut))
	add("loose", keys(i.Loose))
	add("launches", launches)
	if i.Down != nil {
		parts = append(parts, "down")
	}
	if i.Stack == nil {
		parts = append(parts, "apps=")
	} else if len(i.Stack.Apps) != 4 {
		for _, a := range i.Stack.Apps {
			apps = append(apps, a.Name)
		}
		add("apps", apps)
	}
	return strings.Join(parts, " ")
}

func TestWish(t *testing.T) {
	i := intent{
		Launches: map[string]launch{"web/0": {Least: 3, Beside: true}},
		lasting:  lasting{Stopped: set("agent"), StoppedInstances: map[string][]int{"last": {1}}},
	}
	for name, want := range map[string]procs.Wish{
		"web": {Least: 3, Beside: true}, "agent": {Stopped: true}, "extra": {}, "last": {},
	} {
		if got := i.wish(name, 0); got != want {
			t.Errorf("%s: %+v, not %+v", name, got, want)
		}
	}
	if got := i.wish("last", 1); !got.Stopped {
		t.Errorf("the second of last: %+v", got)
	}
	i.Down = &api.DownRequest{}
	if got := i.wish("web", 0); !got.Stopped {
		t.Errorf("web during a down: %+v", got)
	}
}

func TestWants(t *testing.T) {
	i := intent{Stack: fourApps(), lasting: lasting{Stopped: set("agent"), Started: set("extra"), StoppedInstances: map[string][]int{"last": {1}}}}
	for name, want := range map[string]bool{"web": true, "agent": false, "extra": true, "last": true} {
		if got := i.wants(app(&i, name)); got != want {
			t.Errorf("wants %s: %v", name, got)
		}
	}
}

// What does not run, or runs as it was defined before, is to be launched; nothing else.
func TestLaunchMissing(t *testing.T) {
	done := was("web", view.Completed)
	done.Ready = true
	for name, tc := range map[string]struct {
		change    func(*intent)
		named     []string
		processes []procs.Process
		want      string
	}{
		"the first up":          {named: []string{"web", "last"}, want: "launches=last/0:1 last/1:1 web/0:1"},
		"it runs":               {named: []string{"web"}, processes: []procs.Process{was("web", view.Online)}},
		"it is launching":       {named: []string{"web"}, processes: []procs.Process{was("web", view.Launching)}},
		"it waits":              {named: []string{"web"}, processes: []procs.Process{was("web", view.Waiting)}},
		"it has given up":       {named: []string{"web"}, processes: []procs.Process{was("web", view.Errored)}, want: "launches=web/0:5"},
		"it is stopped":         {named: []string{"web"}, processes: []procs.Process{was("web", view.Stopped)}, want: "launches=web/0:5"},
		"stopped and not named": {named: []string{"agent"}, processes: []procs.Process{was("web", view.Stopped), was("agent", view.Online)}},
		"it has changed": {
			change: func(i *intent) { i.Stack.Apps[0].Hash = "new" }, named: []string{},
			processes: []procs.Process{was("web", view.Online)}, want: "launches=web/0:5",
		},
		"changed, given up, not named": {
			change: func(i *intent) { i.Stack.Apps[0].Hash = "new" }, named: []string{},
			processes: []procs.Process{was("web", view.Errored)}, want: "launches=web/0:5",
		},
		"changed, stopped, not named": {
			change: func(i *intent) { i.Stack.Apps[0].Hash = "new" }, named: []string{},
			processes: []procs.Process{was("web", view.Stopped)},
		},
		"it is to stay stopped": {
			change: func(i *intent) { i.StoppedInstances = map[string][]int{"last": {1}} }, named: []string{"last"}, want: "instances stopped=last/1 launches=last/0:1",
		},
		"it has done its work": {
			change: func(i *intent) { i.Stack.Apps[0].OneShot = true }, named: []string{"web"},
			processes: []procs.Process{done},
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := intent{Stack: fourApps()}.clone()
			if tc.change != nil {
				tc.change(&i)
			}
			i.launchMissing(tc.named, tc.processes)
			if got := show(i); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// What a resurrect has left out keeps nobody waiting, services always do.
func TestGated(t *testing.T) {
	st := fourApps()
	st.Apps[1].DependsOn = append(st.Apps[1].DependsOn, stack.Dependency{Name: "redis", Service: true}, stack.Dependency{Name: "last"})
	want := intent{Stack: st, LeftOut: set("web", "redis", "last"), lasting: lasting{Stopped: set("web", "redis"), StoppedInstances: map[string][]int{"last": {1}}}}
	var left []string
	for _, dep := range want.gated()[1].DependsOn {
		left = append(left, dep.Name)
	}
	if !slices.Equal(left, []string{"redis", "last"}) || len(st.Apps[1].DependsOn) != 3 {
		t.Errorf("waits for %v; the stack has %v", left, st.Apps[1].DependsOn)
	}
	awaited := want.standing(chosen("last", "last/1").processes)
	if len(awaited) != 1 || awaited[0].Instance != 0 {
		t.Errorf("awaited are %+v", awaited)
	}
}

// What is about to be run anew, or to end, has come nowhere yet; a reload beside the old launch leaves it ready.
func TestStanding(t *testing.T) {
	process := func(name string, generation int64, alter func(*procs.Process)) procs.Process {
		p := processOf(view.Process{Name: name, Status: view.Online, Ready: true, Pid: new(7)})
		p.Generation = generation
		if alter != nil {
			alter(&p)
		}
		return p
	}
	completed := func(p *procs.Process) { p.Status, p.Pid, p.Ended = view.Completed, nil, true }
	want := intent{
		Launches: launches{"anew/0": {Least: 5}, "beside/0": {Least: 5, Beside: true}, "migrate/0": {Least: 2}},
		lasting:  lasting{Stopped: set("ending", "done")},
	}
	for name, tc := range map[string]struct {
		process procs.Process
		ready   bool
	}{
		"nobody asked":                     {process("web", 4, nil), true},
		"about to be launched":             {process("anew", 4, nil), false},
		"launched":                         {process("anew", 5, nil), true},
		"beside the old one":               {process("beside", 4, nil), true},
		"completed, and about to run":      {process("migrate", 1, completed), false},
		"completed again":                  {process("migrate", 2, completed), true},
		"about to be stopped":              {process("ending", 4, nil), false},
		"completed, and stopped afterward": {process("done", 1, completed), true},
	} {
		got := want.standing([]procs.Process{tc.process})[0]
		started := processOpen(stack.Started, got)
		if got.Ready != tc.ready || started != tc.ready || !tc.ready && got.Status != view.Waiting {
			t.Errorf("%s: %+v", name, got.Process)
		}
	}
}

// A service whose run is to end is not ready until it has another one, or until nobody wants that any more.
func TestStandingServices(t *testing.T) {
	run := func(started int64) []view.ServiceDetails {
		at := at(started)
		return []view.ServiceDetails{serviceOf(view.Service{Name: "db", ID: "c1", StartedAt: &at, Ready: true, State: "running", Health: view.HealthCompleted})}
	}
	want := intent{}.clone()
	want.rerunServices(run(1), "db", "unknown")
	ready := func(s []view.ServiceDetails) bool {
		open := want.standingServices(s)[0]
		if completed := serviceOpen(stack.Completed, open); completed != open.Ready || serviceOpen(stack.Started, open) != open.Ready {
			t.Errorf("%+v", open)
		}
		return open.Ready
	}
	if seen := run(1); ready(seen) || !seen[0].Ready {
		t.Error("the run that is to end is ready, or what is seen was changed")
	}
	if !ready(run(2)) {
		t.Error("the next run is not ready")
	}
	want.raised("db")
	if !ready(run(1)) {
		t.Error("the run that stays is not ready")
	}
}

// A new daemon that knows no service yet closes what an earlier one may have left open.
func TestUnproven(t *testing.T) {
	st := &stack.Stack{Apps: []stack.App{
		{Name: "db"},
		{Name: "steady"},
		{Name: "web", DependsOn: []stack.Dependency{
			{Name: "db", Condition: stack.Healthy},
			{Name: "steady", Condition: stack.Healthy},
			{Name: "redis", Service: true, Condition: stack.Healthy},
			{Name: "mq", Service: true, Condition: stack.Healthy},
		}},
	}}
	ready := func(name string) procs.Process {
		return processOf(view.Process{Name: name, Ready: true, Status: view.Online})
	}
	want := intent{Stack: st, Launches: launches{"db/0": {Least: 3}}, Outgoing: map[string]string{"mq": "c1"}}
	if got := want.unproven([]procs.Process{ready("db"), ready("steady")})["web"]; !slices.Equal(got, []string{"db", "mq"}) {
		t.Errorf("web waits for %v", got)
	}
}

// A whole intent comes back from the keeper, and nothing of it is missed in encode.
func TestIntentRoundTrip(t *testing.T) {
	want := intent{
		Stack:       &stack.Stack{Project: "p", Dir: "/d", Apps: []stack.App{{Name: "web", Hash: "h"}}},
		Files:       api.Files{File: "/d/ecosystem.yaml", Profile: "dev"},
		Environment: []string{"TOKEN=hunter2"}, Services: []string{"redis"}, NoInfra: true, Loose: set("web"), LeftOut: set("agent"),
		Launches: map[string]launch{"web/0": {Least: 7, Beside: true}}, Raising: set("redis"), Outgoing: map[string]string{"redis": "r1"}, Booting: true, Down: &api.DownRequest{Volumes: true},
		lasting: lasting{
			Version: savedVersion, SavedAt: at(5), Stopped: set("agent"), StoppedInstances: map[string][]int{"web": {1}}, Started: set("extra"),
			Instances: map[string]int{"web": 2}, Inputs: map[string]string{"web": "d"}, StoppedServices: map[string]string{"redis": "other"}, Driver: driverNative,
		},
	}
	for i, v := 0, reflect.ValueOf(want); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("this test says nothing about %s", v.Type().Field(i).Name)
		}
	}
	blob, err := want.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeIntent(blob)
	if err != nil {
		t.Fatal(err)
	}
	if got.Stack.Project != "p" || got.Stack.Apps[0].Hash != "h" {
		t.Errorf("the stack came back as %+v", got.Stack)
	}
	if !got.SavedAt.Equal(want.SavedAt) {
		t.Errorf("saved at %s", got.SavedAt)
	}
	got.Stack, got.SavedAt = want.Stack, want.SavedAt
	if !reflect.DeepEqual(got, want) {
		t.Errorf("came back as\n%+v\nnot\n%+v", got, want)
	}
	if got, err := decodeIntent(nil); err != nil || !reflect.DeepEqual(got, intent{}) {
		t.Errorf("nothing is %+v, %v", got, err)
	}
	over, err := want.over().encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodeIntent(over); err != nil || got.Stack != nil || got.Down != nil || !got.Stopped["agent"] {
		t.Errorf("after down it is %+v, %v", got, err)
	}
	for name, data := range map[string]string{"damaged": "no JSON", "newer": `{"version": 2}`, "of nobody": `{}`} {
		if _, err := decodeIntent([]byte(data)); err == nil {
			t.Errorf("one that is %s is accepted", name)
		}
	}
}

// What an earlier devstackd had in the keeper's memory when it was replaced.
func TestStashOfAnEarlierVersion(t *testing.T) {
	st := fourApps()
	st.Apps[3].Instances = 3
	data, err := st.Encode()
	if err != nil {
		t.Fatal(err)
	}
	blob := `{"stack": ` + string(data) + `, "files": {"file": "/d/ecosystem.yaml"}, "environment": ["TOKEN=hunter2"], "services": ["redis"],
		"no_infra": false, "infra": "native", "loose": {"agent": true}, "scaled": {"last": true, "web": false},
		"will": {"stopped": {"web": true}, "started": {"extra": true}, "left_out": {"web": true}, "booting": true}}`
	if !json.Valid([]byte(blob)) {
		t.Fatal(blob)
	}
	got, err := decodeIntent([]byte(blob))
	if err != nil {
		t.Fatal(err)
	}
	if said := show(got); said != "stopped=web started=extra scaled=last:3 left out=web loose=agent" {
		t.Errorf("it is %q", said)
	}
	if got.Driver != driverNative || !got.Booting || got.Files.File != "/d/ecosystem.yaml" || got.Environment[0] != "TOKEN=hunter2" || got.Services[0] != "redis" {
		t.Errorf("it is %+v", got)
	}
}
