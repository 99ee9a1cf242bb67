package native

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"devstack/infra"
)

func TestRecognise(t *testing.T) {
	for image, want := range map[string]struct {
		kind  kind
		major int
	}{
		"redis":                                    {redis, 0},
		"redis:7-alpine":                           {redis, 7},
		"redis:7.2.4@sha256:abc":                   {redis, 7},
		"docker.io/library/redis:latest":           {redis, 0},
		"localhost:5000/postgres:16":               {postgres, 16},
		"public.ecr.aws/docker/library/postgres:9": {postgres, 9},
		"valkey/valkey:8-alpine":                   {valkey, 8},
		"postgres:bookworm":                        {postgres, 0},
		"postgis/postgis:16-3.4":                   {},
		"pgvector/pgvector:pg16":                   {},
		"timescale/timescaledb:latest-pg16":        {},
		"eqalpha/keydb":                            {},
		"redis/redis-stack":                        {},
		"bitnami/redis:7":                          {},
		"somebody/postgres:16":                     {},
		"redislabs/redisinsight":                   {},
		"":                                         {},
	} {
		if kind, major := recognise(image); kind != want.kind || major != want.major {
			t.Errorf("%q: %q %d, want %+v", image, kind, major, want)
		}
	}
}

func TestVersionIn(t *testing.T) {
	for line, want := range map[string][2]string{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n":               {"postgres", "15.18"},
		"postgres (PostgreSQL) 18beta1":                                        {"postgres", "18beta1"},
		"Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64\n": {"redis", "7.0.15"},
		"Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64":   {"valkey", "8.0.1"},
		"pg_ctl (PostgreSQL something) 1":                                      {"", ""},
		"nonsense":                                                             {"", ""},
		"v=7":                                                                  {"", ""},
	} {
		if kind, version := versionIn(line); string(kind) != want[0] || version != want[1] {
			t.Errorf("%q: %q %q", line, kind, version)
		}
	}
}

func TestChoose(t *testing.T) {
	all := []program{
		{Kind: postgres, Path: "a", Version: "14.2"},
		{Kind: postgres, Path: "b", Version: "16.1"},
		{Kind: postgres, Path: "c", Version: "17.0"},
		{Kind: postgres, Path: "d", Version: "16.4"},
	}
	for major, want := range map[int]string{16: "b", 14: "a", 15: "c", 0: "c"} {
		if got := choose(all, postgres, major); got.Path != want {
			t.Errorf("%d: %+v, want %s", major, got, want)
		}
	}
	mixed := []program{{Kind: valkey, Path: "v", Version: "8.0.1"}, {Kind: redis, Path: "r", Version: "7.0.15"}}
	if got := choose(mixed, redis, 8); got.Path != "r" {
		t.Errorf("%+v", got)
	}
	if got := choose(mixed[1:], valkey, 8); got.Path != "r" {
		t.Errorf("%+v", got)
	}
}

// fake is a program that says its version.
func fake(t *testing.T, dir, name, line string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+line+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pg := func(major string) string {
		bin := filepath.Join(dir, "postgresql", major, "bin")
		fake(t, bin, "initdb", "initdb")
		return fake(t, bin, "postgres", "postgres (PostgreSQL) "+major+".1")
	}
	old, recent := pg("14"), pg("16")
	alone := fake(t, filepath.Join(dir, "alone"), "postgres", "postgres (PostgreSQL) 99.1") // without initdb
	f := newFinder(map[string]string{"PATH": filepath.Dir(alone) + ":" + filepath.Dir(old)})
	f.places = []string{filepath.Join(dir, "postgresql/*/bin")}
	for major, want := range map[int]string{14: old, 16: recent, 0: recent} {
		if got, err := f.find(postgres, major); err != nil || got.Path != want {
			t.Errorf("%d: %+v, %v; want %s", major, got, err, want)
		}
	}
	var e *infra.Error
	if _, err := f.find(redis, 7); !errors.As(err, &e) || e.Kind != infra.NoEngine || !strings.Contains(e.Hint, "install") {
		t.Errorf("%v", err)
	}
	f.env["DEVSTACK_PG_BIN"] = filepath.Dir(old)
	if got, err := f.find(postgres, 16); err != nil || got.Path != old {
		t.Errorf("%+v, %v", got, err)
	}
	f.env["DEVSTACK_PG_BIN"] = dir
	if _, err := f.find(postgres, 16); !errors.As(err, &e) || !strings.Contains(e.Message, "DEVSTACK_PG_BIN") {
		t.Errorf("%v", err)
	}
	f.env["DEVSTACK_REDIS_BIN"] = fake(t, dir, "my-redis", "Redis server v=6.2.1 sha=0")
	if got, err := f.find(valkey, 8); err != nil || got.Version != "6.2.1" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestOptions(t *testing.T) {
	mounted := files{"/etc/redis.conf": {path: "/host/my.conf"}, "/certs": {path: "/host/certs"}}
	for line, want := range map[string]string{
		"redis-server --appendonly yes --port 7000":    "appendonly=yes",
		"--save 60 1 --dir /data --Maxmemory 50mb":     "save=60,1 maxmemory=50mb",
		"redis-server /etc/redis.conf --daemonize yes": "=/host/my.conf",
		"valkey-server --tls-cert-file /certs/a.pem":   "tls-cert-file=/host/certs/a.pem",
		"redis-server":                    "",
		"":                                "",
		"redis-cli ping":                  "! redis-cli is not a server",
		"redis-server /only.conf":         "! /only.conf is only in the image",
		"redis-server --aclfile /etc/acl": "! aclfile: /etc/acl is only in the image",
		"redis-server -":                  "! cannot read -",
	} {
		checkOptions(t, line, want, redisFamily, mounted)
	}
	for line, want := range map[string]string{
		"postgres -c max_connections=20 -cshared_buffers=1GB":  "max_connections=20 shared_buffers=1GB",
		"-c port=1 -p 5 -D /x -h * -k /y --listen-addresses=*": "",
		"postgres -N 7 --work-mem=4MB -F -i":                   "max_connections=7 work_mem=4MB fsync=off",
		"postgres -c ssl_cert_file=/certs/a.pem":               "ssl_cert_file=/host/certs/a.pem",
		"postgres -c config_file=/etc/postgresql.conf":         "! config_file: /etc/postgresql.conf is only in the image",
		"postgres -C data_directory":                           "! cannot read -C",
		"bash":                                                 "! cannot read bash",
	} {
		checkOptions(t, line, want, postgresFamily, mounted)
	}
}

func checkOptions(t *testing.T, line, want string, of family, mounted files) {
	t.Helper()
	all, problem := of.readOptions(strings.Fields(line), mounted)
	var words []string
	for _, o := range all {
		words = append(words, o.Name+"="+strings.Join(o.Values, ","))
	}
	got := strings.Join(words, " ")
	if problem != "" {
		got = "! " + problem
	}
	if got != want {
		t.Errorf("%q: %q, want %q", line, got, want)
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct{ service, want string }{
		"fine":        {"image: redis:7, restart: always, container_name: xx, networks: [default], mem_limit: 1g, healthcheck: {test: [CMD, x]}", ""},
		"shell":       {`image: redis, command: sh -c "exec redis-server --requirepass $$PW", environment: {PW: x}`, ""},
		"script":      {`image: redis, command: sh -c "cp a b && redis-server"`, "a shell script needs a container"},
		"entrypoint":  {"image: redis, entrypoint: [/my.sh]", "entrypoint"},
		"image":       {"image: postgis/postgis:16", "postgis/postgis:16 can only be run by Docker"},
		"other port":  {`image: redis, ports: ["8001:8001"]`, "8001/tcp is not the server's port, which is 6379"},
		"two ports":   {`image: redis, ports: ["1:6379", "2:6379"]`, "listens on one port"},
		"secret":      {"image: postgres, secrets: [pw], environment: {POSTGRES_PASSWORD_FILE: /run/secrets/pw}", ""},
		"no secret":   {"image: postgres, environment: {POSTGRES_PASSWORD_FILE: /run/secrets/pw}", "POSTGRES_PASSWORD_FILE: /run/secrets/pw is only in the image"},
		"init sql":    {`image: postgres, volumes: ["./a.sql:/docker-entrypoint-initdb.d/a.sql"]`, ""},
		"init script": {`image: postgres, volumes: ["./a.sh:/docker-entrypoint-initdb.d/a.sh"]`, "only *.sql is run natively, not a.sh"},
		"build":       {"image: redis:mine, build: .", "build"},
		"hook":        {"image: redis, post_start: [{command: [ls]}]", "post_start"},
		"scale":       {"image: redis, scale: 2", "scale"},
	} {
		path := filepath.Join(t.TempDir(), "compose.yaml")
		text := "name: x\nservices:\n  s: {" + c.service + "}\nsecrets: {pw: {environment: SECRET}}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := check(load(t, path, map[string]string{"SECRET": "geheim"}))
		var e *infra.Error
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		case err != nil && (!errors.As(err, &e) || e.Kind != infra.Unsupported || e.Service != "s" || !strings.Contains(e.Hint, "--infra docker")):
			t.Errorf("%s: %#v", name, err)
		}
	}
}

func TestDefine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "compose.yaml")
	text := `
name: x
services:
  s:
    image: postgres:16
    stop_grace_period: 3s
    ports: ["0.0.0.0:5000-5010:5432"]
    secrets: [pw]
    environment: {POSTGRES_PASSWORD_FILE: /run/secrets/pw, POSTGRES_USER: u}
    volumes: [data:/var/lib/postgresql/data]
secrets: {pw: {environment: SECRET}}
volumes: {data: }
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := load(t, path, map[string]string{"SECRET": "geheim\n"})
	d, refused := define(p, p.Services["s"])
	if len(refused) != 0 {
		t.Fatal(refused)
	}
	want := definition{
		Kind: postgres, Major: 16, HostIP: "0.0.0.0", Low: 5000, High: 5010, Grace: 3 * time.Second,
		Env:      map[string]string{"POSTGRES_PASSWORD": "geheim", "POSTGRES_USER": "u"},
		Login:    infra.Login{Port: 5432, User: "u", Password: "geheim", Database: "u"},
		Mounts:   []infra.Mount{{Volume: "x_data", Target: "/var/lib/postgresql/data"}},
		Networks: map[string]string{"x_default": "native:x_default"},
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("got  %+v\nwant %+v", d, want)
	}
}

func TestFirstStatements(t *testing.T) {
	got := firstStatements(infra.Login{User: `a"b\c`, Password: "it's\nso\\", Database: "c"})
	want := `ALTER USER U&"a""b\\c" WITH PASSWORD E'it''s\nso\\'` + "\n" + `CREATE DATABASE U&"c"` + "\n"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTimeIn(t *testing.T) {
	for line, want := range map[string]string{
		"1234:M 24 Nov 2026 03:14:27.123 * Ready to accept connections": "2026-11-24T03:14:27.123Z",
		"1234:C 01 Jan 2026 23:59:59.999 # x":                           "2026-01-01T23:59:59.999Z",
		"2026-11-24 03:14:27.123 UTC [12] LOG:  starting":               "2026-11-24T03:14:27.123Z",
		"2026-11-24 03:14:27.123 UTC [devstack] starting redis":         "2026-11-24T03:14:27.123Z",
		"\tDETAIL of the line before":                                   "",
		"*** FATAL CONFIG FILE ERROR ***":                               "",
	} {
		at, ok := timeIn(line)
		if ok != (want != "") || ok && at.Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %v %v", line, at, ok)
		}
	}
}

func TestCutter(t *testing.T) {
	c := cutter{since: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}
	got := c.read(strings.NewReader("2026-01-01 00:00:00.000 UTC [1] old\n\told detail\n2026-01-02 00:00:00.000 UTC [1] new\n\tdetail\nunfin"))
	got = append(got, c.read(strings.NewReader("ished"))...)
	got = append(got, c.last()...)
	var texts []string
	for _, l := range got {
		texts = append(texts, l.Text)
	}
	if want := []string{"2026-01-02 00:00:00.000 UTC [1] new", "\tdetail", "unfinished"}; !slices.Equal(texts, want) {
		t.Errorf("%q", texts)
	}
}

func TestRedisConfig(t *testing.T) {
	v := server{at: "/p", record: record{Port: 7, Program: program{Version: "7.0.1"}, Definition: definition{HostIP: "127.0.0.1"}}}
	text := v.redisConfig([]option{{Name: "requirepass", Values: []string{"a\"b\\c\n"}}, {Name: "save", Values: []string{""}}, {Values: []string{"/f"}}})
	want := `requirepass "a\"b\\c\x0a"
save ""
include "/f"
port "7"
bind "127.0.0.1" "-::1"
dir "/p/data"
daemonize "no"
pidfile "/p/data/redis.pid"
logfile ""
`
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if got := foreign("dir /data\n# dir\nmaxmemory 1\n  PORT 5"); got != "# dir\nmaxmemory 1" {
		t.Errorf("%q", got)
	}
}

func TestLayout(t *testing.T) {
	l, err := newLayout(map[string]string{"HOME": "/h", "XDG_DATA_HOME": "/d"}, "id")
	if err != nil || l.place("p", "s").data() != "/d/devstack/id/p/services/s/data" {
		t.Errorf("%+v, %v", l, err)
	}
	l, err = newLayout(map[string]string{"HOME": "/h", "XDG_DATA_HOME": "", "XDG_CACHE_HOME": ""}, "id")
	want := layout{data: "/h/.local/share/devstack", cache: "/h/.cache/devstack", id: "id"}
	if os.Getuid() == 0 {
		want = layout{data: "/var/lib/devstack", cache: "/var/cache/devstack", id: "id"}
	}
	if err != nil || l != want {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := newLayout(map[string]string{"XDG_DATA_HOME": "relative"}, "id"); err == nil {
		t.Error("a relative path was taken")
	}
	if l, err := newLayout(map[string]string{"XDG_DATA_HOME": "/d"}, "id"); err == nil && !filepath.IsAbs(l.cache) {
		t.Errorf("without HOME, templates are in %s", l.cache)
	}
}

func TestClosedDirectoryIsNamed(t *testing.T) {
	t.Parallel()
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	a := account{uid: 65534, gid: 65534, name: "nobody"}
	err := a.open(filepath.Join(closed, "devstack", "x"))
	if err == nil || !strings.Contains(err.Error(), "cannot enter "+closed) {
		t.Errorf("%v", err)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	fake(t, home, "initdb", "initdb")
	fake(t, home, "postgres", "postgres (PostgreSQL) 14.1")
	fake(t, home, "redis-server", "Redis server v=7.0.15 sha=0")
	d, err := Connect(Options{ID: "0123456789ab", Environ: []string{"HOME=" + home, "XDG_DATA_HOME=" + home, "DEVSTACK_PG_BIN=" + home, "DEVSTACK_REDIS_BIN=" + home}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	path := filepath.Join(home, "compose.yaml")
	text := `
name: x
services:
  a: {image: "redis:7-alpine"}
  b: {image: "postgres:14", mem_limit: 1g}
  c: {image: "postgres:16", volumes: ["./pg:/var/lib/postgresql/data"]}
  d: {image: "valkey/valkey:7"}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := load(t, path, nil)
	got := strings.Join(d.Warnings(p), "\n")
	want := `service b: limits of memory and processors do not apply to native services
service c: postgres 14.1 of this host runs instead of postgres:16
service c: its data are in ` + home + `/devstack/0123456789ab/x/services/c/data, not in ` + home + `/pg
service d: redis 7.0.15 of this host runs instead of valkey/valkey:7`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// Data decide about the version, as long as the host has it.
	obs, err := d.Observe(t.Context(), "x", p)
	if err != nil || obs.Images["postgres:16"].ID != "postgres:14.1:"+home+"/postgres" {
		t.Errorf("%+v, %v", obs, err)
	}
	environ := []string{"HOME=" + home, "XDG_DATA_HOME=" + home, "DEVSTACK_REDIS_BIN=" + home, "DEVSTACK_PG_BIN=" + home}
	if err := Available(p, environ); err != nil {
		t.Error(err)
	}
	if err := Available(p, []string{"HOME=" + home, "DEVSTACK_REDIS_BIN=/nowhere", "DEVSTACK_PG_BIN=" + home}); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("%v", err)
	}
}
