package docker

import (
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"devstack/infra"
	"devstack/view"
)

func TestLogsFollowAcrossANewContainer(t *testing.T) {
	f := newFixture(t, redisOnly)
	i := f.infra()
	f.up(i)
	before := f.ready(i)["redis"]
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	lines, err := i.Logs(ctx, "redis", -1, time.Time{}, true)
	if err != nil {
		t.Fatal(err)
	}
	// next reads on to the server's "Ready to accept connections" and returns how often a line was seen before.
	seen := map[string]bool{}
	next := func() {
		t.Helper()
		for {
			select {
			case l, ok := <-lines:
				if !ok {
					t.Fatal("the lines ended")
				}
				if key := l.Time.String() + l.Text; seen[key] {
					t.Errorf("the line %q came twice", l.Text)
				} else {
					seen[key] = true
				}
				if l.Time.IsZero() || l.Stream != "stdout" || strings.HasSuffix(l.Text, "\r") {
					t.Errorf("a line is %+v", l)
				}
				if strings.Contains(l.Text, "Ready to accept connections") {
					return
				}
			case <-f.ctx.Done():
				t.Fatal("no line says that redis is ready")
			}
		}
	}
	next()
	if err := i.Restart(f.ctx, "redis"); err != nil {
		t.Fatal(err)
	}
	next()
	f.docker("rm", "-f", string(before.ID))
	next()
	cancel()
	for range lines { // it ends with its context
	}

	last, err := i.Logs(f.ctx, "redis", 2, time.Time{}, false)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for range last {
		count++
	}
	if count != 2 {
		t.Errorf("the last 2 lines are %d", count)
	}
}

// oneShot is a database with a job that has to be done before the app starts, none of which publishes a port.
const oneShot = `
name: ${PROJECT}
services:
  redis: {image: redis:7-alpine}
  seed:
    image: redis:7-alpine
    command: [redis-cli, -h, redis, SET, seeded, "yes"]
    depends_on: {redis: {condition: service_healthy}}
  app:
    image: redis:7-alpine
    entrypoint: [sh, -c, "cat /run/secrets/token /etc/settings; exec sleep infinity"]
    stop_grace_period: 0s
    depends_on: {seed: {condition: service_completed_successfully}}
    secrets: [token]
    configs: [{source: settings, target: /etc/settings}]
secrets: {token: {environment: TOKEN}}
configs: {settings: {content: "some settings\n"}}
`

func TestDependenciesBetweenServicesAreWaitedFor(t *testing.T) {
	f := newFixture(t, oneShot)
	f.env["TOKEN"] = "a token,"
	i := f.infra()
	f.up(i)
	services := f.ready(i)
	seed, app := services["seed"], services["app"]
	if seed.State != "exited" || len(seed.Exits) != 1 || *seed.Exits[0].Code != 0 || seed.Health != view.HealthCompleted {
		t.Errorf("the one-shot: %+v", seed)
	}
	if !app.StartedAt.After(*seed.StartedAt) || !seed.StartedAt.After(*services["redis"].StartedAt) {
		t.Errorf("started: redis %v, seed %v, app %v", services["redis"].StartedAt, seed.StartedAt, app.StartedAt)
	}
	if got := f.docker("exec", string(services["redis"].ID), "redis-cli", "GET", "seeded"); got != "yes" {
		t.Errorf("seeded is %q, want yes", got)
	}
	if got := f.docker("logs", string(app.ID)); got != "a token,some settings" {
		t.Errorf("the secret and the config are %q", got)
	}
	f.up(i)
	if again := i.Snapshot(); len(again) != 3 {
		t.Errorf("there are %d services", len(again))
	} else {
		for _, s := range again {
			if !s.StartedAt.Equal(*services[s.Name].StartedAt) {
				t.Errorf("a second up started %s again", s.Name)
			}
		}
	}
}

func TestAFailedJobStopsWhatWaitsForIt(t *testing.T) {
	f := newFixture(t, strings.Replace(oneShot, "command: [redis-cli, -h, redis, SET, seeded, \"yes\"]", "command: [sh, -c, \"echo broken; exit 3\"]", 1))
	f.env["TOKEN"] = "x"
	i := f.infra()
	err := i.Up(f.ctx, f.load(), nil)
	if err == nil || !strings.Contains(err.Error(), "seed") || !strings.Contains(err.Error(), "exit code 3") {
		t.Errorf("up: %v, want that seed ended with 3", err)
	}
	s := f.until("seed is unhealthy with its exit", i, func(all map[string]view.ServiceDetails) bool { return len(all["seed"].Exits) == 1 })
	if seed := s["seed"]; seed.Health != view.HealthUnhealthy || *seed.Exits[0].Code != 3 || strings.Join(seed.Exits[0].LastLines, "") != "broken" {
		t.Errorf("seed: %+v", seed)
	}
	if app := s["app"]; app.Ready || app.State == "running" {
		t.Errorf("app: %+v", app)
	}
}

// relay stands between devstack and the engine and can be cut.
type relay struct {
	listener net.Listener
	mu       sync.Mutex
	down     bool
	open     map[net.Conn]bool
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "relay.sock"))
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: l, open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		l.Close()
		r.cut(true)
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.carry(conn)
		}
	}()
	return r
}

func (r *relay) carry(in net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	engine, err := net.Dial("unix", "/var/run/docker.sock")
	if r.down || err != nil {
		in.Close()
		return
	}
	r.open[in], r.open[engine] = true, true
	for from, to := range map[net.Conn]net.Conn{in: engine, engine: in} {
		go func() {
			_, _ = io.Copy(to, from)
			_ = to.(*net.UnixConn).CloseWrite()
		}()
	}
}

// cut ends all connections and refuses new ones, or lets them through again.
func (r *relay) cut(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
	for c := range r.open {
		c.Close()
		delete(r.open, c)
	}
}

func TestAnEngineThatGoesAwayAndComesBack(t *testing.T) {
	f := newFixture(t, sample)
	r := newRelay(t)
	driver, err := Connect(f.ctx, []string{"DOCKER_HOST=unix://" + r.listener.Addr().String()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	i := infra.New(driver, slog.New(slog.DiscardHandler), f.events.add)
	t.Cleanup(i.Close)
	f.up(i)
	before := f.ready(i)
	warned := func(words string) func(map[string]view.ServiceDetails) bool {
		return func(map[string]view.ServiceDetails) bool {
			all, _ := f.events.all()
			for _, e := range all {
				if e.Kind == "warning" && strings.Contains(e.Message, words) {
					return true
				}
			}
			return false
		}
	}
	r.cut(true)
	after := f.until("a warning", i, warned("does not answer"))
	if !after["redis"].Ready || !after["postgres"].Ready {
		t.Errorf("the last verdicts are gone: %+v", after)
	}
	// What happens meanwhile is found out afterwards.
	f.docker("kill", string(before["redis"].ID))
	f.docker("stop", string(before["postgres"].ID))
	r.cut(false)
	f.until("another word", i, warned("answers again"))
	f.back(i, before["redis"])
	if s := f.until("postgres is known to be stopped", i, func(all map[string]view.ServiceDetails) bool { return !all["postgres"].Ready })["postgres"]; s.StoppedBy != "other" {
		t.Errorf("postgres: %+v, want stopped by other", s)
	}
}

func TestLook(t *testing.T) {
	f := newFixture(t, sample)
	p := f.load()
	look := func() map[string]view.ServiceDetails {
		t.Helper()
		list, err := infra.Look(f.ctx, f.driver, p)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]view.ServiceDetails{}
		for _, s := range list {
			out[s.Name] = s
		}
		return out
	}
	for name, s := range look() {
		if s.State != "absent" || s.Ready || s.Health != view.HealthStopped || s.EngineHealth != "none" || len(s.Ports) != 1 {
			t.Errorf("%s before up: %+v", name, s)
		}
	}
	i := f.infra()
	f.up(i)
	f.ready(i)
	for name, s := range look() {
		if s.State != "running" || !s.Ready || s.Health != view.HealthHealthy || s.ID == "" {
			t.Errorf("%s after up: %+v", name, s)
		}
	}
}
