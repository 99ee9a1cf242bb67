package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// nativeUp is P14: redis and postgres on fresh data, once as the host's own servers, once as containers. The round that
// is not counted makes the template of Postgres' data.
func nativeUp() benchCase {
	return benchCase{
		id: "P14", title: "redis and postgres on fresh data, the host's own servers beside containers", unit: "ms", budgets: []budget{{"", 500}},
		sides: func(e *environment) ([]side, error) {
			engine, err1 := newContainers(e, "bench-P14-containers", true)
			servers, err2 := newContainers(e, "bench-P14-native", true)
			if err := errors.Join(err1, err2, servers.openTo()); err != nil {
				return nil, err
			}
			return []side{
				{
					name: "devstack, containers", end: engine.ending(engine.composeAway),
					run: func(ctx context.Context) (float64, error) { return engine.round(ctx, engine.ownUp) },
				},
				{name: devstackSide, run: servers.nativeRound, end: servers.ending(servers.runNative, "down", "-v")},
			}, nil
		},
	}
}

// openTo lets the users that the servers run as reach their data: root's servers are not root's.
func (c *containers) openTo() error {
	return errors.Join(os.Chmod(c.env.tmp, 0o711), os.Chmod(c.dir, 0o711))
}

func (c *containers) runNative(ctx context.Context, args ...string) (string, error) {
	env := append(c.devstackEnv(), "XDG_DATA_HOME="+filepath.Join(c.dir, "data"), "XDG_CACHE_HOME="+filepath.Join(c.dir, "cache"))
	return command(ctx, c.dir, env, append([]string{c.env.devstack}, args...)...)
}

// nativeRound is round without an engine.
func (c *containers) nativeRound(ctx context.Context) (float64, error) {
	ms, err := timed(func() error {
		_, err := c.runNative(ctx, "up", "--infra", "native")
		return err
	})
	if err == nil {
		err = errors.Join(c.selectOne(ctx), c.ping(ctx))
	}
	_, down := c.runNative(ctx, "down", "-v")
	return ms, errors.Join(err, down)
}
