package docker

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"devstack/infra"
	"devstack/view"
)

// compose runs docker compose in the fixture's directory.
func (f *fixture) compose(args ...string) string {
	f.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		f.Fatal(err)
	}
	path, err := exec.CommandContext(f.ctx, filepath.Join(root, "scripts", "compose")).Output()
	if err != nil {
		f.Fatalf("cannot build docker compose: %v", err)
	}
	cmd := exec.CommandContext(f.ctx, strings.TrimSpace(string(path)), args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), f.environ()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.Fatalf("docker compose %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func ids(services map[string]view.ServiceDetails) map[string]string {
	out := map[string]string{}
	for name, s := range services {
		out[name] = string(s.ID)
	}
	return out
}

// worker is a service of no known kind that uses much of what changes a hash.
const worker = `
  worker:
    image: redis:7-alpine
    entrypoint: [sleep, infinity]
    init: true
    labels: {team: data}
    tmpfs: [/scratch]
    ulimits: {nofile: {soft: 1024, hard: 2048}}
    deploy: {resources: {limits: {memory: 64M, cpus: "0.5"}}}
    networks: {back: {aliases: [helper]}, default: }
    secrets: [token]
    configs: [{source: settings, target: /etc/settings}]
    depends_on: {redis: {condition: service_healthy}}
    stop_grace_period: 1s
networks: {back: {internal: true}, default: }
secrets: {token: {file: ./token}}
configs: {settings: {content: "a: 1"}}
volumes:`

func newAll(t *testing.T) *fixture {
	f := newFixture(t, strings.Replace(sample, "\nvolumes:", worker, 1))
	if err := os.WriteFile(filepath.Join(f.dir, "token"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDockerComposeAdoptsWhatDevstackMade(t *testing.T) {
	f := newAll(t)
	i := f.infra()
	f.up(i)
	before := ids(f.ready(i))
	out := f.compose("up", "-d")
	if strings.Count(out, "Running") < 3 || strings.Contains(out, "Recreate") || strings.Contains(out, "Created") {
		t.Errorf("docker compose up -d says\n%s", out)
	}
	if ps := f.compose("ps", "--format", "{{.Service}}"); len(strings.Fields(ps)) != 3 {
		t.Errorf("docker compose ps lists %q, want three services", ps)
	}
	obs, err := f.driver.Observe(f.ctx, f.project, f.load().Project)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range obs.Containers {
		if before[c.Service] != c.ID {
			t.Errorf("%s is another container: %s, was %s", c.Service, c.ID, before[c.Service])
		}
	}
}

func TestDevstackAdoptsWhatDockerComposeMade(t *testing.T) {
	f := newAll(t)
	f.compose("up", "-d")
	i := f.infra()
	plan, err := i.Plan(f.ctx, f.load())
	if err != nil || !plan.Empty() {
		t.Fatalf("the plan (%v) is\n%s", err, plan)
	}
	f.up(i)
	services := f.ready(i)
	f.answers()
	if len(services) != 3 {
		t.Errorf("there are %d services, want 3", len(services))
	}

	f.compose("stop")
	f.until("all stopped by other", i, func(all map[string]view.ServiceDetails) bool {
		return all["redis"].StoppedBy == "other" && all["postgres"].StoppedBy == "other" && all["worker"].StoppedBy == "other"
	})
	f.compose("start")
	f.ready(i)
	f.compose("up", "-d", "--force-recreate")
	f.until("new containers are ready", i, func(all map[string]view.ServiceDetails) bool {
		for name, s := range all {
			if s.ID == services[name].ID || !s.Ready || s.StoppedBy != "" {
				return false
			}
		}
		return true
	})
	f.compose("down")
	f.until("all removed by other", i, func(all map[string]view.ServiceDetails) bool {
		for _, s := range all {
			if s.State != "absent" || s.StoppedBy != "other" {
				return false
			}
		}
		return true
	})
}

func TestAContainerOfAnotherComposeVersionIsComparedByItself(t *testing.T) {
	f := newFixture(t, redisOnly)
	i := f.infra()
	p := f.load()
	f.up(i)
	f.ready(i)
	c := i.Snapshot()[0]
	if err := i.Down(f.ctx, p.Project, f.project, false); err != nil {
		t.Fatal(err)
	}
	// The same container as another version would have labelled it.
	args := []string{"create", "--name", c.ContainerName, "--network-alias", "redis"}
	for key, value := range map[string]string{
		infra.LabelProject: f.project, infra.LabelService: "redis", infra.LabelVersion: "2.20.0", infra.LabelHash: "other",
		infra.LabelOneoff: "False", infra.LabelNumber: "1", infra.LabelImage: f.docker("image", "inspect", "-f", "{{.Id}}", "redis:7-alpine"),
	} {
		args = append(args, "--label", key+"="+value)
	}
	f.docker("network", "create", "--label", infra.LabelProject+"="+f.project, "--label", infra.LabelNetwork+"=default", f.project+"_default")
	args = append(args, "--network", f.project+"_default", "-p", "127.0.0.1:"+f.env["REDIS_PORT"]+":6379", "-v", f.project+"_redis-data:/data:rw",
		"--health-cmd", "x", "redis:7-alpine", "redis-server", "--appendonly", "yes")
	f.docker(args...)
	if plan, err := i.Plan(f.ctx, p); err != nil || !strings.Contains(plan.String(), "the definition changed") {
		t.Errorf("another healthcheck is another definition; the plan (%v) is\n%s", err, plan)
	}
	f.docker("rm", "-f", c.ContainerName)
	// The docker command cannot write a healthcheck in CMD form, so the file asks for what it can.
	f.write(strings.Replace(redisOnly, "test: [CMD, redis-cli, ping], interval: 5s, timeout: 3s, retries: 5", `test: "redis-cli ping", interval: 5s, timeout: 3s, retries: 5`, 1))
	for n, a := range args {
		if a == "x" {
			args[n] = "redis-cli ping"
		}
	}
	args = append([]string{"create", "--health-interval", "5s", "--health-timeout", "3s", "--health-retries", "5"}, args[1:]...)
	f.docker(args...)
	if plan, err := i.Plan(f.ctx, f.load()); err != nil || strings.Contains(plan.String(), "create container") {
		t.Errorf("the same container under another hash is adopted; the plan (%v) is\n%s", err, plan)
	}
}
