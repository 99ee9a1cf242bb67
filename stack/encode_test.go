package stack_test

import (
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"devstack/stack"
)

const richCompose = `
name: rich
services:
  db:
    image: postgres:16
    environment: {POSTGRES_PASSWORD: pa$$word, EMPTY: "", FROM_SHELL: }
    env_file: [db.env]
    command: ["postgres", "-c", "fsync=off"]
    ports: ["127.0.0.1:5433:5432", "8000-8002:8000-8002/udp"]
    volumes: [data:/var/lib/postgresql/data, "/srv/conf:/etc/conf:ro", {type: tmpfs, target: /run, tmpfs: {size: 64m}}]
    tmpfs: /tmp:size=1m
    networks: {back: {aliases: [database]}}
    healthcheck: {test: pg_isready -U x, interval: 5s, timeout: 3s, retries: 5, start_period: 1m30s}
    deploy: {resources: {limits: {cpus: "0.5", memory: 256M}, reservations: {memory: 64M}}}
    ulimits: {nofile: {soft: 1000, hard: 2000}, nproc: 100}
    secrets: [password, {source: token, target: /run/token, mode: 0400}]
    configs: [{source: settings, target: /etc/settings}]
    stop_grace_period: 20s
    restart: unless-stopped
    shm_size: 128m
    init: true
    labels: {team: "a=b"}
    extra_hosts: ["host.docker.internal:host-gateway"]
    sysctls: {net.core.somaxconn: 1024}
    x-note: kept
  cache:
    image: redis:7
    depends_on: {db: {condition: service_healthy, restart: true}}
    logging: {driver: json-file, options: {max-size: 1m}}
  other:
    image: busybox
    profiles: [extra]
networks: {back: {driver: bridge, ipam: {config: [{subnet: 172.30.0.0/24}]}}}
volumes: {data: {labels: {a: b}}}
secrets: {password: {environment: DB_PASSWORD}, token: {file: ./token}}
configs: {settings: {content: "a=$$b\n"}}
`

func TestDecodeGivesTheSameStack(t *testing.T) {
	dir := write(t, map[string]string{
		"compose.yaml":   richCompose,
		"db.env":         "A=1\nB=\"two $A\"\n",
		"token":          "x",
		"ecosystem.yaml": "compose: compose.yaml\nrequired_env: [NEEDED]\napps: [{name: web, script: web.js, depends_on: [cache], restart_delay: 4s, env: {A: b}, healthcheck: {tcp: \"localhost:1\"}}]\n",
	})
	s := load(t, dir, "DB_PASSWORD=secret", "FROM_SHELL=yes", "A=shell")
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := stack.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Apps, got.Apps); diff != "" {
		t.Errorf("apps differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(hashes(t, s), hashes(t, got)); diff != "" {
		t.Errorf("hashes differ (-want +got):\n%s", diff)
	}
	want, have := *s.Compose, *got.Compose
	want.DisabledServices, have.DisabledServices = nil, nil
	if diff := cmp.Diff(want, have, cmpopts.IgnoreUnexported(types.SecretConfig{}, types.ConfigObjConfig{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("projects differ (-want +got):\n%s", diff)
	}
	wantConfig, _ := s.Config(true)
	gotConfig, _ := got.Config(true)
	if diff := cmp.Diff(wantConfig, gotConfig); diff != "" {
		t.Errorf("configs differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(s.Graph(), got.Graph()); diff != "" {
		t.Errorf("graphs differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(s.Missing, got.Missing); diff != "" {
		t.Errorf("missing differs (-want +got):\n%s", diff)
	}
}

// hashes are docker compose's hashes of everything in the project.
func hashes(t *testing.T, s *stack.Stack) map[string]string {
	t.Helper()
	out := map[string]string{}
	put := func(name, hash string, err error) {
		if err != nil {
			t.Fatal(err)
		}
		out[name] = hash
	}
	for name, service := range s.Compose.Services {
		hash, err := stack.ServiceHash(service)
		put("service "+name, hash, err)
	}
	for name, network := range s.Compose.Networks {
		hash, err := stack.NetworkHash(network)
		put("network "+name, hash, err)
	}
	for name, volume := range s.Compose.Volumes {
		hash, err := stack.VolumeHash(volume)
		put("volume "+name, hash, err)
	}
	return out
}
