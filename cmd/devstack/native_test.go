package main_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"devstack/daemon/api"
)

// readyNative makes sure that redis, postgres and the compiled sample are on this machine.
var readyNative = sync.OnceValue(func() error { return setUp("native") })

// nativeCache is where databases that were just set up are kept, for all tests.
func nativeCache() string { return filepath.Join(binariesDir(), "cache") }

// noEngine is a machine on which no engine answers.
var noEngine = []string{"DOCKER_HOST=unix:///nonexistent.sock"}

// newNative makes an empty project whose native services have data of their own. Servers that are started as root run as
// users of their own, who must be able to pass the folders above.
func newNative(t *testing.T) *project {
	t.Helper()
	if err := readyNative(); err != nil {
		t.Fatal(err)
	}
	p := newProject(t)
	var err error
	if p.data, err = os.MkdirTemp("", "ds-data-"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(p.data, 0o711); err != nil {
		t.Fatal(err)
	}
	return p
}

// newNativeDatabases is one with a redis, a postgres and a process.
func newNativeDatabases(t *testing.T) *project {
	t.Helper()
	p := newNative(t)
	p.write("compose.yaml", databases)
	p.write("ecosystem.yaml", withDatabases)
	return p
}

// server is the first process of a native service.
func (p *project) server(service string) int {
	p.t.Helper()
	all := p.processes()
	for _, r := range all {
		isRedis := strings.HasPrefix(r.exe, "redis") || strings.HasPrefix(r.exe, "valkey")
		parent := slices.ContainsFunc(all, func(of running) bool { return of.exe == r.exe && of.pid == parentOf(p.t, r.pid) })
		if service == "redis" && isRedis || service == "postgres" && r.exe == "postgres" && !parent {
			return r.pid
		}
	}
	p.t.Fatalf("%s does not run: %+v", service, all)
	return 0
}

func parentOf(t *testing.T, pid int) (parent int) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0 // it has ended
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	if _, err := fmt.Sscanf(rest, "%s %d", new(string), &parent); err != nil {
		t.Fatalf("cannot read %s: %v", stat, err)
	}
	return parent
}

// servers are the pids of redis and postgres.
func (p *project) servers() [2]int {
	p.t.Helper()
	return [2]int{p.server("redis"), p.server("postgres")}
}

func (p *project) redis() *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: fmt.Sprintf("localhost:%d", p.redisPort), DisableIdentity: true})
	p.t.Cleanup(func() { _ = client.Close() })
	return client
}

// nativeOnly fails the test unless the services run natively and are said to.
func (p *project) nativeOnly(state api.State) {
	p.t.Helper()
	if state.Infra != "native" {
		p.t.Errorf("infra is %q", state.Infra)
	}
	for _, s := range state.Services {
		if s.Driver != "native" {
			p.t.Errorf("the driver of %s is %q", s.Name, s.Driver)
		}
	}
	if containers := p.labelled("container"); len(containers) > 0 {
		p.t.Errorf("containers: %v", containers)
	}
}

// dataFiles says whether anything of native services is on disk.
func (p *project) dataFiles() (found []string) {
	p.t.Helper()
	err := filepath.WalkDir(p.data, func(path string, d os.DirEntry, err error) error {
		if err == nil && (d.Name() == "PG_VERSION" || strings.HasSuffix(path, ".rdb") || strings.HasSuffix(path, ".aof")) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

// The main job on a machine with no Docker: the same two files, the same stack, and the data stays.
func TestNativeSample(t *testing.T) {
	t.Parallel()
	p := newNative(t)
	p.writeSample()
	r := p.runWith(p.dir, noEngine, "up")
	if r.code != 0 || !strings.Contains(r.stderr, "natively") {
		t.Fatal(r)
	}
	first := p.ps()
	allReady(t, first, 2, 6)
	p.nativeOnly(first)
	if out := p.must("ps"); !strings.Contains(out, "services: native") {
		t.Errorf("ps does not say what runs the services:\n%s", out)
	}
	id := p.postPipeline("My project")
	p.completes(id)

	servers := p.servers()
	p.must("up") // an engine answers now, and it stays as it was
	unchanged(t, first, p.ps())
	if now := p.servers(); now != servers {
		t.Errorf("the servers' pids changed from %v to %v", servers, now)
	}

	p.must("down")
	p.nothingRuns()
	if p.dataFiles() == nil {
		t.Error("down has removed the data")
	}
	p.must("up") // still, also after down
	p.nativeOnly(p.ps())
	if got, err := p.getPipeline(id); err != nil || got.Status != "completed" {
		t.Errorf("the old pipeline: %+v, %v", got, err)
	}
	p.must("down", "-v")
	p.nothingRuns()
	if left := p.dataFiles(); len(left) > 0 {
		t.Errorf("down -v leaves %v", left)
	}
}

// Commands that are about containers mean native services as well.
func TestNativeCommands(t *testing.T) {
	t.Parallel()
	p := newNativeDatabases(t)
	if plan := p.must("up", "--infra", "native", "--dry-run"); !strings.Contains(plan, "redis") || strings.Contains(plan, "Container") {
		t.Errorf("up --dry-run:\n%s", plan)
	}
	p.nothingRuns()
	p.must("up", "--infra", "native")
	before := p.servers()
	for _, command := range []struct{ args, want string }{
		{"describe redis", "native"},
		{"logs redis --no-follow", "eady to accept connections"},
		{"logs postgres --no-follow", "ready to accept connections"},
		{"preflight", "natively"},
		{"health", "redis"},
		{"why redis", "runs and is ready"},
	} {
		if out := p.must(strings.Fields(command.args)...); !strings.Contains(out, command.want) {
			t.Errorf("devstack %s does not say %q:\n%s", command.args, command.want, out)
		}
	}
	web := p.process("web").Pid
	p.must("restart", "redis")
	if now := p.servers(); now[0] == before[0] || now[1] != before[1] {
		t.Errorf("restart redis: the servers' pids were %v and are %v", before, now)
	}
	p.must("stop", "redis")
	if now := p.service("redis"); now.State == "running" || now.StoppedBy != "devstack" {
		t.Errorf("redis after stop: %+v", now)
	}
	kill(t, p.ps().Daemon.Pid)
	if now := p.service("redis"); now.State == "running" || now.StoppedBy != "devstack" {
		t.Errorf("redis after stop and a restart of the daemon: %+v", now)
	}
	p.must("start", "redis")
	if now := p.service("redis"); !now.Ready || now.StoppedBy != "" {
		t.Errorf("redis after start: %+v", now)
	}
	if now := p.process("web").Pid; *now != *web {
		t.Errorf("web was restarted: its pid was %d and is %d", *web, *now)
	}
}

// What stands in the way of native services is said before anything starts.
func TestNativeRefusals(t *testing.T) {
	t.Parallel()
	t.Run("image", func(t *testing.T) {
		t.Parallel()
		p := newNative(t)
		p.write("ecosystem.yaml", withDatabases)
		p.write("compose.yaml", "name: ${STACK_NAME}\nservices:\n  search: {image: \"opensearchproject/opensearch:2\"}\n")
		p.refuses(p.run("up", "--infra", "native"), api.ExitFiles, "search", "opensearch")
		p.refuses(p.runWith(p.dir, noEngine, "up"), api.ExitEngine, "/nonexistent.sock", "opensearch")
	})
	t.Run("port", func(t *testing.T) {
		t.Parallel()
		p := newNativeDatabases(t)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p.redisPort))
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		p.refuses(p.run("up", "--infra", "native"), api.ExitPortTaken, "redis", fmt.Sprint(p.redisPort), fmt.Sprint(os.Getpid()))
	})
	t.Run("password", func(t *testing.T) {
		t.Parallel()
		p := newNativeDatabases(t)
		p.write("compose.yaml", databases+"    volumes: [\"data:/var/lib/postgresql/data\"]\nvolumes: {data: {}}\n")
		p.must("up", "--infra", "native")
		p.must("down")
		p.edit("compose.yaml", "secret", "another")
		r := p.run("up")
		if r.code != int(api.ExitEngine) || !strings.Contains(r.stderr, "postgres") || !strings.Contains(r.stderr, "password") {
			t.Errorf("up with another password than the data's: %v", r)
		}
	})
}

// The data decides: a project changes what runs its services only when it is asked to, and never while they run.
func TestInfraStays(t *testing.T) {
	t.Parallel()
	if err := ready(); err != nil {
		t.Fatal(err)
	}
	p := newNativeDatabases(t)
	p.must("up")
	if infra := p.ps().Infra; infra != "docker" {
		t.Fatalf("infra is %q", infra)
	}
	other := func(when string) {
		t.Helper()
		r := p.run("up", "--infra", "native")
		if r.code != int(api.ExitUsage) || !strings.Contains(r.stderr, "docker") || !strings.Contains(r.stderr, "devstack down") {
			t.Errorf("up --infra native %s: %v", when, r)
		}
	}
	other("of a stack with containers")
	p.must("kill")
	other("after kill")
	p.must("down")
	p.nothingRuns()

	p.refuses(p.runWith(p.dir, noEngine, "up"), api.ExitEngine, "/nonexistent.sock", "--infra native", "separate")
	p.must("up", "--infra", "native")
	p.nativeOnly(p.ps())
	p.must("down", "-v")
	p.nothingRuns()
	p.must("up", "--infra", "docker")
	if infra := p.ps().Infra; infra != "docker" {
		t.Errorf("infra is %q", infra)
	}
}

// Two copies of a stack do not meet.
func TestNativeTwoProjects(t *testing.T) {
	t.Parallel()
	both := []*project{newNativeDatabases(t), newNativeDatabases(t)}
	results := make(chan result)
	for _, p := range both {
		go func() { results <- p.run("up", "--infra", "native") }()
	}
	for range both {
		if r := <-results; r.code != 0 {
			t.Error(r)
		}
	}
	for _, p := range both {
		allReady(t, p.ps(), 2, 1)
		if err := p.redis().Set(t.Context(), "mine", p.name, 0).Err(); err != nil {
			t.Error(err)
		}
	}
	both[0].must("down", "-v")
	both[0].nothingRuns()
	if got := both[1].redis().Get(t.Context(), "mine").Val(); got != both[1].name {
		t.Errorf("the redis of %s holds %q", both[1].name, got)
	}
}
