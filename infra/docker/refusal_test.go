package docker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"devstack/bench/freeport"
	"devstack/infra"
	"devstack/view"
)

// refused checks an *infra.Error, what it says, and that nothing was made.
func (f *fixture) refused(err error, kind infra.ErrorKind, words ...string) {
	f.Helper()
	var e *infra.Error
	if !errors.As(err, &e) || e.Kind != kind {
		f.Fatalf("the error is %v, want one of kind %q", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			f.Errorf("the message %q does not say %q", err, w)
		}
	}
	if e.Hint == "" {
		f.Error("the error has no hint")
	}
	obs, lookErr := f.driver.Observe(f.ctx, f.project, nil)
	if lookErr != nil {
		f.Fatal(lookErr)
	}
	if len(obs.Containers)+len(obs.Networks)+len(obs.Volumes) > 0 {
		f.Errorf("something was made: %+v", obs)
	}
}

func TestAPortTakenByAProcessIsNamedBeforeAnythingStarts(t *testing.T) {
	f := newFixture(t, sample)
	l, err := net.Listen("tcp", "127.0.0.1:"+f.env["POSTGRES_PORT"])
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f.refused(f.infra().Up(f.ctx, f.load(), nil), infra.PortTaken, f.env["POSTGRES_PORT"], "postgres", fmt.Sprintf("(pid %d)", os.Getpid()))
}

func TestPortsTakenByAContainerAndAProcessAreNamedTogether(t *testing.T) {
	holder := newFixture(t, redisOnly)
	i := holder.infra()
	holder.up(i)

	f := &fixture{T: t, ctx: holder.ctx, driver: holder.driver, dir: t.TempDir(), project: holder.project + "b"}
	f.env = map[string]string{"PROJECT": f.project, "REDIS_PORT": holder.env["REDIS_PORT"], "POSTGRES_PORT": strconv.Itoa(freeport.Get(t))}
	f.write(sample)
	l, err := net.Listen("tcp", "127.0.0.1:"+f.env["POSTGRES_PORT"])
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f.refused(f.infra().Up(f.ctx, f.load(), nil), infra.PortTaken,
		f.env["REDIS_PORT"], holder.project+"-redis-1", "Compose project "+holder.project, f.env["POSTGRES_PORT"], fmt.Sprintf("(pid %d)", os.Getpid()))
}

func TestAnImageThatCannotBeHadStartsNothing(t *testing.T) {
	f := newFixture(t, strings.Replace(sample, "postgres:16-alpine", "127.0.0.1:1/devstack/nowhere:1", 1))
	f.refused(f.infra().Up(f.ctx, f.load(), nil), infra.NoImage, "127.0.0.1:1/devstack/nowhere:1", "postgres")
}

func TestWhatDevstackCannotDoIsRefusedByName(t *testing.T) {
	f := newFixture(t, strings.Replace(sample, "  redis:\n", "  redis:\n    links: [postgres]\n    pid: service:postgres\n", 1))
	f.refused(f.infra().Up(f.ctx, f.load(), nil), infra.Unsupported, "service redis", "links", "pid: service:postgres")
}

func TestANameThatBelongsToAnotherIsAConflict(t *testing.T) {
	f := newFixture(t, strings.Replace(redisOnly, "  redis:\n", "  redis:\n    container_name: ${PROJECT}-mine\n", 1))
	name := f.project + "-mine"
	f.docker("create", "--name", name, "redis:7-alpine")
	t.Cleanup(func() { f.docker("rm", "-f", "-v", name) })
	f.refused(f.infra().Up(f.ctx, f.load(), nil), infra.Conflict, name)
}

func TestExternalPartsThatAreMissingAreNamed(t *testing.T) {
	f := newFixture(t, redisOnly+"networks: {default: {external: true, name: \"${PROJECT}-nowhere\"}}\n")
	f.refused(f.infra().Up(f.ctx, f.load(), nil), infra.Failed, f.project+"-nowhere")
}

func TestTwoUpsAtOnceMakeOneOfEach(t *testing.T) {
	f := newFixture(t, sample)
	p := f.load()
	var work sync.WaitGroup
	errs := make([]error, 3)
	all := []*infra.Infra{f.infra(), f.infra()}
	for n := range errs {
		work.Go(func() { errs[n] = all[n%len(all)].Up(f.ctx, p, nil) })
	}
	work.Wait()
	for n, err := range errs {
		if err != nil {
			t.Errorf("up %d: %v", n, err)
		}
	}
	f.ready(all[0])
	obs, err := f.driver.Observe(f.ctx, f.project, p.Project)
	if err != nil {
		t.Fatal(err)
	}
	if len(obs.Containers) != 2 || len(obs.Networks[f.project+"_default"]) != 1 {
		t.Errorf("there are %d containers and %d networks, want 2 and 1", len(obs.Containers), len(obs.Networks[f.project+"_default"]))
	}
	f.answers()
}

func TestARecreatedNetworkTakesItsContainersAlong(t *testing.T) {
	f := newFixture(t, redisOnly)
	i := f.infra()
	f.up(i)
	before := f.ready(i)["redis"]
	f.docker("stop", string(before.ID))
	f.until("stopped", i, func(all map[string]view.ServiceDetails) bool { return all["redis"].StoppedBy == "other" })
	f.docker("network", "rm", f.project+"_default")
	f.docker("network", "create", "--label", infra.LabelProject+"="+f.project, "--label", infra.LabelNetwork+"=default", f.project+"_default")
	f.up(i)
	f.back(i, before)
	f.answersRedis()
}

func TestAChangedNetworkIsMadeAnewAndTheContainerKept(t *testing.T) {
	f := newFixture(t, redisOnly)
	i := f.infra()
	f.up(i)
	before := f.ready(i)["redis"]
	f.write(redisOnly + "networks: {default: {labels: {changed: \"yes\"}}}\n")
	f.up(i)
	after := f.back(i, before)
	if after.ID != before.ID {
		t.Errorf("the container is another one: %s, was %s", after.ID, before.ID)
	}
	if got := f.docker("network", "inspect", "-f", `{{index .Labels "changed"}}`, f.project+"_default"); got != "yes" {
		t.Errorf("the network's label is %q, want yes", got)
	}
}

func TestAChangedDefinitionRecreatesThatContainerAlone(t *testing.T) {
	f := newFixture(t, sample)
	i := f.infra()
	f.up(i)
	before := f.ready(i)
	f.say("SET kept yes")
	f.write(strings.Replace(sample, "    command: [redis-server,", "    labels: {changed: \"yes\"}\n    command: [redis-server,", 1))
	plan, err := i.Plan(f.ctx, f.load())
	if err != nil || !strings.Contains(plan.String(), "service:redis, create container, the definition changed") || strings.Contains(plan.String(), "postgres") {
		t.Fatalf("the plan (%v) is\n%s", err, plan)
	}
	f.up(i)
	after := f.ready(i)
	if after["redis"].ID == before["redis"].ID || after["postgres"].ID != before["postgres"].ID {
		t.Errorf("recreated: redis %t, postgres %t; want true, false", after["redis"].ID != before["redis"].ID, after["postgres"].ID != before["postgres"].ID)
	}
	if after["redis"].ContainerName != f.project+"-redis-1" || f.say("GET kept") != "yes" {
		t.Errorf("the new container is named %s and has kept=%q", after["redis"].ContainerName, f.say("GET kept"))
	}
}

func TestAWrongPasswordOnAnOldVolumeIsExplained(t *testing.T) {
	f := newFixture(t, sample)
	i := f.infra()
	f.up(i)
	f.ready(i)
	if err := i.Down(f.ctx, f.load().Project, f.project, false); err != nil {
		t.Fatal(err)
	}
	f.env["PG_PASSWORD"] = "another"
	f.up(i)
	s := f.until("postgres is unhealthy", i, func(all map[string]view.ServiceDetails) bool { return all["postgres"].Health == view.HealthUnhealthy })["postgres"]
	if s.Ready || !strings.Contains(s.Detail, "password") || !strings.Contains(s.Detail, "empty data directory") {
		t.Errorf("postgres says %q", s.Detail)
	}
}
