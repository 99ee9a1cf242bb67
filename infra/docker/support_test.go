package docker

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/moby/client"

	"devstack/bench/freeport"
	"devstack/infra"
	"devstack/view"
)

// sample is the stack of the tests: the real servers, with names and ports of their own.
const sample = `
name: ${PROJECT}
services:
  redis:
    image: redis:7-alpine
    command: [redis-server, --appendonly, "yes"]
    ports: ["127.0.0.1:${REDIS_PORT}:6379"]
    volumes: [redis-data:/data]
    healthcheck: {test: [CMD, redis-cli, ping], interval: 5s, timeout: 3s, retries: 5}
  postgres:
    image: postgres:16-alpine
    environment: {POSTGRES_USER: agentic, POSTGRES_PASSWORD: "${PG_PASSWORD:-agentic_dev}", POSTGRES_DB: agentic_sdlc}
    ports: ["127.0.0.1:${POSTGRES_PORT}:5432"]
    volumes: [postgres-data:/var/lib/postgresql/data]
    stop_signal: SIGINT
    healthcheck: {test: [CMD-SHELL, pg_isready -U agentic -d agentic_sdlc], interval: 5s, timeout: 3s, retries: 5}
volumes: {redis-data: , postgres-data: }
`

// redisOnly is enough where the kind of server does not matter.
const redisOnly = `
name: ${PROJECT}
services:
  redis:
    image: redis:7-alpine
    command: [redis-server, --appendonly, "yes"]
    ports: ["127.0.0.1:${REDIS_PORT}:6379"]
    volumes: [redis-data:/data]
    healthcheck: {test: [CMD, redis-cli, ping], interval: 5s, timeout: 3s, retries: 5}
volumes: {redis-data: }
`

// fixture is one project on the real engine, gone when the test ends.
type fixture struct {
	*testing.T
	ctx     context.Context
	driver  *Driver
	dir     string
	project string
	env     map[string]string
	events  recorder
}

// recorder keeps the events of an Infra.
type recorder struct {
	mu      sync.Mutex
	list    []view.Event
	changed chan struct{}
}

func (r *recorder) add(e view.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, e)
	if r.changed != nil {
		close(r.changed)
	}
	r.changed = make(chan struct{})
}

func (r *recorder) all() ([]view.Event, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return append([]view.Event(nil), r.list...), r.changed
}

func newFixture(t *testing.T, file string) *fixture {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	driver, err := Connect(ctx, os.Environ(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("these tests need a container engine: %v", err)
	}
	f := &fixture{T: t, ctx: ctx, driver: driver.(*Driver), dir: t.TempDir()}
	f.project = fmt.Sprintf("devstack-test-%d-%s", os.Getpid(), strings.ToLower(strconv.FormatInt(time.Now().UnixNano()%1e9, 36)))
	f.env = map[string]string{"PROJECT": f.project, "REDIS_PORT": strconv.Itoa(freeport.Get(t)), "POSTGRES_PORT": strconv.Itoa(freeport.Get(t))}
	f.write(file)
	t.Cleanup(func() {
		cancel()
		f.clean()
		driver.Close()
	})
	return f
}

func (f *fixture) write(file string) {
	f.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, "compose.yaml"), []byte(file), 0o600); err != nil {
		f.Fatal(err)
	}
}

// clean removes everything that carries the project's label.
func (f *fixture) clean() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	filters := make(client.Filters).Add("label", infra.LabelProject+"="+f.project)
	if list, err := f.driver.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters}); err == nil {
		for _, c := range list.Items {
			_, _ = f.driver.api.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		}
	}
	if list, err := f.driver.api.NetworkList(ctx, client.NetworkListOptions{Filters: filters}); err == nil {
		for _, n := range list.Items {
			_, _ = f.driver.api.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
		}
	}
	if list, err := f.driver.api.VolumeList(ctx, client.VolumeListOptions{Filters: filters}); err == nil {
		for _, v := range list.Items {
			_, _ = f.driver.api.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{Force: true})
		}
	}
}

// load reads the Compose file as docker compose does.
func (f *fixture) load() infra.Project {
	f.Helper()
	o, err := cli.NewProjectOptions([]string{filepath.Join(f.dir, "compose.yaml")}, cli.WithWorkingDirectory(f.dir), cli.WithEnv(f.environ()), cli.WithoutEnvironmentResolution)
	if err != nil {
		f.Fatal(err)
	}
	p, err := o.LoadProject(f.ctx)
	if err == nil {
		p, err = p.WithSelectedServices(nil)
	}
	if err == nil {
		p, err = p.WithoutUnnecessaryResources().WithServicesEnvironmentResolved(true)
	}
	if err != nil {
		f.Fatal(err)
	}
	return infra.Project{Project: p}
}

func (f *fixture) environ() []string {
	var out []string
	for key, value := range f.env {
		out = append(out, key+"="+value)
	}
	return out
}

// infra is a new one, closed when the test ends.
func (f *fixture) infra() *infra.Infra {
	f.Helper()
	i := infra.New(f.driver, slog.New(slog.DiscardHandler), f.events.add)
	f.Cleanup(i.Close)
	return i
}

func (f *fixture) up(i *infra.Infra) {
	f.Helper()
	if err := i.Up(f.ctx, f.load(), nil); err != nil {
		f.Fatalf("up: %v", err)
	}
}

// until waits for a state that events lead to.
func (f *fixture) until(what string, i *infra.Infra, ok func(map[string]view.ServiceDetails) bool) map[string]view.ServiceDetails {
	f.Helper()
	for {
		_, changed := f.events.all()
		services := map[string]view.ServiceDetails{}
		for _, s := range i.Snapshot() {
			services[s.Name] = s
		}
		if ok(services) {
			return services
		}
		select {
		case <-changed:
		case <-f.ctx.Done():
			f.Fatalf("never came to be: %s; the services are %+v", what, services)
		}
	}
}

func (f *fixture) ready(i *infra.Infra) map[string]view.ServiceDetails {
	f.Helper()
	return f.until("all services ready", i, func(all map[string]view.ServiceDetails) bool {
		for _, s := range all {
			if !s.Ready {
				return false
			}
		}
		return len(all) > 0
	})
}

// docker runs the docker command.
func (f *fixture) docker(args ...string) string {
	f.Helper()
	out, err := exec.CommandContext(f.ctx, "docker", args...).CombinedOutput()
	if err != nil {
		f.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}
