package main_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// Services that others start may be late: gates wait for them, and so does the unit.
func TestForegroundWithoutInfra(t *testing.T) {
	t.Parallel()
	if err := ready(); err != nil {
		t.Fatal(err)
	}
	p := newProject(t)
	p.write("compose.yaml", "name: ${STACK_NAME}\nservices:\n  redis: {image: \"redis:7-alpine\", ports: [\"${REDIS_PORT}:6379\"]}\n")
	p.write("ecosystem.yaml", "compose: compose.yaml\napps:\n  - {name: client, command: [sleep, '1000'], depends_on: [redis]}\n")
	u := p.foreground("--no-infra", "--timeout", "1s")
	u.hears(t, "STATUS=0/1 processes ready, 0/1 services ready: waiting for redis, client")
	statuses("client=waiting")(p)
	docker(t, "run", "-d", "--label", "com.docker.compose.project="+p.name, "-p", "127.0.0.1:"+strconv.Itoa(p.redisPort)+":6379", "redis:7-alpine")
	u.hears(t, "READY=1")
	u.hears(t, "STATUS=1/1 processes ready, 1/1 services ready")
	p.must("down")
	u.ends(t, 0)
	if n := len(p.labelled("container")); n != 1 {
		t.Errorf("%d containers are left, not the one of others", n)
	}
}

// An engine that is not there yet is waited for; `down` and SIGTERM end the waiting at once.
func TestForegroundWaitsForTheEngine(t *testing.T) {
	t.Parallel()
	if err := ready(); err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func(*testing.T, *project, *unit){
		"engine": func(t *testing.T, p *project, u *unit) {
			if err := os.Symlink("/var/run/docker.sock", filepath.Join(p.home, "docker.sock")); err != nil {
				t.Fatal(err)
			}
			u.hears(t, "READY=1")
			allReady(t, p.ps(), 1, 1)
			p.must("down")
		},
		"down": func(_ *testing.T, p *project, _ *unit) { p.must("down") },
		"term": func(t *testing.T, _ *project, u *unit) { u.term(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			p.write("compose.yaml", "name: ${STACK_NAME}\nservices:\n  redis: {image: \"redis:7-alpine\", ports: [\"${REDIS_PORT}:6379\"]}\n")
			p.write("ecosystem.yaml", "compose: compose.yaml\napps:\n  - {name: client, command: [sleep, '1000'], depends_on: [redis]}\n")
			if err := os.MkdirAll(p.StateDir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(p.StateDir, "infra"), []byte("docker\n"), 0o600); err != nil { // its data is Docker's
				t.Fatal(err)
			}
			u := p.foregroundWith([]string{"DOCKER_HOST=unix://" + filepath.Join(p.home, "docker.sock")})
			u.hears(t, "STATUS=not started yet: ")
			end(t, p, u)
			u.ends(t, 0)
			if left := p.processes(); len(left) > 0 {
				t.Errorf("left: %+v", left)
			}
		})
	}
}
