package main_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
)

// When up returns, the databases answer at the first try, also on a fresh volume, where they first create themselves.
// DEVSTACK_ROUNDS says how often (default 2).
func TestSoakFreshVolume(t *testing.T) {
	t.Parallel()
	p := newSample(t)
	for round := range rounds(t, 2, 50) {
		t.Run(fmt.Sprint(round+1), func(t *testing.T) {
			p := p.as(t)
			p.must("up", "redis", "postgres")
			p.answersAtOnce()
			p.must("down", "-v")
			if volumes := p.labelled("volume"); len(volumes) > 0 {
				t.Errorf("volumes after down -v: %v", volumes)
			}
		})
	}
}

// answersAtOnce asks both databases once, without retries.
func (p *project) answersAtOnce() {
	p.t.Helper()
	db := p.postgres()
	defer func() { _ = db.Close(context.Background()) }()
	var one int
	if err := db.QueryRow(p.t.Context(), "SELECT 1").Scan(&one); err != nil || one != 1 {
		p.t.Errorf("SELECT 1: %d, %v", one, err)
	}
	client := redis.NewClient(&redis.Options{Addr: fmt.Sprintf("localhost:%d", p.redisPort), MaxRetries: -1})
	defer func() { _ = client.Close() }()
	if err := client.Set(p.t.Context(), "key", "value", 0).Err(); err != nil {
		p.t.Errorf("SET: %v", err)
	}
}
