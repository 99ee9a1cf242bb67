// Package preflight looks for everything that would keep a stack from starting, all at once, and says how to fix it.
// It promises to change nothing. What it finds well now can have changed by the time something starts: every later
// step still checks for itself.
package preflight

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"devstack/daemon/api"
	"devstack/stack"
)

// The words of a Check.
const (
	OK      = "ok"
	Warning = "warning"
	Failed  = "failed"
)

// Names of checks: Scripts is mended by a build, DiskSpace by somebody who makes room.
const (
	Scripts   = "scripts"
	DiskSpace = "disk space"
)

// Subject is what is checked.
type Subject struct {
	Stack    *stack.Stack
	Apps     []stack.App // those of Stack that are to run
	StateDir string
}

// Failures are the checks that keep the stack from starting.
func Failures(checks []api.Check) []api.Check {
	return slices.DeleteFunc(slices.Clone(checks), func(c api.Check) bool { return c.Status != Failed })
}

// Quick is every check of the host that starts no program; `up` runs it each time.
func Quick(s Subject) []api.Check {
	return []api.Check{RequiredEnv(s), Artifacts(s), Programs(s), Disk(s)}
}

// All is every check of the host.
func All(ctx context.Context, s Subject) []api.Check {
	return append(Quick(s), Stale(s), NodeVersion(ctx, s), OpenFiles())
}

// RequiredEnv names every variable of required_env that is set nowhere.
func RequiredEnv(s Subject) api.Check {
	c := api.Check{Name: "required environment", Status: OK, Detail: fmt.Sprintf("%d of %d set", len(s.Stack.RequiredEnv), len(s.Stack.RequiredEnv))}
	if missing := s.Stack.Missing; len(missing) > 0 {
		c.Status, c.Exit = Failed, api.ExitEnvironment
		c.Detail = "not set: " + strings.Join(missing, ", ")
		c.Fix = fmt.Sprintf("set them in the shell or in %s", s.Stack.Rel(filepath.Join(s.Stack.Dir, ".env")))
		if s.Stack.Profile == "pilot" { // systemd's units have no shell
			c.Fix += fmt.Sprintf(", or for its unit in /etc/devstack/%s.env", s.Stack.Project)
		}
		if _, err := os.Stat(filepath.Join(s.Stack.Dir, ".env.example")); err == nil {
			if _, err := os.Stat(filepath.Join(s.Stack.Dir, ".env")); err != nil {
				c.Fix += "; .env.example is a start: cp .env.example .env"
			}
		}
	}
	return c
}

// Disk fails when nothing could be written any more.
func Disk(s Subject) api.Check {
	const fails, warns = 32 << 20, 1 << 30
	c := api.Check{Name: DiskSpace, Status: OK}
	least := uint64(1) << 63
	for _, dir := range []string{s.Stack.Dir, s.Stack.LogDir, s.StateDir} {
		free, err := freeBytes(dir)
		if err != nil {
			return api.Check{Name: c.Name, Status: Warning, Detail: fmt.Sprintf("cannot tell for %s: %v", dir, err)}
		}
		if free < least {
			least = free
			c.Detail = fmt.Sprintf("%d MiB free for %s", free>>20, dir)
		}
	}
	switch {
	case least < fails:
		c.Status, c.Exit, c.Fix = Failed, api.ExitEnvironment, "free some space: logs and state could not be written"
	case least < warns:
		c.Status, c.Fix = Warning, "free some space"
	}
	return c
}

// freeBytes is what an ordinary user can still write in dir, or where dir would be made.
func freeBytes(dir string) (uint64, error) {
	if dir == "" {
		return 1 << 63, nil
	}
	for {
		var fs unix.Statfs_t
		err := unix.Statfs(dir, &fs)
		if err == nil {
			return uint64(fs.Bavail) * uint64(fs.Bsize), nil
		}
		if !errors.Is(err, unix.ENOENT) || dir == filepath.Dir(dir) {
			return 0, err
		}
		dir = filepath.Dir(dir)
	}
}

// OpenFiles warns of a low limit: every process needs a handful of descriptors in the keeper.
func OpenFiles() api.Check {
	const enough = 1024
	c := api.Check{Name: "open files", Status: OK}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return api.Check{Name: c.Name, Status: Warning, Detail: err.Error()}
	}
	c.Detail = fmt.Sprintf("limit %d", uint64(limit.Cur))
	if uint64(limit.Cur) < enough {
		c.Status, c.Fix = Warning, fmt.Sprintf("raise it: ulimit -n %d", enough)
	}
	return c
}
