package native

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"devstack/bench/freeport"
	"devstack/infra"
	parent "devstack/procs/keeper"
	keeper "devstack/procs/keeper/protocol"
	"devstack/view"
)

// The test binary is also the keeper of these tests, and the daemon that relays between the keeper and the test.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "keeper":
			if err := parent.Command(os.Args[2:]); err != nil {
				os.Exit(1)
			}
			os.Exit(0)
		case "daemon":
			os.Exit(relay())
		}
	}
	os.Exit(runAll(m))
}

// runAll makes one directory for the templates of all tests: initdb takes its time.
func runAll(m *testing.M) int {
	cache, err := os.MkdirTemp("", "native")
	if err != nil {
		return 1
	}
	defer os.RemoveAll(cache)
	if os.Chmod(cache, 0o711) != nil || os.Setenv("XDG_CACHE_HOME", cache) != nil {
		return 1
	}
	return m.Run()
}

// relay lets one test be the daemon, and ends with it: the keeper starts the next one.
func relay() int {
	l, err := keeper.Listener()
	if err != nil {
		return 1
	}
	c, err := l.Accept()
	if err != nil {
		return 1
	}
	up := os.NewFile(keeper.FDKeeper, "keeper")
	go func() {
		_, _ = io.Copy(up, c)
		os.Exit(0)
	}()
	_, _ = io.Copy(c, up)
	return 0
}

const both = `
name: ${PROJECT}
services:
  redis:
    image: redis:7-alpine
    command: [redis-server, --appendonly, "yes"]
    ports: ["${REDIS_PORT}:6379"]
    volumes: [redis-data:/data]
    healthcheck: {test: [CMD, redis-cli, ping]}
  postgres:
    image: postgres:16-alpine
    environment: {POSTGRES_USER: agentic, POSTGRES_PASSWORD: "${PG_PASSWORD}", POSTGRES_DB: agentic_sdlc}
    ports: ["${POSTGRES_PORT}:5432"]
    volumes: [postgres-data:/var/lib/postgresql/data]
    stop_signal: SIGINT
    depends_on: {redis: {condition: service_healthy}}
    healthcheck: {test: [CMD-SHELL, pg_isready -U agentic -d agentic_sdlc]}
volumes: {redis-data: , postgres-data: }
`

const redisOnly = `
name: ${PROJECT}
services:
  redis: {image: "redis:7", ports: ["${REDIS_PORT}:6379"]}
`

const postgresOnly = `
name: ${PROJECT}
services:
  db:
    image: postgres
    environment: {POSTGRES_PASSWORD: "${PG_PASSWORD}"}
    ports: ["${POSTGRES_PORT}:5432"]
`

// home is where one user's data, templates and states are. It is open to the users that servers of root run as, and its
// path is one that could be taken for a pattern.
func newHome(t *testing.T) string {
	t.Helper()
	home, err := os.MkdirTemp("", "a[b]-*")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(home, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	return home
}

// fixture is one project directory with a keeper of its own.
type fixture struct {
	*testing.T
	ctx     context.Context
	home    string
	environ []string
	file    string // the Compose file
	env     map[string]string
	spawn   keeper.SpawnOptions

	conn   *keeper.Conn
	driver *Driver
	infra  *infra.Infra
	events chan struct{} // capacity 1: something has changed
}

func newFixture(t *testing.T, file string) *fixture {
	t.Helper()
	t.Parallel()
	return newFixtureIn(t, file, newHome(t))
}

func newFixtureIn(t *testing.T, file, home string) *fixture {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 6)
	_, _ = rand.Read(id)
	f := &fixture{T: t, ctx: ctx, home: home, file: file, events: make(chan struct{}, 1)}
	f.environ = append(os.Environ(), "XDG_DATA_HOME="+filepath.Join(home, "data"))
	state := filepath.Join(home, hex.EncodeToString(id)[:4])
	f.spawn = keeper.SpawnOptions{
		Self: self, Dir: t.TempDir(), ID: hex.EncodeToString(id), StateDir: state, Socket: filepath.Join(state, "s"),
		Daemon: []string{self, "daemon"},
	}
	f.env = map[string]string{
		"PROJECT": "native-" + hex.EncodeToString(id), "REDIS_PORT": strconv.Itoa(freeport.Get(t)), "POSTGRES_PORT": strconv.Itoa(freeport.Get(t)), "PG_PASSWORD": "it's \"secret\"\nof 2 lines \\",
	}
	f.start()
	t.Cleanup(func() {
		f.clean()
		cancel()
	})
	return f
}

// start begins a keeper and connects as its daemon.
func (f *fixture) start() {
	f.Helper()
	if _, err := keeper.Spawn(f.spawn); err != nil {
		f.Fatal(err)
	}
	f.attach()
}

// attach is what a daemon does at its start.
func (f *fixture) attach() {
	f.Helper()
	nc, err := net.Dial("unix", f.spawn.Socket)
	if err != nil {
		f.Fatal(err)
	}
	defer nc.Close()
	file, err := nc.(*net.UnixConn).File()
	if err != nil {
		f.Fatal(err)
	}
	var current atomic.Pointer[Driver]
	conn, err := keeper.Dial(file, keeper.Handler{Exited: func(e keeper.Exit) {
		if d := current.Load(); d != nil {
			d.Exited(e)
		}
	}})
	if err != nil {
		f.Fatal(err)
	}
	driver, err := Connect(Options{ID: f.spawn.ID, Environ: f.environ, Keeper: conn, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	current.Store(driver)
	f.conn, f.driver = conn, driver
	f.infra = infra.New(driver, slog.New(slog.DiscardHandler), func(view.Event) {
		select {
		case f.events <- struct{}{}:
		default:
		}
	})
}

// detach is the end of a daemon.
func (f *fixture) detach() {
	f.infra.Close()
	_ = f.driver.Close()
	f.conn.Close()
}

// shutdown ends the daemon and its keeper; servers run on.
func (f *fixture) shutdown() {
	f.Helper()
	if err := f.conn.Shutdown(f.ctx); err != nil && !errors.Is(err, keeper.ErrGone) {
		f.Error(err)
	}
	f.detach()
	if err := keeper.WaitGone(f.ctx, f.spawn.Dir, f.spawn.StateDir); err != nil {
		f.Error(err)
	}
}

func (f *fixture) clean() {
	if err := f.infra.Down(f.ctx, nil, f.env["PROJECT"], true); err != nil {
		f.Error(err)
	}
	f.shutdown()
}

func (f *fixture) project() *types.Project {
	f.Helper()
	path := filepath.Join(f.spawn.Dir, "compose.yaml")
	if err := os.WriteFile(path, []byte(f.file), 0o600); err != nil {
		f.Fatal(err)
	}
	return load(f.T, path, f.env)
}

func load(t *testing.T, path string, env map[string]string) *types.Project {
	t.Helper()
	var pairs []string
	for key, value := range env {
		pairs = append(pairs, key+"="+value)
	}
	options, err := cli.NewProjectOptions([]string{path}, cli.WithEnv(pairs), cli.WithWorkingDirectory(filepath.Dir(path)), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	p, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (f *fixture) up() {
	f.Helper()
	if err := f.infra.Up(f.ctx, infra.Project{Project: f.project()}, nil); err != nil {
		f.Fatal(err)
	}
	f.ready()
}

// ready waits until every service is.
func (f *fixture) ready() {
	f.Helper()
	f.until("all services are ready", func(all []view.ServiceDetails) bool {
		return !slices.ContainsFunc(all, func(s view.ServiceDetails) bool { return !s.Ready })
	})
}

// until waits for a change that makes the snapshot as wanted.
func (f *fixture) until(what string, wanted func([]view.ServiceDetails) bool) []view.ServiceDetails {
	f.Helper()
	for {
		all := f.infra.Snapshot()
		if wanted(all) {
			return all
		}
		select {
		case <-f.events:
		case <-f.ctx.Done():
			f.Fatalf("waited in vain until %s: %s", what, f.describe(all))
		case <-time.After(30 * time.Second):
			f.Fatalf("waited 30 s in vain until %s: %s", what, f.describe(all))
		}
	}
}

func (f *fixture) describe(all []view.ServiceDetails) string {
	var b strings.Builder
	for _, s := range all {
		log, _ := os.ReadFile(f.place(s.Name).log())
		fmt.Fprintf(&b, "%+v\n%s\n", s, log)
	}
	return b.String()
}

func (f *fixture) service(name string) view.ServiceDetails {
	f.Helper()
	all := f.infra.Snapshot()
	n := slices.IndexFunc(all, func(s view.ServiceDetails) bool { return s.Name == name })
	if n < 0 {
		f.Fatalf("no service %s", name)
	}
	return all[n]
}

func (f *fixture) place(service string) place {
	return f.driver.servers.layout.place(f.env["PROJECT"], service)
}

// record is the one of a service.
func (f *fixture) record(service string) record {
	f.Helper()
	all, _, err := f.driver.servers.layout.all(f.env["PROJECT"])
	if err != nil {
		f.Fatal(err)
	}
	n := slices.IndexFunc(all, func(r record) bool { return r.Service == service })
	if n < 0 {
		f.Fatalf("no record of %s", service)
	}
	return all[n]
}

// kill sends a signal to a server's process alone.
func (f *fixture) kill(service string, sig syscall.Signal) record {
	f.Helper()
	r := f.record(service)
	if err := syscall.Kill(r.Pid, sig); err != nil {
		f.Fatal(err)
	}
	return r
}
