package stack

import "context"

// Options says which stack to load and for whom.
type Options struct {
	File        string   // path of ecosystem.yaml
	Project     string   // -p; empty: as docker compose finds it
	Profile     string   // empty: DEVSTACK_PROFILE in Environment, else dev
	Environment []string // the caller's, KEY=VALUE: interpolation, precedence, COMPOSE_*
}

// Load reads, merges, validates and resolves.
func Load(ctx context.Context, o Options) (*Stack, error) { panic("being written") }
