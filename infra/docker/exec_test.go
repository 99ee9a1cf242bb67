package docker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"devstack/probe"
	"devstack/view"
)

// The engine cannot end a command in a container: a healthcheck that hangs would leave one more behind at every look.
func TestACommandEndsWithItsContext(t *testing.T) {
	f := newFixture(t, "name: ${PROJECT}\nservices: {x: {image: redis:7-alpine, stop_grace_period: 0s, entrypoint: [sleep, infinity]}}\n")
	i := f.infra()
	f.up(i)
	id := string(f.ready(i)["x"].ID)
	for _, argv := range [][]string{{"sleep", "1000"}, {"sh", "-c", "sleep 1000; true"}} {
		for range 3 {
			ctx, cancel := context.WithTimeout(f.ctx, 300*time.Millisecond)
			_, err := f.driver.Exec(ctx, id, argv)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%q: %v", argv, err)
			}
			if top := f.docker("top", id); strings.Contains(top, "sleep 1000") {
				t.Fatalf("%q is left:\n%s", argv, top)
			}
		}
	}
	if x, err := f.driver.Exec(f.ctx, id, []string{"sh", "-c", "echo out; echo err >&2; exit 3"}); err != nil || x != (probe.Execution{Code: 3, Stdout: "out\n", Stderr: "err\n"}) {
		t.Errorf("%+v, %v", x, err)
	}
	if _, err := f.driver.Exec(f.ctx, id, []string{"/nothing"}); err != nil && !errors.Is(err, probe.ErrNoCommand) {
		t.Errorf("a program that there is not: %v", err)
	}
}

// The image skips its initialisation where it finds data: a second start would come up on what the first one left.
func TestAPostgresWhoseInitScriptFails(t *testing.T) {
	f := newFixture(t, `
name: ${PROJECT}
services:
  db:
    image: postgres:16-alpine
    environment: {POSTGRES_PASSWORD: p}
    ports: ["127.0.0.1:${POSTGRES_PORT}:5432"]
    volumes: ["pg:/var/lib/postgresql/data"]
    configs: [{source: script, target: /docker-entrypoint-initdb.d/01.sql}]
configs: {script: {content: "create table t(a int); insert into nope values (1);"}}
volumes: {pg: }
`)
	i := f.infra()
	f.up(i)
	db := f.until("db has failed", i, func(all map[string]view.ServiceDetails) bool {
		return all["db"].Health == view.HealthUnhealthy && len(all["db"].Exits) > 0
	})["db"]
	lines := strings.Join(db.Exits[0].LastLines, "\n")
	if *db.Exits[0].Code != 3 || db.Ready || !strings.Contains(lines, `relation "nope" does not exist`) || !strings.Contains(db.Detail, "down -v starts over") {
		t.Errorf("%s, with\n%s", db.Detail, lines)
	}
	if err := i.Up(f.ctx, f.load(), nil); err == nil || !strings.Contains(err.Error(), "is not started again") {
		t.Errorf("a second up: %v", err)
	}
}
