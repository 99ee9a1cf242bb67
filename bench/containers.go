package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// The containers of P2 and P3: what the sample stack uses, on free ports.
const containerFile = `name: %[1]s
services:
  redis:
    image: redis:7-alpine
    ports: ["%[2]d:6379"]
    volumes: ["redis:/data"]
    healthcheck: {test: ["CMD", "redis-cli", "ping"], interval: 5s}
  postgres:
    image: postgres:16-alpine
    stop_signal: SIGINT
    environment: {POSTGRES_USER: bench, POSTGRES_PASSWORD: bench, POSTGRES_DB: bench}
    ports: ["%[3]d:5432"]
    volumes: ["postgres:/var/lib/postgresql/data"]
    healthcheck: {test: ["CMD-SHELL", "pg_isready -U bench"], interval: 5s}
volumes: {redis: {}, postgres: {}}
`

// containers is one side's own project.
type containers struct {
	*workload
	project         string
	redis, postgres int
	fresh           bool // every round starts without volumes
}

func newContainers(e *environment, name string, fresh bool) (*containers, error) {
	redis, err1 := freePort()
	postgres, err2 := freePort()
	c := &containers{
		workload: &workload{dir: filepath.Join(e.tmp, name), env: e},
		project:  fmt.Sprintf("%s-%d", strings.ToLower(name), os.Getpid()), redis: redis, postgres: postgres, fresh: fresh,
	}
	return c, errors.Join(err1, err2, os.MkdirAll(c.dir, 0o755),
		os.WriteFile(filepath.Join(c.dir, "compose.yaml"), fmt.Appendf(nil, containerFile, c.project, redis, postgres), 0o644),
		os.WriteFile(filepath.Join(c.dir, "ecosystem.yaml"), []byte("compose: compose.yaml\n"), 0o644))
}

// containersUp is P2 (existing volume) or P3 (fresh): from nothing until SELECT 1 and PING answer.
func containersUp(id, title string, fresh bool, factor float64) benchCase {
	return benchCase{
		id: id, title: title, unit: "ms", budgets: []budget{{"floor", factor}},
		sides: func(e *environment) ([]side, error) {
			floor, err1 := newContainers(e, "bench-"+id+"-floor", fresh)
			compose, err2 := newContainers(e, "bench-"+id+"-compose", fresh)
			own, err3 := newContainers(e, "bench-"+id+"-devstack", fresh)
			up := func(c *containers, start func(context.Context) error) func(context.Context) (float64, error) {
				return func(ctx context.Context) (float64, error) { return c.round(ctx, start) }
			}
			clean := func(c *containers) func() { return c.ending(c.composeAway) }
			return []side{
				{name: "floor", run: up(floor, floor.floorUp), end: clean(floor)},
				{name: "compose up --wait", run: up(compose, compose.composeUp), end: clean(compose)},
				{name: devstackSide, run: up(own, own.ownUp), end: clean(own)},
			}, errors.Join(err1, err2, err3)
		},
	}
}

// again is P13: asking for what is already there. Compose has the two containers, PM2 the six processes, devstack both.
func again() benchCase {
	return benchCase{
		id: "P13", title: "up with nothing changed: 2 containers (Compose), 6 processes (PM2), both (devstack)", unit: "ms",
		budgets: []budget{{"", 100}},
		sides: func(e *environment) ([]side, error) {
			compose, err1 := newContainers(e, "bench-P13-compose", true)
			own, err2 := newContainers(e, "bench-P13-devstack", true)
			pm2, err3 := newWorkload(e, "bench-P13-pm2", 6, false)
			apps, err4 := newWorkload(e, "bench-P13-apps", 6, false)
			if err := errors.Join(err1, err2, err3, err4); err != nil {
				return nil, err
			}
			err := own.add(apps)
			return []side{
				{
					name: "compose up -d", setUp: compose.composeUp, run: once(compose.composeAgain),
					end: compose.ending(compose.composeAway),
				},
				{
					name: "PM2", setUp: pm2.pm2Start, run: once(pm2.pm2Start),
					end: pm2.ending(pm2.runPM2, "kill"),
				},
				{
					name: devstackSide, setUp: own.ownUp, run: own.unchangedUp,
					end: own.ending(own.composeAway),
				},
			}, err
		},
	}
}

// add makes the apps of w part of this devstack project.
func (c *containers) add(w *workload) error {
	apps, err := os.ReadFile(filepath.Join(w.dir, "ecosystem.yaml"))
	if err != nil {
		return err
	}
	text := "compose: compose.yaml\ndefaults: {cwd: " + w.dir + "}\n" + string(apps)
	return os.WriteFile(filepath.Join(c.dir, "ecosystem.yaml"), []byte(text), 0o644)
}

func (c *containers) composeAgain(ctx context.Context) error {
	_, err := command(ctx, c.dir, nil, c.env.compose, "up", "-d")
	return err
}

// unchangedUp is `up`, checked: no process and no container may be another one than before.
func (c *containers) unchangedUp(ctx context.Context) (float64, error) {
	before, err1 := c.identities(ctx)
	ms, err2 := timed(func() error { return c.ownUp(ctx) })
	after, err3 := c.identities(ctx)
	if err := errors.Join(err1, err2, err3); err != nil {
		return 0, err
	}
	if before != after {
		return 0, fmt.Errorf("something was restarted: %s, then %s", before, after)
	}
	return ms, nil
}

// round starts, lets the command return, proves that both servers work at the first try, and removes the containers.
func (c *containers) round(ctx context.Context, start func(context.Context) error) (float64, error) {
	ms, err := timed(func() error { return start(ctx) })
	if err == nil {
		err = errors.Join(c.selectOne(ctx), c.ping(ctx))
	}
	return ms, errors.Join(err, c.composeDown(ctx, c.fresh))
}

func (c *containers) composeUp(ctx context.Context) error {
	_, err := command(ctx, c.dir, nil, c.env.compose, "up", "-d", "--wait")
	return err
}

// composeDown ends every side alike, after devstack's own daemon has been let go.
func (c *containers) composeDown(ctx context.Context, volumes bool) error {
	_, first := c.runDevstack(ctx, "down", "--keep-infra")
	args := []string{c.env.compose, "down", "--timeout", "5"}
	if volumes {
		args = append(args, "--volumes")
	}
	_, err := command(ctx, c.dir, nil, args...)
	return errors.Join(first, err)
}

// composeAway is composeDown for the end of a side.
func (c *containers) composeAway(ctx context.Context, _ ...string) (string, error) {
	return "", c.composeDown(ctx, true)
}

// floorUp is the least that anybody can do: raw, parallel create and start over the engine's socket, then asking both
// servers every 5 ms. It uses the volumes' and containers' Compose names, so that compose down removes what it made.
func (c *containers) floorUp(ctx context.Context) error {
	network := c.project + "_default"
	if err := engine(ctx, "/networks/create", map[string]any{"Name": network, "Labels": c.labels("network", "default")}, nil); err != nil {
		return err
	}
	errs := make(chan error, 2)
	go func() {
		err := c.floorStart(ctx, network, "redis", map[string]any{"Image": "redis:7-alpine"}, "redis:/data", c.redis, "6379/tcp")
		errs <- errors.Join(err, retry(ctx, c.ping))
	}()
	go func() {
		config := map[string]any{"Image": "postgres:16-alpine", "StopSignal": "SIGINT", "Env": []string{"POSTGRES_USER=bench", "POSTGRES_PASSWORD=bench", "POSTGRES_DB=bench"}}
		err := c.floorStart(ctx, network, "postgres", config, "postgres:/var/lib/postgresql/data", c.postgres, "5432/tcp")
		errs <- errors.Join(err, retry(ctx, c.selectOne))
	}()
	return errors.Join(<-errs, <-errs)
}

func (c *containers) labels(kind, name string) map[string]string {
	return map[string]string{
		"com.docker.compose.project": c.project, "com.docker.compose." + kind: name,
		"com.docker.compose.config-hash": "none", "com.docker.compose.oneoff": "False", "com.docker.compose.container-number": "1",
	}
}

func (c *containers) floorStart(ctx context.Context, network, name string, config map[string]any, volume string, port int, inside string) error {
	key, _, _ := bytes.Cut([]byte(volume), []byte(":"))
	if err := engine(ctx, "/volumes/create", map[string]any{"Name": c.project + "_" + string(key), "Labels": c.labels("volume", string(key))}, nil); err != nil {
		return err
	}
	config["Labels"] = c.labels("service", name)
	config["HostConfig"] = map[string]any{
		"Binds": []string{c.project + "_" + volume}, "NetworkMode": network,
		"PortBindings": map[string]any{inside: []map[string]string{{"HostPort": fmt.Sprint(port)}}},
	}
	config["ExposedPorts"] = map[string]any{inside: struct{}{}}
	var created struct{ ID string }
	if err := engine(ctx, "/containers/create?name="+c.project+"-"+name+"-1", config, &created); err != nil {
		return err
	}
	return engine(ctx, "/containers/"+created.ID+"/start", nil, nil)
}

// engine posts to the local Docker Engine.
func engine(ctx context.Context, path string, body, answer any) error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", "/var/run/docker.sock")
		},
	}}
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", "http://docker"+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("engine: POST %s: %s: %s", path, resp.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

func retry(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

func (c *containers) selectOne(ctx context.Context) error {
	conn, err := pgconn.Connect(ctx, fmt.Sprintf("postgres://bench:bench@127.0.0.1:%d/bench?sslmode=disable", c.postgres))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	return conn.ExecParams(ctx, "SELECT 1", nil, nil, nil, nil).Read().Err
}

func (c *containers) ping(ctx context.Context) error {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", c.redis))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && line != "+PONG\r\n" {
		err = fmt.Errorf("redis answers %q", line)
	}
	return err
}
