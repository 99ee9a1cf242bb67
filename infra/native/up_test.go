package native

import (
	"context"
	"errors"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shirou/gopsutil/v4/process"

	"devstack/infra"
	"devstack/view"
)

func TestUpMakesBothReady(t *testing.T) {
	f := newFixture(t, both)
	f.up()
	plan, err := f.infra.Plan(f.ctx, infra.Project{Project: f.project()})
	if err != nil || !plan.Empty() {
		t.Errorf("after up there is still to do: %v, %v", plan, err)
	}
	if got := f.query("agentic", "agentic_sdlc", "SHOW fsync"); got != "on" {
		t.Errorf("fsync is %s", got)
	}
	if got := f.say("CONFIG GET appendonly"); got != "*2" {
		t.Errorf("%q", got)
	}
	for _, name := range []string{"redis", "postgres"} {
		s := f.service(name)
		if s.Driver != Name || s.Ports[0].HostIP != "127.0.0.1" || s.StartedAt == nil {
			t.Errorf("%+v", s)
		}
		stats, err := f.driver.Stats(f.ctx, string(s.ID))
		if err != nil || stats.Memory < 1<<20 {
			t.Errorf("%s: %+v, %v", name, stats, err)
		}
		f.checkUser(name)
		f.checkLogs(s)
	}
}

// checkUser: servers of root run as the user that their package has made, on directories that are closed to others.
func (f *fixture) checkUser(service string) {
	f.Helper()
	want := os.Getuid()
	if want == 0 {
		u, err := user.Lookup(service)
		if err != nil {
			f.Fatal(err)
		}
		want, _ = strconv.Atoi(u.Uid)
	}
	info, err := os.Stat(f.place(service).data())
	if err != nil {
		f.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 || int(info.Sys().(*syscall.Stat_t).Uid) != want {
		f.Errorf("%s: %v", service, info)
	}
	r := f.record(service)
	p, err := process.NewProcess(int32(r.Pid))
	if err != nil {
		f.Fatal(err)
	}
	if ids, err := p.Uids(); err != nil || int(ids[0]) != want {
		f.Errorf("%s runs as another user: %v, %v", service, ids, err)
	}
}

func (f *fixture) checkLogs(s view.ServiceDetails) {
	f.Helper()
	lines, err := f.driver.Logs(f.ctx, string(s.ID), infra.LogOptions{Tail: -1})
	if err != nil {
		f.Fatal(err)
	}
	text, last := "", s.StartedAt.Add(-1e9)
	for l := range lines {
		text += l.Text + "\n"
		if l.Time.Before(last) {
			f.Errorf("times go backwards: %v", l)
		}
		last = l.Time
	}
	if !strings.Contains(strings.ToLower(text), "ready to accept connections") {
		f.Errorf("log: %s", text)
	}
	if strings.Contains(text, "secret") {
		f.Errorf("the password is in the log: %s", text)
	}
	p, err := process.NewProcess(int32(f.record(s.Name).Pid))
	if err != nil {
		f.Fatal(err)
	}
	if line, err := p.Cmdline(); err != nil || strings.Contains(line, "secret") {
		f.Errorf("the password is in the command line: %q, %v", line, err)
	}
}

func TestRestartKeepsData(t *testing.T) {
	f := newFixture(t, both)
	f.up()
	f.say("SET answer 42")
	f.query("agentic", "agentic_sdlc", "CREATE TABLE t AS SELECT 42 AS answer")
	for _, name := range []string{"redis", "postgres"} {
		before := f.record(name).Pid
		if err := f.infra.Restart(f.ctx, name); err != nil {
			t.Fatal(err)
		}
		f.ready()
		if f.record(name).Pid == before {
			t.Errorf("%s was not restarted", name)
		}
	}
	f.checkData()
}

func (f *fixture) checkData() {
	f.Helper()
	if got := f.say("GET answer"); got != "42" {
		f.Errorf("redis: %q", got)
	}
	if got := f.query("agentic", "agentic_sdlc", "SELECT answer FROM t"); got != "42" {
		f.Errorf("postgres: %q", got)
	}
}

func TestDownKeepsDataAndDownVolumesDeletes(t *testing.T) {
	f := newFixture(t, both)
	f.up()
	f.say("SET answer 42")
	f.query("agentic", "agentic_sdlc", "CREATE TABLE t AS SELECT 42 AS answer")
	if err := f.infra.Down(f.ctx, f.project(), f.env["PROJECT"], false); err != nil {
		t.Fatal(err)
	}
	obs, err := f.driver.Observe(f.ctx, f.env["PROJECT"], nil)
	if err != nil || len(obs.Containers) != 0 || len(obs.Volumes) != 2 {
		t.Errorf("after down: %+v, %v", obs, err)
	}
	f.up()
	f.checkData()
	if err := f.infra.Down(f.ctx, nil, f.env["PROJECT"], true); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(f.driver.servers.layout.data, f.spawn.ID)); !os.IsNotExist(err) {
		t.Errorf("something is still there: %v", err)
	}
	f.up()
	if got := f.say("GET answer"); got != "$-1" {
		t.Errorf("redis: %q", got)
	}
	if err := f.driver.RemoveVolume(f.ctx, t.TempDir()); err == nil {
		t.Error("a directory that is none of ours was deleted")
	}
}

func TestChangedDefinitionIsRecreatedOnItsData(t *testing.T) {
	f := newFixture(t, redisOnly)
	f.up()
	f.say("SET answer 42")
	f.say("SAVE")
	before := f.service("redis").ID
	f.file = strings.Replace(redisOnly, `image: "redis:7"`, `image: "redis:7", command: [--maxmemory, 50mb]`, 1)
	f.up()
	if f.service("redis").ID == before {
		t.Error("the same container")
	}
	if got := f.say("GET answer"); got != "42" {
		t.Errorf("redis: %q", got)
	}
	if s := f.service("redis"); s.ContainerName != f.env["PROJECT"]+"-redis-1" {
		t.Errorf("%+v", s)
	}
}

func TestTakenPortIsNamed(t *testing.T) {
	f := newFixture(t, redisOnly)
	l, err := net.Listen("tcp", "127.0.0.1:"+f.env["REDIS_PORT"])
	if err != nil {
		t.Fatal(err)
	}
	err = f.infra.Up(f.ctx, infra.Project{Project: f.project()}, nil)
	l.Close()
	var e *infra.Error
	if !errors.As(err, &e) || e.Kind != infra.PortTaken || !strings.Contains(e.Message, "pid "+strconv.Itoa(os.Getpid())) {
		t.Errorf("%v", err)
	}
	f.up()
}

func TestUnpublishedPortStays(t *testing.T) {
	f := newFixture(t, "name: ${PROJECT}\nservices:\n  redis: {image: redis, command: redis-server --requirepass geheim --port 7000}\n")
	f.up()
	port := f.service("redis").Ports[0]
	if port.ContainerPort != 7000 || port.HostPort == 7000 || port.HostPort == 0 {
		t.Errorf("%+v", port)
	}
	if err := f.infra.Down(f.ctx, nil, f.env["PROJECT"], false); err != nil {
		t.Fatal(err)
	}
	f.up()
	if again := f.service("redis").Ports[0]; again != port {
		t.Errorf("first %+v, then %+v", port, again)
	}
}

func TestWrongPasswordIsExplained(t *testing.T) {
	f := newFixture(t, postgresOnly)
	f.up()
	f.env["PG_PASSWORD"] = "another"
	if err := f.infra.Up(f.ctx, infra.Project{Project: f.project()}, nil); err != nil {
		t.Fatal(err)
	}
	all := f.until("the login is refused", func(all []view.ServiceDetails) bool { return all[0].Health == view.HealthUnhealthy })
	for _, word := range []string{"refuses the login", "devstack down -v", f.place("db").data()} {
		if !strings.Contains(all[0].Detail, word) {
			t.Errorf("%q does not say %q", all[0].Detail, word)
		}
	}
}

func TestMissingPasswordIsRefusedAndTrustIsNot(t *testing.T) {
	f := newFixture(t, postgresOnly)
	f.env["PG_PASSWORD"] = ""
	if err := f.infra.Up(f.ctx, infra.Project{Project: f.project()}, nil); err == nil || !strings.Contains(err.Error(), "POSTGRES_PASSWORD") {
		t.Errorf("%v", err)
	}
	f.file = strings.Replace(postgresOnly, "{POSTGRES_PASSWORD:", "{POSTGRES_HOST_AUTH_METHOD: trust, POSTGRES_PASSWORD:", 1)
	f.up()
}

func TestTwoProjectsAtOnceShareATemplate(t *testing.T) {
	t.Parallel()
	home := newHome(t)
	one, two := newFixtureIn(t, postgresOnly, home), newFixtureIn(t, postgresOnly, home)
	for _, f := range []*fixture{one, two} {
		f.detach()
		f.environ = append(f.environ, "XDG_CACHE_HOME="+filepath.Join(home, "cache"))
		f.attach()
	}
	errs := make(chan error, 2)
	for _, f := range []*fixture{one, two} {
		p := f.project()
		go func() { errs <- f.infra.Up(context.WithoutCancel(f.ctx), infra.Project{Project: p}, nil) }()
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	one.ready()
	two.ready()
	entries, err := os.ReadDir(one.driver.servers.layout.templates())
	if err != nil || len(entries) != 1 {
		t.Errorf("templates: %v, %v", entries, err)
	}
}

func TestInitScriptsRunOnce(t *testing.T) {
	f := newFixture(t, strings.Replace(postgresOnly, "    ports:", "    volumes: [./init:/docker-entrypoint-initdb.d]\n    ports:", 1))
	dir := f.spawn.Dir + "/init"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/1.sql", []byte("CREATE TABLE t (n int);\n\\echo hello\nCOPY t FROM stdin;\n42\n\\.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.up()
	if got := f.query("postgres", "postgres", "SELECT n FROM t"); got != "42" {
		t.Errorf("%q", got)
	}
	if err := os.WriteFile(dir+"/1.sql", []byte("nonsense;"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.infra.Restart(f.ctx, "db"); err != nil {
		t.Fatal(err)
	}
	f.ready()
	if err := f.infra.Down(f.ctx, nil, f.env["PROJECT"], true); err != nil {
		t.Fatal(err)
	}
	if err := f.infra.Up(f.ctx, infra.Project{Project: f.project()}, nil); err == nil || !strings.Contains(err.Error(), "1.sql") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(f.place("db").data()); !os.IsNotExist(err) {
		t.Errorf("half a database is there: %v", err)
	}
}

// What an initdb that was killed has made is never taken for a template.
func TestKilledInitdbLeavesNothing(t *testing.T) {
	f := newFixture(t, postgresOnly)
	real, err := f.driver.finder.find(postgres, 0)
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(f.home, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"postgres": `exec ` + real.Path + ` "$@"`,
		"initdb":   `mkdir "$2" && echo 15 > "$2/PG_VERSION" && kill -9 $$`, // -D comes first
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	environ := f.environ
	cache := filepath.Join(f.home, "cache")
	f.detach()
	f.environ = append(slices.Clone(environ), "DEVSTACK_PG_BIN="+bin, "XDG_CACHE_HOME="+cache)
	f.attach()
	if err := f.infra.Up(f.ctx, infra.Project{Project: f.project()}, nil); err == nil || !strings.Contains(err.Error(), "initdb: signal: killed") {
		t.Errorf("%v", err)
	}
	if entries, err := os.ReadDir(filepath.Join(cache, "devstack", "templates")); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
	f.detach()
	f.environ = append(slices.Clone(environ), "XDG_CACHE_HOME="+cache)
	f.attach()
	f.up()
}

func TestLogsFollowAndRotate(t *testing.T) {
	f := newFixture(t, redisOnly)
	f.up()
	id := f.service("redis").ID
	lines, err := f.driver.Logs(f.ctx, string(id), infra.LogOptions{Tail: 1, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	first := <-lines
	if err := f.infra.Stop(f.ctx, "redis"); err != nil {
		t.Fatal(err)
	}
	var rest strings.Builder
	for l := range lines { // it ends with the server
		rest.WriteString(l.Text + "\n")
	}
	if !strings.Contains(first.Text, "Ready to accept") || strings.Contains(rest.String(), "Ready to accept") || !strings.Contains(rest.String(), "bye bye") {
		t.Errorf("%q, then %q", first.Text, rest.String())
	}
	path := f.place("redis").log()
	if err := os.Truncate(path, maxLog+1); err != nil {
		t.Fatal(err)
	}
	f.up()
	old, err := os.Stat(path + ".1")
	if err != nil || old.Size() != maxLog+1 {
		t.Errorf("%v, %v", old, err)
	}
	if now, err := os.Stat(path); err != nil || now.Size() > maxLog {
		t.Errorf("%v, %v", now, err)
	}
}
