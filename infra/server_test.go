package infra

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/view"
)

func TestServerOf(t *testing.T) {
	for _, test := range []struct {
		image string
		argv  []string
		want  string
	}{
		{"redis:7-alpine", nil, Redis},
		{"docker.io/library/redis@sha256:abc", nil, Redis},
		{"bitnami/redis:7", []string{"/opt/bitnami/scripts/redis/entrypoint.sh", "/opt/bitnami/scripts/redis/run.sh"}, Redis},
		{"localhost:5000/valkey/valkey:8", []string{"docker-entrypoint.sh", "valkey-server"}, Redis},
		{"redis:7", []string{"docker-entrypoint.sh", "--appendonly", "yes"}, Redis},
		{"redis:7", []string{"docker-entrypoint.sh", "/etc/redis.conf"}, Redis},
		{"redis:7", []string{"docker-entrypoint.sh", "sh", "-c", `exec redis-server --requirepass "$PASSWORD"`}, Redis},
		{"redis:7", []string{"docker-entrypoint.sh", "redis-cli", "-h", "redis", "ping"}, ""},
		{"redis:7", []string{"sleep", "infinity"}, ""},
		{"redis:7", []string{"docker-entrypoint.sh", "redis-sentinel", "/etc/sentinel.conf"}, ""},
		{"oliver006/redis_exporter:1", nil, ""},
		{"redis/redisinsight:2", nil, ""},
		{"postgres:16-alpine", nil, Postgres},
		{"postgis/postgis:16", nil, Postgres},
		{"pgvector/pgvector:pg16", nil, Postgres},
		{"timescale/timescaledb:latest", nil, Postgres},
		{"postgres:16", []string{"docker-entrypoint.sh", "postgres", "-c", "shared_buffers=1GB"}, Postgres},
		{"postgres:16", []string{"docker-entrypoint.sh", "-c", "port=5555"}, Postgres},
		{"postgres:16", []string{"docker-entrypoint.sh", "psql", "-U", "postgres"}, ""},
		{"postgres:16", []string{"docker-entrypoint.sh", "sh", "-c", "pg_dump -U postgres app"}, ""},
		{"postgrest/postgrest", nil, ""},
		{"mycompany/db", []string{"/usr/bin/redis-server"}, Redis},
		{"nginx", nil, ""},
	} {
		if got := serverOf(test.image, test.argv); got != test.want {
			t.Errorf("serverOf(%q, %q) = %q, want %q", test.image, test.argv, got, test.want)
		}
	}
}

func TestLoginOf(t *testing.T) {
	for _, test := range []struct {
		server string
		argv   []string
		env    map[string]string
		want   Login
	}{
		{Redis, nil, nil, Login{Port: 6379}},
		{Redis, []string{"redis-server", "--port", "7000", "--requirepass", "s3cret"}, nil, Login{Port: 7000, Password: "s3cret"}},
		{Redis, []string{"sh", "-c", `redis-server --requirepass 's3 cret'`}, nil, Login{Port: 6379, Password: "s3 cret"}},
		{Redis, []string{"docker-entrypoint.sh", "/bin/sh", "-ec", `exec redis-server --requirepass "$PW"`}, map[string]string{"PW": "s3cret"}, Login{Port: 6379, Password: "s3cret"}},
		{Redis, []string{"redis-server", "--requirepass", "$PW"}, map[string]string{"PW": "s3cret"}, Login{Port: 6379, Password: "$PW"}},
		{Redis, nil, map[string]string{"REDIS_PASSWORD": "x"}, Login{Port: 6379, Password: "x"}},
		{Postgres, nil, nil, Login{5432, "postgres", "", "postgres"}},
		{Postgres, nil, map[string]string{"POSTGRES_USER": "a", "POSTGRES_PASSWORD": "b"}, Login{5432, "a", "b", "a"}},
		{Postgres, []string{"postgres", "-c", "port=5555"}, map[string]string{"POSTGRES_DB": "c"}, Login{5555, "postgres", "", "c"}},
		{Postgres, []string{"postgres", "-p", "5556"}, nil, Login{5556, "postgres", "", "postgres"}},
	} {
		if got := LoginOf(test.server, test.argv, test.env); got != test.want {
			t.Errorf("LoginOf(%s, %q, %v) = %+v, want %+v", test.server, test.argv, test.env, got, test.want)
		}
	}
}

func TestPublished(t *testing.T) {
	ports := []view.PublishedPort{
		port("", 0, 1, "tcp"), port("0.0.0.0", 100, 1, "udp"), port("0.0.0.0", 101, 1, "tcp"), port("::", 102, 2, "tcp"), port("127.0.0.2", 103, 3, "tcp"), port("", 104, 4, "tcp"),
	}
	for container, want := range map[int]string{1: "127.0.0.1:101", 2: "[::1]:102", 3: "127.0.0.2:103", 4: "127.0.0.1:104", 5: ""} {
		if got := published(ports, container); got != want {
			t.Errorf("port %d is published at %q, want %q", container, got, want)
		}
	}
}

// commands is an exec that notes what it is asked to run and answers.
type commands struct {
	ran    [][]string
	answer Execution
	err    error
}

func (c *commands) run(_ context.Context, argv []string) (Execution, error) {
	c.ran = append(c.ran, argv)
	return c.answer, c.err
}

func TestGateOf(t *testing.T) {
	ports := []view.PublishedPort{port("127.0.0.1", 1, 6379, "tcp"), port("127.0.0.1", 1, 5432, "tcp")}
	for _, test := range []struct {
		name  string
		c     Container
		wire  []string // the command that stands in for the wire; nil: the published port itself
		check []string
		none  bool // nothing to ask
	}{
		{"a server without healthcheck", Container{Image: "redis", Ports: ports}, nil, nil, false},
		{"its own healthcheck as well", Container{Image: "redis", Ports: ports, HealthTest: []string{"CMD", "redis-cli", "ping"}}, nil, []string{"redis-cli", "ping"}, false},
		{"a healthcheck for the shell", Container{Image: "postgres", Ports: ports, HealthTest: []string{"CMD-SHELL", "pg_isready"}}, nil, []string{"/bin/sh", "-c", "pg_isready"}, false},
		{"an image with a shell of its own", Container{Image: "postgres", Ports: ports, HealthTest: []string{"CMD-SHELL", "x"}, Shell: []string{"/bin/bash", "-ec"}}, nil, []string{"/bin/bash", "-ec", "x"}, false},
		{
			"postgres that publishes nothing is asked over TCP inside, whatever its healthcheck says",
			Container{Image: "postgres", Env: []string{"POSTGRES_USER=a", "POSTGRES_DB=b"}, HealthTest: []string{"CMD-SHELL", "pg_isready"}},
			[]string{"pg_isready", "-h", "127.0.0.1", "-p", "5432", "-U", "a", "-d", "b"},
			[]string{"/bin/sh", "-c", "pg_isready"},
			false,
		},
		{
			"postgres whose password only the container knows",
			Container{Image: "postgres", Ports: ports, Env: []string{"POSTGRES_PASSWORD_FILE=/run/secrets/p"}},
			[]string{"pg_isready", "-h", "127.0.0.1", "-p", "5432", "-U", "postgres", "-d", "postgres"},
			nil, false,
		},
		{
			"redis that publishes nothing",
			Container{Image: "redis", Argv: []string{"redis-server", "--requirepass", "x"}},
			[]string{"redis-cli", "-p", "6379", "-a", "x", "--no-auth-warning", "ping"},
			nil, false,
		},
		{"another image", Container{Image: "nginx"}, nil, nil, true},
		{"another image with a healthcheck", Container{Image: "nginx", HealthTest: []string{"CMD", "true"}}, nil, []string{"true"}, false},
		{"a healthcheck that was switched off", Container{Image: "nginx", HealthTest: []string{"NONE"}}, nil, nil, true},
	} {
		var c commands
		g := gateOf(test.c, c.run)
		if none := g.wire == nil && g.check == nil; none != test.none {
			t.Errorf("%s: asks nothing: %t, want %t", test.name, none, test.none)
			continue
		}
		if g.wire != nil {
			g.wire.Check(t.Context())
			var ran []string
			if len(c.ran) > 0 {
				ran = c.ran[0]
			}
			if !slices.Equal(ran, test.wire) {
				t.Errorf("%s: the wire runs %q, want %q", test.name, ran, test.wire)
			}
		}
		if (g.check != nil) != (test.check != nil) {
			t.Errorf("%s: there is a check: %t, want %t", test.name, g.check != nil, test.check != nil)
			continue
		}
		if g.check != nil {
			c.ran = nil
			g.check.Check(t.Context())
			if !slices.Equal(c.ran[0], test.check) {
				t.Errorf("%s: the check runs %q, want %q", test.name, c.ran[0], test.check)
			}
		}
	}
}

func TestTheAnswerOfRedisCliCountsNotItsExitCode(t *testing.T) {
	for _, test := range []struct {
		name   string
		argv   []string
		server string
		answer Execution
		err    error
		ready  bool
		broken bool
	}{
		{"pong", []string{"redis-cli", "ping"}, Redis, Execution{Stdout: "PONG\n"}, nil, true, false},
		{"loading", []string{"redis-cli", "ping"}, Redis, Execution{Stdout: "LOADING Redis is loading the dataset in memory\n"}, nil, false, false},
		{"no password", []string{"redis-cli", "ping"}, Redis, Execution{Stdout: "NOAUTH Authentication required.\n"}, nil, false, true},
		{"refused", []string{"redis-cli", "ping"}, Redis, Execution{Code: 1, Stderr: "Connection refused"}, nil, false, false},
		{"the shell judges the answer itself", []string{"/bin/sh", "-c", "redis-cli ping | grep -q PONG"}, Redis, Execution{}, nil, true, false},
		{"another command", []string{"/healthcheck"}, Redis, Execution{}, nil, true, false},
		{"another server", []string{"redis-cli", "ping"}, "", Execution{}, nil, true, false},
		{"cannot run", []string{"nothing"}, "", Execution{}, errors.New("no such file"), false, false},
	} {
		c := commands{answer: test.answer, err: test.err}
		r := execProbe(c.run, test.argv, test.server).Check(t.Context())
		if r.Ready != test.ready || r.Broken != test.broken || r.Detail == "" {
			t.Errorf("%s: %+v, want ready %t, broken %t", test.name, r, test.ready, test.broken)
		}
	}
}

func TestWireOnly(t *testing.T) {
	service := func(image string, published ...string) types.ServiceConfig {
		s := types.ServiceConfig{}
		s.Image = image
		for _, p := range published {
			s.Ports = append(s.Ports, types.ServicePortConfig{Target: 6379, Published: p, Protocol: "tcp"})
		}
		return s
	}
	probes := WireOnly(&types.Project{Services: types.Services{
		"known": service("redis", "1"), "picked": service("redis", ""), "silent": service("redis"), "other": service("nginx", "2"),
	}})
	if len(probes) != 1 || probes["known"] == nil {
		t.Errorf("the probes are %v, want one for known", probes)
	}
}

func TestPortsThatOverlap(t *testing.T) {
	for _, test := range []struct {
		a, b view.PublishedPort
		want bool
	}{
		{port("", 1, 0, "tcp"), port("127.0.0.1", 1, 0, "tcp"), true},
		{port("127.0.0.1", 1, 0, "tcp"), port("0.0.0.0", 1, 0, "tcp"), true},
		{port("127.0.0.1", 1, 0, "tcp"), port("127.0.0.1", 1, 0, "tcp"), true},
		{port("127.0.0.1", 1, 0, "tcp"), port("127.0.0.2", 1, 0, "tcp"), false},
		{port("", 1, 0, "tcp"), port("", 2, 0, "tcp"), false},
		{port("", 1, 0, "tcp"), port("", 1, 0, "udp"), false},
	} {
		if got := (wantedPort{PublishedPort: test.a}).overlaps(test.b); got != test.want {
			t.Errorf("%+v and %+v overlap: %t, want %t", test.a, test.b, got, test.want)
		}
	}
}

func TestRepairDelay(t *testing.T) {
	for failures, want := range []string{"100ms", "200ms", "400ms", "800ms", "1.6s", "3.2s", "6.4s", "12.8s", "15s", "15s"} {
		if got := repairDelay(failures).String(); got != want {
			t.Errorf("after %d failures: %s, want %s", failures, got, want)
		}
	}
}

func port(hostIP string, host, container int, protocol string) view.PublishedPort {
	return view.PublishedPort{HostIP: hostIP, HostPort: host, ContainerPort: container, Protocol: protocol}
}
