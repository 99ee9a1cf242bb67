package main_test

import (
	"strings"
	"syscall"
	"testing"
)

// Whatever is killed under native services, they are back, or were never away, and their data is there.
func TestFaultNative(t *testing.T) {
	t.Parallel()
	p := newNativeDatabases(t)
	p.edit("compose.yaml", `image: redis:7-alpine`, `image: redis:7-alpine
    command: [redis-server, --appendonly, "yes", --appendfsync, always]`)
	p.must("up", "--infra", "native")
	if err := p.redis().Set(t.Context(), "kept", p.name, 0).Err(); err != nil {
		t.Fatal(err)
	}
	db := p.postgresAs("postgres", "secret", "postgres")
	if _, err := db.Exec(t.Context(), "CREATE TABLE kept (name text)"); err != nil {
		t.Fatal(err)
	}
	_ = db.Close(t.Context())
	web := *p.process("web").Pid

	const killed = "exited with code 137 (crash)"
	for _, c := range []struct {
		name  string
		fault func(p *project)
	}{
		{"kill -9 redis", func(p *project) { p.comesBack("redis", killed) }},
		{"kill -9 postmaster", func(p *project) { p.comesBack("postgres", killed) }},
		{"kill -9 daemon", func(p *project) {
			p.stay(func() { kill(p.t, p.ps().Daemon.Pid); p.must("up") })
			p.comesBack("redis", killed) // its successor knows of them
		}},
		{"kill and up", func(p *project) {
			p.stay(func() { p.must("kill"); p.offline(); p.must("up") })
			p.comesBack("postgres", "status unknown") // they are not the new keeper's children
		}},
		{"down --keep-infra and up", func(p *project) {
			p.stay(func() { p.must("down", "--keep-infra"); p.offline(); p.must("up") })
			p.comesBack("redis", "status unknown")
		}},
		{"kill -9 keeper and daemon", func(p *project) {
			p.stay(func() {
				keeper, daemon := p.keepers()[0].pid, p.daemons()[0].pid
				kill(p.t, keeper)
				kill(p.t, daemon)
				p.must("up")
			})
		}},
	} {
		if !t.Run(c.name, func(t *testing.T) {
			p := p.as(t)
			c.fault(p)
			p.nativeOnly(p.ps())
			p.keeps()
		}) {
			return
		}
	}
	if now := *p.process("web").Pid; now == web {
		t.Error("web has survived its keeper") // the last fault alone ends it
	}
	p.must("kill")
	p.must("down")
	p.nothingRuns()
}

// A server that somebody asks to end stays stopped, by name, until up asks for it again.
func TestFaultNativeStop(t *testing.T) {
	t.Parallel()
	p := newNativeDatabases(t)
	p.must("up", "--infra", "native")
	signal(t, p.server("redis"), syscall.SIGTERM)
	stoppedByOther := func() (bool, any) {
		now := p.service("redis")
		return now.State == "exited" && now.StoppedBy == "other", now
	}
	waitFor(t, "redis stopped by other", stoppedByOther)
	kill(t, p.ps().Daemon.Pid)
	if ok, seen := stoppedByOther(); !ok {
		t.Errorf("redis after a restart of the daemon: %+v", seen)
	}
	p.must("up")
	allReady(t, p.ps(), 2, 1)
}

// comesBack kills a server: it is repaired, how it ended is said, and no process is restarted for it.
func (p *project) comesBack(service, how string) {
	p.t.Helper()
	before, was, started := pids(p.ps()), p.server(service), p.service(service).StartedAt
	kill(p.t, was)
	waitFor(p.t, service+" back", func() (bool, any) {
		now := p.service(service)
		return now.Ready && now.StartedAt.After(*started), now
	})
	if p.server(service) == was {
		p.t.Errorf("%s was not killed", service)
	}
	if out := p.must("describe", service); !strings.Contains(out, how) {
		p.t.Errorf("describe does not say of %s: %s\n%s", service, how, out)
	}
	if now := pids(p.ps()); !equalPids(before, now) {
		p.t.Errorf("pids changed from %v to %v", before, now)
	}
}

// stay does something that no server ends for.
func (p *project) stay(fault func()) {
	p.t.Helper()
	before := p.servers()
	fault()
	if now := p.servers(); now != before {
		p.t.Errorf("the servers' pids changed from %v to %v", before, now)
	}
	allReady(p.t, p.ps(), 2, 1)
}

// offline looks at the services while nobody keeps them.
func (p *project) offline() {
	p.t.Helper()
	state := p.ps()
	p.nativeOnly(state)
	for _, s := range state.Services {
		if s.State != "running" || !s.Ready {
			p.t.Errorf("%s while no daemon runs: %+v", s.Name, s)
		}
	}
	if out := p.must("logs", "postgres", "--no-follow"); !strings.Contains(out, "ready to accept connections") {
		p.t.Errorf("logs while no daemon runs:\n%s", out)
	}
	if out := p.must("preflight"); !strings.Contains(out, "all run as the Compose file wants them") {
		p.t.Errorf("preflight while no daemon runs:\n%s", out)
	}
}

// keeps fails the test unless both servers have their data.
func (p *project) keeps() {
	p.t.Helper()
	if got := p.redis().Get(p.t.Context(), "kept").Val(); got != p.name {
		p.t.Errorf("redis holds %q", got)
	}
	db := p.postgresAs("postgres", "secret", "postgres")
	defer func() { _ = db.Close(p.t.Context()) }()
	if _, err := db.Exec(p.t.Context(), "SELECT name FROM kept"); err != nil {
		p.t.Error(err)
	}
}
