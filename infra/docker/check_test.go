package docker

import "testing"

// A look now finds out what the last look does not know yet.
func TestCheckAsksNow(t *testing.T) {
	f := newFixture(t, redisOnly)
	i := f.infra()
	f.up(i)
	id := string(f.ready(i)["redis"].ID)
	if r := i.Check(f.ctx, "redis"); !r.Ready {
		t.Errorf("a ready redis: %+v", r)
	}
	f.docker("pause", id)
	if r := i.Check(f.ctx, "redis"); r.Ready || r.Detail == "" {
		t.Errorf("a paused redis: %+v", r)
	}
	f.docker("unpause", id)
	if r := i.Check(f.ctx, "nobody"); r.Ready {
		t.Errorf("no service: %+v", r)
	}
}
