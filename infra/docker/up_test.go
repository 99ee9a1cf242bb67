package docker

import (
	"context"
	"net"
	"testing"
	"time"

	"devstack/probe"
)

// answers asks both servers once, from outside, as an app would.
func (f *fixture) answers() {
	f.Helper()
	f.answersRedis()
	ctx, cancel := context.WithTimeout(f.ctx, 5*time.Second)
	defer cancel()
	if r := probe.Postgres(net.JoinHostPort("127.0.0.1", f.env["POSTGRES_PORT"]), "agentic", "agentic_dev", "agentic_sdlc").Check(ctx); !r.Ready {
		f.Fatalf("postgres does not answer at the first try: %s", r.Detail)
	}
}

func (f *fixture) answersRedis() {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.ctx, 5*time.Second)
	defer cancel()
	if r := probe.Redis(net.JoinHostPort("127.0.0.1", f.env["REDIS_PORT"]), "", "").Check(ctx); !r.Ready {
		f.Fatalf("redis does not answer at the first try: %s", r.Detail)
	}
}

func TestUpOnFreshVolumesEndsWithServersThatAnswerAtTheFirstTry(t *testing.T) {
	f := newFixture(t, sample)
	i := f.infra()
	f.up(i)
	f.ready(i)
	f.answers()

	before := i.Snapshot()
	f.up(i)
	for n, s := range i.Snapshot() {
		if s.ID != before[n].ID || !s.StartedAt.Equal(*before[n].StartedAt) || !s.Ready {
			t.Errorf("a second up changed %s: %+v, was %+v", s.Name, s, before[n])
		}
	}
	if err := i.Down(f.ctx, f.load().Project, f.project, false); err != nil {
		t.Fatal(err)
	}
	obs, err := f.driver.Observe(f.ctx, f.project, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(obs.Containers) != 0 || len(obs.Networks) != 0 || len(obs.Volumes) != 2 {
		t.Errorf("down left %d containers, %d networks and %d volumes; want 0, 0 and 2", len(obs.Containers), len(obs.Networks), len(obs.Volumes))
	}
	f.up(i)
	f.ready(i)
	f.answers()
	if err := i.Down(f.ctx, nil, f.project, true); err != nil {
		t.Fatal(err)
	}
	if obs, err = f.driver.Observe(f.ctx, f.project, nil); err != nil || len(obs.Volumes) != 0 {
		t.Errorf("down -v left volumes %v (%v)", obs.Volumes, err)
	}
}
