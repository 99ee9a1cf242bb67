package rehearse

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"devstack/profiles/prod"
)

// managed is a backing service that really runs, where production has one that somebody else manages.
type managed struct {
	container string // also its name for others in a network
	url       string
	ready     []string // a command in it that ends with 0
}

// startBacking starts what stands in for managed services, each with a password of this run.
func (s *session) startBacking(ctx context.Context) error {
	if _, err := docker(ctx, "network", "create", "--label", s.label(), s.run); err != nil {
		return err
	}
	s.managed = map[string]managed{}
	for _, b := range s.export.Model.Backing {
		if b.Container != nil || b.Kind == prod.Other {
			continue // the definitions bring it, or nothing here can stand in for it
		}
		s.step("starting %s in place of the managed %s", b.Image, b.Name)
		m, env, command := s.standIn(b)
		args := []string{"run", "-d", "--name", m.container, "--label", s.label(), "--network", s.run}
		for name := range env {
			args = append(args, "-e", name)
		}
		if _, err := runIn(ctx, pairs(env), "docker", append(append(args, b.Image), command...)...); err != nil {
			return err
		}
		s.managed[b.Name] = m
	}
	for _, b := range s.export.Model.Backing {
		if m, ok := s.managed[b.Name]; ok {
			if err := until(ctx, time.Minute, 100*time.Millisecond, func() error { return inContainer(ctx, m.container, m.ready) }); err != nil {
				log, _ := dockerBoth(ctx, "logs", "--tail", "5", m.container)
				return fmt.Errorf("cannot start %s: %w\n%s", b.Image, err, log)
			}
		}
	}
	return nil
}

// standIn is how the official images of Redis and Postgres are started.
func (s *session) standIn(b prod.Backing) (m managed, env map[string]string, command []string) {
	password := s.canaries.next()
	m.container = s.run + "-" + b.Name
	if b.Kind == prod.Redis {
		m.url = "redis://:" + password + "@" + m.container + ":6379"
		m.ready = []string{"redis-cli", "ping"} // any answer will do
		return m, nil, []string{"redis-server", "--requirepass", password}
	}
	m.url = "postgres://rehearsal:" + password + "@" + m.container + ":5432/rehearsal"
	// Over TCP: the server that the image starts to set itself up has none.
	m.ready = []string{"pg_isready", "-q", "-h", "127.0.0.1", "-U", "rehearsal"}
	return m, map[string]string{"POSTGRES_USER": "rehearsal", "POSTGRES_PASSWORD": password, "POSTGRES_DB": "rehearsal"}, nil
}

// secretValues is a value for every name that the definitions need: what was given, the URL of a service that was started,
// where the name says which, and otherwise a canary.
func (s *session) secretValues() map[string]string {
	out := map[string]string{}
	for _, w := range s.export.Model.Workloads {
		for _, secret := range w.Secrets {
			switch given, ok := s.o.Secrets[secret.Name]; {
			case out[secret.Name] != "":
			case ok:
				out[secret.Name] = given
			default:
				out[secret.Name] = s.urlFor(secret.Name)
				if out[secret.Name] == "" {
					out[secret.Name] = s.canaries.next()
				}
			}
		}
	}
	return out
}

// urlFor is the URL of the backing service that a variable's name means; empty: none.
func (s *session) urlFor(name string) string {
	words := map[prod.BackingKind][]string{
		prod.Redis:    {"REDIS", "VALKEY", "CACHE_URL"},
		prod.Postgres: {"DATABASE_URL", "POSTGRES", "PG_URL", "DB_URL"},
	}
	for _, b := range s.export.Model.Backing {
		if strings.Contains(name, strings.ToUpper(strings.ReplaceAll(b.Name, "-", "_"))+"_URL") {
			return s.managed[b.Name].url
		}
	}
	for _, b := range s.export.Model.Backing {
		for _, word := range words[b.Kind] {
			if strings.Contains(name, word) {
				return s.managed[b.Name].url
			}
		}
	}
	return ""
}

// reachable are the secrets for what is in no network of Docker's: the managed services by their addresses.
func (s *session) reachable(ctx context.Context) (map[string]string, error) {
	out := maps.Clone(s.values)
	for _, m := range s.managed {
		address, err := docker(ctx, "inspect", "-f", "{{(index .NetworkSettings.Networks \""+s.run+"\").IPAddress}}", m.container)
		if err != nil {
			return nil, err
		}
		for name, value := range out {
			out[name] = strings.ReplaceAll(value, "@"+m.container+":", "@"+address+":")
		}
	}
	return out, nil
}

// inContainer runs a command in a container and only cares how it ends.
func inContainer(ctx context.Context, container string, command []string) error {
	_, err := docker(ctx, append([]string{"exec", container}, command...)...)
	return err
}

// until tries, with pauses, until it succeeds, and returns the last error when the time is over.
func until(ctx context.Context, limit, pause time.Duration, try func() error) error {
	over := time.After(limit)
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-over:
			return fmt.Errorf("it took longer than %s: %w", limit, err)
		case <-time.After(pause):
		}
	}
}

// pairs are variables as os.Environ has them.
func pairs(env map[string]string) []string {
	var out []string
	for name, value := range env {
		out = append(out, name+"="+value)
	}
	return out
}
