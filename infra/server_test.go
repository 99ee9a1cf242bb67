package infra

import (
	"testing"

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
		{Postgres, nil, map[string]string{"POSTGRESQL_USERNAME": "a", "POSTGRESQL_PASSWORD": "b", "POSTGRESQL_DATABASE": "c"}, Login{5432, "a", "b", "c"}},
		{Postgres, []string{"postgres", "-p", "5556"}, nil, Login{5556, "postgres", "", "postgres"}},
	} {
		if got := LoginOf(test.server, test.argv, test.env); got != test.want {
			t.Errorf("LoginOf(%s, %q, %v) = %+v, want %+v", test.server, test.argv, test.env, got, test.want)
		}
	}
}

func portAt(ip string, host, container int, protocol string) view.PublishedPort {
	return view.PublishedPort{HostIP: ip, HostPort: host, ContainerPort: container, Protocol: protocol}
}

func TestPublished(t *testing.T) {
	ports := []view.PublishedPort{
		portAt("", 0, 1, "tcp"), portAt("0.0.0.0", 100, 1, "udp"), portAt("0.0.0.0", 101, 1, "tcp"), portAt("::", 102, 2, "tcp"), portAt("127.0.0.2", 103, 3, "tcp"), portAt("", 104, 4, "tcp"),
	}
	for container, want := range map[int]string{1: "127.0.0.1:101", 2: "[::1]:102", 3: "127.0.0.2:103", 4: "127.0.0.1:104", 5: ""} {
		if got := published(ports, container); got != want {
			t.Errorf("port %d is published at %q, want %q", container, got, want)
		}
	}
}

func TestPortsThatOverlap(t *testing.T) {
	for _, test := range []struct {
		a, b view.PublishedPort
		want bool
	}{
		{portAt("", 1, 0, "tcp"), portAt("127.0.0.1", 1, 0, "tcp"), true},
		{portAt("127.0.0.1", 1, 0, "tcp"), portAt("0.0.0.0", 1, 0, "tcp"), true},
		{portAt("127.0.0.1", 1, 0, "tcp"), portAt("127.0.0.1", 1, 0, "tcp"), true},
		{portAt("127.0.0.1", 1, 0, "tcp"), portAt("127.0.0.2", 1, 0, "tcp"), false},
		{portAt("", 1, 0, "tcp"), portAt("", 2, 0, "tcp"), false},
		{portAt("", 1, 0, "tcp"), portAt("", 1, 0, "udp"), false},
	} {
		if got := (wantedPort{PublishedPort: test.a}).overlaps(test.b); got != test.want {
			t.Errorf("%+v and %+v overlap: %t, want %t", test.a, test.b, got, test.want)
		}
	}
}
