package infra

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"devstack/stack"
)

// project is an app that depends on a healthy db and a finished seed, with a volume and a network.
func project() *types.Project {
	service := func(name string, more func(*types.ServiceConfig)) types.ServiceConfig {
		s := types.ServiceConfig{Name: name}
		s.Image = name + ":1"
		s.Networks = map[string]*types.ServiceNetworkConfig{"default": nil}
		if more != nil {
			more(&s)
		}
		return s
	}
	return &types.Project{
		Name: "p",
		Services: types.Services{
			"db": service("db", func(s *types.ServiceConfig) {
				s.HealthCheck = &types.HealthCheckConfig{Test: types.HealthCheckTest{"CMD", "true"}}
				s.Volumes = []types.ServiceVolumeConfig{{Type: "volume", Source: "data", Target: "/data"}}
			}),
			"seed": service("seed", func(s *types.ServiceConfig) {
				s.DependsOn = types.DependsOnConfig{"db": {Condition: types.ServiceConditionHealthy}}
			}),
			"app": service("app", func(s *types.ServiceConfig) {
				s.DependsOn = types.DependsOnConfig{
					"db":   {Condition: types.ServiceConditionStarted, Restart: true},
					"seed": {Condition: types.ServiceConditionCompletedSuccessfully},
				}
			}),
		},
		Networks: types.Networks{"default": {Name: "p_default"}},
		Volumes:  types.Volumes{"data": {Name: "p_data"}},
	}
}

// running is what Up leaves of that project.
func observed(t *testing.T, p *types.Project) Observed {
	t.Helper()
	obs := Observed{Networks: map[string][]Network{}, Volumes: map[string]Volume{}, Images: map[string]Image{}}
	for key, n := range p.Networks {
		hash, err := stack.NetworkHash(n)
		if err != nil {
			t.Fatal(err)
		}
		obs.Networks[n.Name] = []Network{{ID: "net-" + key, Name: n.Name, Labels: map[string]string{LabelProject: p.Name, LabelHash: hash, LabelVersion: ComposeVersion}}}
	}
	for _, v := range p.Volumes {
		hash, err := stack.VolumeHash(v)
		if err != nil {
			t.Fatal(err)
		}
		obs.Volumes[v.Name] = Volume{Name: v.Name, Labels: map[string]string{LabelProject: p.Name, LabelHash: hash, LabelVersion: ComposeVersion}}
	}
	for _, name := range Order(p) {
		s := p.Services[name]
		hash, err := stack.ServiceHash(s)
		if err != nil {
			t.Fatal(err)
		}
		obs.Images[s.Image] = Image{ID: "sha256:" + name}
		c := Container{
			ID: name + "-0123456789abcdef", Name: ContainerName(p.Name, s), Service: name, State: "running", Networks: map[string]string{"p_default": "net-default"},
			Labels: map[string]string{LabelProject: p.Name, LabelHash: hash, LabelVersion: ComposeVersion, LabelImage: "sha256:" + name},
		}
		for _, v := range s.Volumes {
			c.Mounts = append(c.Mounts, Mount{p.Volumes[v.Source].Name, v.Target})
		}
		obs.Containers = append(obs.Containers, c)
	}
	return obs
}

// container is one of obs.
func (o *Observed) container(service string) *Container {
	for i := range o.Containers {
		if o.Containers[i].Service == service {
			return &o.Containers[i]
		}
	}
	return nil
}

func (o *Observed) remove(service string) {
	var kept []Container
	for _, c := range o.Containers {
		if c.Service != service {
			kept = append(kept, c)
		}
	}
	o.Containers = kept
}

const nothing = "nothing to do: all containers run as the Compose file wants them\n"

func TestReconcile(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(*types.Project, *Observed)
		want string
	}{
		{"everything runs", func(*types.Project, *Observed) {}, nothing},
		{"nothing is there", func(_ *types.Project, o *Observed) {
			o.Containers, o.Networks, o.Volumes = nil, nil, nil
		}, `
[] -> #1 volume:data, create volume, not found
[] -> #2 network:default, create network, not found
[1,2] -> #3 service:db, create container, no existing container
[3] -> #4 service:db, start container, just created
[2] -> #5 service:seed, create container, no existing container
[4] -> #6 service:db, await health of service, seed depends on it
[5,6] -> #7 service:seed, start container, just created
[2] -> #8 service:app, create container, no existing container
[7] -> #9 service:seed, await completion of service, app depends on it
[4,8,9] -> #10 service:app, start container, just created
`},
		{"an image is missing: nothing is made before it is there", func(_ *types.Project, o *Observed) {
			o.Containers, o.Networks = nil, nil
			delete(o.Images, "db:1")
		}, `
[] -> #1 image:db:1, pull image, not on this machine
[1] -> #2 network:default, create network, not found
[1,2] -> #3 service:db, create container, no existing container
[3] -> #4 service:db, start container, just created
[1,2] -> #5 service:seed, create container, no existing container
[4] -> #6 service:db, await health of service, seed depends on it
[5,6] -> #7 service:seed, start container, just created
[1,2] -> #8 service:app, create container, no existing container
[7] -> #9 service:seed, await completion of service, app depends on it
[4,8,9] -> #10 service:app, start container, just created
`},
		{"one was stopped", func(_ *types.Project, o *Observed) {
			o.container("db").State = "exited"
		}, "[] -> #1 service:db, start container, exited\n"},
		{"the engine restarts one", func(_ *types.Project, o *Observed) {
			o.container("db").State = "restarting"
		}, nothing},
		{"one is paused", func(_ *types.Project, o *Observed) {
			o.container("db").State = "paused"
		}, "[] -> #1 service:db, start container, paused\n"},
		{"a one-shot has done its work", func(_ *types.Project, o *Observed) {
			o.container("seed").State = "exited"
		}, nothing},
		{"a one-shot has failed", func(_ *types.Project, o *Observed) {
			o.container("seed").State, o.container("seed").ExitCode = "exited", 1
		}, `
[] -> #1 service:db, await health of service, seed depends on it
[1] -> #2 service:seed, start container, exited
`},
		{"a changed definition, and a dependent that restarts with it", func(p *types.Project, _ *Observed) {
			s := p.Services["db"]
			s.User = "1000"
			p.Services["db"] = s
		}, `
[] -> #1 service:db, create container, the definition changed
[1] -> #2 service:db, stop container, replaced by #1
[2] -> #3 service:db, remove container, replaced by #1
[3] -> #4 service:db, rename container, replaced by #1
[4] -> #5 service:db, start container, recreated
[] -> #6 service:app, stop container, what it depends on is recreated
[] -> #7 service:seed, await completion of service, app depends on it
[5,6,7] -> #8 service:app, start container, what it depends on is recreated
`},
		{"another version's hash of the same container", func(_ *types.Project, o *Observed) {
			c := o.container("seed")
			c.Labels[LabelHash], c.Labels[LabelVersion], c.SameConfig = "other", "2.20.0", true
		}, nothing},
		{"another version's hash of another container", func(_ *types.Project, o *Observed) {
			c := o.container("app")
			c.State = "exited"
			c.Labels[LabelHash], c.Labels[LabelVersion] = "other", "2.20.0"
		}, `
[] -> #1 service:app, create container, the definition changed
[1] -> #2 service:app, remove container, replaced by #1
[2] -> #3 service:app, rename container, replaced by #1
[] -> #4 service:seed, await completion of service, app depends on it
[3,4] -> #5 service:app, start container, recreated
`},
		{"how it is pulled is no part of the container", func(p *types.Project, _ *Observed) {
			s := p.Services["db"]
			s.PullPolicy = "never"
			p.Services["db"] = s
		}, nothing},
		{"a newer image", func(_ *types.Project, o *Observed) {
			o.Images["seed:1"] = Image{ID: "sha256:new"}
			o.container("seed").State = "created"
		}, `
[] -> #1 service:seed, create container, the image changed
[1] -> #2 service:seed, remove container, replaced by #1
[2] -> #3 service:seed, rename container, replaced by #1
[] -> #4 service:db, await health of service, seed depends on it
[3,4] -> #5 service:seed, start container, recreated
`},
		{"a network that was removed and made again by somebody", func(_ *types.Project, o *Observed) {
			o.remove("seed")
			o.remove("app")
			o.Networks["p_default"][0].ID = "net-new"
			o.container("db").State = "exited"
		}, `
[] -> #1 service:db, create container, attached to an older network p_default
[1] -> #2 service:db, remove container, replaced by #1
[2] -> #3 service:db, rename container, replaced by #1
[3] -> #4 service:db, start container, recreated
[] -> #5 service:seed, create container, no existing container
[4] -> #6 service:db, await health of service, seed depends on it
[5,6] -> #7 service:seed, start container, just created
[] -> #8 service:app, create container, no existing container
[7] -> #9 service:seed, await completion of service, app depends on it
[4,8,9] -> #10 service:app, start container, just created
`},
		{"a changed network", func(p *types.Project, o *Observed) {
			o.remove("seed")
			o.remove("app")
			delete(p.Services, "seed")
			delete(p.Services, "app")
			p.Networks["default"] = types.NetworkConfig{Name: "p_default", Internal: true}
		}, `
[] -> #1 service:db, stop container, the definition of the network changed
[1] -> #2 service:db, disconnect container, the definition of the network changed
[2] -> #3 network:default, remove network, the definition of the network changed
[3] -> #4 network:default, create network, the definition of the network changed
[4] -> #5 service:db, connect container, the definition of the network changed
[1,5] -> #6 service:db, start container, stopped for its new network
`},
		{"a second container of a service", func(_ *types.Project, o *Observed) {
			spare := *o.container("db")
			spare.ID, spare.Name, spare.State = "spare", "p-db-2", "created"
			o.Containers = append([]Container{spare}, o.Containers...)
		}, "[] -> #1 service:db, remove container, a second container of the service\n"},
		{"a network of the same name twice", func(_ *types.Project, o *Observed) {
			second := o.Networks["p_default"][0]
			second.ID = "net-second"
			o.Networks["p_default"] = append(o.Networks["p_default"], second)
		}, "[] -> #1 network:default, remove network, a second network of the same name\n"},
		{"ports that the engine picks are picked one after the other", func(p *types.Project, o *Observed) {
			delete(p.Services, "seed")
			for _, name := range []string{"app", "db"} {
				s := p.Services[name]
				s.DependsOn, s.Ports = nil, []types.ServicePortConfig{{Target: 80, Protocol: "tcp"}}
				p.Services[name] = s
			}
			o.Containers = nil
		}, `
[] -> #1 service:app, create container, no existing container
[1] -> #2 service:app, start container, just created
[] -> #3 service:db, create container, no existing container
[2,3] -> #4 service:db, start container, just created
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := project()
			obs := observed(t, p)
			test.edit(p, &obs)
			plan, err := Reconcile(Project{Project: p}, obs, Wanted{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), plan.String()); diff != "" {
				t.Errorf("the plan differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReconcileOfOneServiceDoesNotWaitForOthers(t *testing.T) {
	p := project()
	obs := observed(t, p)
	obs.remove("app")
	obs.container("db").State = "exited"
	plan, err := Reconcile(Project{Project: p}, obs, Wanted{Services: []string{"app"}})
	if err != nil {
		t.Fatal(err)
	}
	want := "[] -> #1 service:app, create container, no existing container\n[1] -> #2 service:app, start container, just created\n"
	if got := plan.String(); got != want {
		t.Errorf("the plan is\n%swant\n%s", got, want)
	}
}

// After a boot, what somebody has stopped stays down, and nobody waits for it; what is started with them is waited for.
func TestReconcileOfSomeServicesWaitsForThoseOfThem(t *testing.T) {
	p := project()
	obs := observed(t, p)
	for i := range obs.Containers {
		obs.Containers[i].State = "exited"
		obs.Containers[i].ExitCode = 1
	}
	waits := func(services ...string) string {
		plan, err := Reconcile(Project{Project: p}, obs, Wanted{Services: services})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, o := range plan.Ops {
			out = append(out, string(o.Kind)+" "+o.Service)
		}
		return strings.Join(out, ", ")
	}
	for want, services := range map[string][]string{
		"StartContainer db, WaitHealthy db, StartContainer seed":      {"db", "seed"},
		"StartContainer seed, WaitCompleted seed, StartContainer app": {"seed", "app"},
		"StartContainer app": {"app"},
		"":                   {"none"},
	} {
		if got := waits(services...); got != want {
			t.Errorf("%v: %s, want %s", services, got, want)
		}
	}
}

func TestReconcileRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(*types.Project, *Observed)
		kind ErrorKind
		want string
	}{
		{"a container name of another project", func(_ *types.Project, o *Observed) {
			o.Others = []Other{{Name: "p-db-1", Project: "q"}}
		}, Conflict, "the container name p-db-1 of service db belongs to another container, of the Compose project q"},
		{"a container name of nobody", func(_ *types.Project, o *Observed) {
			o.Others = []Other{{Name: "p-db-1"}}
		}, Conflict, "the container name p-db-1 of service db belongs to another container, of no Compose project"},
		{"a missing external network", func(p *types.Project, _ *Observed) {
			p.Networks["default"] = types.NetworkConfig{Name: "shared", External: true}
		}, Failed, "the network shared is external and does not exist"},
		{"a missing external volume", func(p *types.Project, _ *Observed) {
			p.Volumes["data"] = types.VolumeConfig{Name: "shared", External: true}
		}, Failed, "the volume shared is external and does not exist"},
		{"a healthy dependency that nobody can ask", func(p *types.Project, _ *Observed) {
			s := p.Services["db"]
			s.HealthCheck = nil
			p.Services["db"] = s
		}, Unsupported, "service seed waits until db is healthy (service_healthy), and nothing tells when that is: db has no healthcheck and publishes no port"},
		{"an image that must not be pulled", func(p *types.Project, o *Observed) {
			s := p.Services["db"]
			s.PullPolicy = "never"
			p.Services["db"] = s
			delete(o.Images, "db:1")
		}, NoImage, "the image db:1 of service db is not on this machine and pull_policy is never"},
	} {
		p := project()
		obs := observed(t, p)
		test.edit(p, &obs)
		_, err := Reconcile(Project{Project: p}, obs, Wanted{})
		var e *Error
		if !errors.As(err, &e) || e.Kind != test.kind || e.Message != test.want || e.Hint == "" {
			t.Errorf("%s: %#v, want %s: %s, with a hint", test.name, err, test.kind, test.want)
		}
	}
}

func TestAHealthyDependencyCanBeAsked(t *testing.T) {
	for name, edit := range map[string]func(*types.ServiceConfig, *Observed){
		"over its published port": func(s *types.ServiceConfig, _ *Observed) {
			s.Ports = []types.ServicePortConfig{{Target: 9000, Protocol: "tcp"}}
		},
		"in its own protocol":              func(s *types.ServiceConfig, _ *Observed) { s.Command = types.ShellCommand{"redis-server"} },
		"by its image's healthcheck":       func(_ *types.ServiceConfig, o *Observed) { o.Images["db:1"] = Image{Healthcheck: true} },
		"once its image is on the machine": func(_ *types.ServiceConfig, o *Observed) { delete(o.Images, "db:1") },
	} {
		p := project()
		obs := observed(t, p)
		s := p.Services["db"]
		s.HealthCheck = nil
		edit(&s, &obs)
		p.Services["db"] = s
		if _, err := Reconcile(Project{Project: p}, obs, Wanted{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What has done its work from this very definition is not run again; what was stopped is.
func TestWhatIsCompletedIsNotRunAgain(t *testing.T) {
	p := project()
	app := p.Services["app"]
	app.DependsOn = nil
	p.Services["app"] = app
	obs := observed(t, p)
	id := ""
	for n := range obs.Containers {
		if c := &obs.Containers[n]; c.Service == "seed" {
			c.State, c.ExitCode, id = "exited", 0, c.ID
		}
	}
	for name, test := range map[string]struct {
		p    Project
		w    Wanted
		want bool
	}{
		"it was stopped, as far as is known": {Project{Project: p}, Wanted{}, true},
		"it has completed":                   {Project{Project: p}, Wanted{Done: map[string]string{"seed": id}}, false},
		"another container of it has":        {Project{Project: p}, Wanted{Done: map[string]string{"seed": "other"}}, true},
		"an app waits for its end":           {Project{Project: p, OneShots: []string{"seed"}}, Wanted{}, false},
	} {
		plan, err := Reconcile(test.p, obs, test.w)
		if err != nil || !plan.Empty() != test.want {
			t.Errorf("%s: the plan is %v (%v), want a start: %t", name, plan, err, test.want)
		}
	}
}

func TestWhatAPlanStarts(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*types.Project, *Observed)
		want Start
	}{
		"all is new":         {func(_ *types.Project, o *Observed) { *o = Observed{Images: o.Images} }, Start{Planned: true, Renewed: true, Fresh: true}},
		"the data are there": {func(_ *types.Project, o *Observed) { o.Containers = nil }, Start{Planned: true, Renewed: true}},
		"it is only started": {func(_ *types.Project, o *Observed) { o.Containers[0].State = "exited" }, Start{Planned: true}},
		"it runs":            {func(*types.Project, *Observed) {}, Start{}},
		"its data are in the container": {func(p *types.Project, o *Observed) {
			s := p.Services["db"]
			s.Volumes = nil
			p.Services["db"] = s
			o.Containers = nil
		}, Start{Planned: true, Renewed: true, Fresh: true}},
		"its data are in a directory": {func(p *types.Project, o *Observed) {
			s := p.Services["db"]
			s.Volumes = []types.ServiceVolumeConfig{{Type: "bind", Source: "/pg", Target: "/data"}}
			p.Services["db"] = s
			o.Containers = nil
		}, Start{Planned: true, Renewed: true}},
	} {
		p := project()
		obs := observed(t, p)
		test.edit(p, &obs)
		plan, err := Reconcile(Project{Project: p}, obs, Wanted{})
		if got := plan.starts(Project{Project: p}, "db"); err != nil || got != test.want {
			t.Errorf("%s: %+v (%v), want %+v", name, got, err, test.want)
		}
	}
}

func TestReconcileKeepsWhatHoldsData(t *testing.T) {
	p := project()
	obs := observed(t, p)
	p.Volumes["data"] = types.VolumeConfig{Name: "p_data", DriverOpts: map[string]string{"o": "bind"}}
	obs.Networks["p_default"][0].Labels = nil
	plan, err := Reconcile(Project{Project: p}, obs, Wanted{})
	if err != nil || !plan.Empty() || len(plan.Warnings) != 2 {
		t.Errorf("the plan is %v (%v) with warnings %q; want none, and two warnings", plan, err, plan.Warnings)
	}
}

func TestPullPolicies(t *testing.T) {
	now := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		policy string
		found  bool
		age    time.Duration
		want   string
	}{
		{"", true, 0, ""},
		{"", false, 0, "not on this machine"},
		{"missing", true, 0, ""},
		{"if_not_present", false, 0, "not on this machine"},
		{"always", true, 0, "pull_policy is always"},
		{"daily", true, 25 * time.Hour, "pull_policy is daily"},
		{"daily", true, time.Hour, ""},
		{"every_2h", true, 3 * time.Hour, "pull_policy is every_2h"},
		{"never", true, 0, ""},
	} {
		s := types.ServiceConfig{Name: "db"}
		s.PullPolicy = test.policy
		got, err := pullCause(s, Image{TaggedAt: now.Add(-test.age)}, test.found, now)
		if err != nil || got != test.want {
			t.Errorf("pull_policy %q, found %t, age %v: %q (%v), want %q", test.policy, test.found, test.age, got, err, test.want)
		}
	}
}
