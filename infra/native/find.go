package native

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"devstack/infra"
)

// program is one server of the host.
type program struct {
	Kind    kind
	Path    string
	Version string // 15.18
}

func (p program) major() int { return majorOf(p.Version) }

// id stands for the image's: another program or version means another one.
func (p program) id() string { return string(p.Kind) + ":" + p.Version + ":" + p.Path }

// finder looks for servers, and asks each for its version once.
type finder struct {
	env      map[string]string
	places   map[string][]string // patterns of paths beside PATH, by the program's name
	override map[kind]string     // the variable that names the only place

	mu    sync.Mutex
	known map[string]program // by path
}

func newFinder(env map[string]string) *finder {
	return &finder{
		env: env,
		places: map[string][]string{
			"postgres": {
				"/usr/lib/postgresql/*/bin/postgres", "/opt/homebrew/opt/postgresql@*/bin/postgres", "/usr/local/opt/postgresql@*/bin/postgres",
				"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin/postgres", "/usr/pgsql-*/bin/postgres", "/usr/libexec/postgresql*/postgres",
			},
			"redis-server":  {"/usr/bin/redis-server", "/usr/local/bin/redis-server", "/opt/homebrew/bin/redis-server", "/home/linuxbrew/.linuxbrew/bin/redis-server"},
			"valkey-server": {"/usr/bin/valkey-server", "/usr/local/bin/valkey-server", "/opt/homebrew/bin/valkey-server", "/home/linuxbrew/.linuxbrew/bin/valkey-server"},
		},
		override: map[kind]string{redis: "DEVSTACK_REDIS_BIN", valkey: "DEVSTACK_REDIS_BIN", postgres: "DEVSTACK_PG_BIN"},
		known:    map[string]program{},
	}
}

// find is the program for an image of this kind: of the same major version if there is one, else the newest.
func (f *finder) find(k kind, major int) (program, error) {
	all := f.all(k)
	if len(all) == 0 {
		return program{}, f.missing(k)
	}
	return choose(all, k, major), nil
}

// choose prefers the kind, then the major version, then the newest; what is found first wins among equals.
func choose(all []program, k kind, major int) program {
	distance := func(p program) int {
		switch {
		case p.Kind == k && p.major() == major:
			return 0
		case p.Kind == k:
			return 1
		}
		return 2
	}
	return slices.MinFunc(all, func(a, b program) int {
		return cmp.Or(cmp.Compare(distance(a), distance(b)), cmp.Compare(b.major(), a.major()))
	})
}

// all are the host's programs that can serve an image of this kind. A program that does not say its version is none.
func (f *finder) all(k kind) []program {
	var out []program
	seen := map[string]bool{}
	for _, path := range f.candidates(k) {
		real, err := filepath.EvalSymlinks(path)
		if err != nil || seen[real] {
			continue
		}
		seen[real] = true
		if k == postgres {
			path = real // a link may lack what is beside the program
		}
		if p, err := f.look(path); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// candidates are paths where a program may be: those of the override alone if there is one, else of PATH, then of the
// places where systems put what they keep off PATH.
func (f *finder) candidates(k kind) []string {
	names := []string{"postgres"}
	if k != postgres {
		names = []string{"redis-server", "valkey-server"}
	}
	var out []string
	if only := f.env[f.override[k]]; only != "" {
		for _, name := range names {
			out = append(out, filepath.Join(only, name))
		}
		if !isDir(only) {
			out = []string{only}
		}
		return out
	}
	for _, name := range names {
		for _, dir := range filepath.SplitList(f.env["PATH"]) {
			out = append(out, filepath.Join(dir, name))
		}
		for _, pattern := range f.places[name] {
			matches, _ := filepath.Glob(pattern)
			out = append(out, matches...)
		}
	}
	return out
}

// look asks a program for its version.
func (f *finder) look(path string) (program, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p, ok := f.known[path]; ok {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	line, err := execute(ctx, command{argv: []string{path, "--version"}})
	if err != nil {
		return program{}, err
	}
	p := program{Path: path}
	if p.Kind, p.Version = versionIn(line); p.Kind == "" {
		return program{}, fmt.Errorf("%s is another program: %q", path, line)
	}
	if p.Kind == postgres {
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), "initdb")); err != nil {
			return program{}, err
		}
	}
	f.known[path] = p
	return p, nil
}

// versionIn reads "postgres (PostgreSQL) 15.18 (Debian 15.18-0)" and "Redis server v=7.0.15 sha=00000000:0 ...".
func versionIn(line string) (kind, string) {
	words := strings.Fields(line)
	for i, w := range words {
		if v, ok := strings.CutPrefix(w, "v="); ok && i > 0 {
			return map[string]kind{"Redis": redis, "Valkey": valkey}[words[0]], v
		}
		if w == "(PostgreSQL)" && i+1 < len(words) {
			return postgres, words[i+1]
		}
	}
	return "", ""
}

func (f *finder) missing(k kind) error {
	if only := f.env[f.override[k]]; only != "" {
		return &infra.Error{
			Kind: infra.NoEngine, Message: fmt.Sprintf("%s names %s, where no %s is that runs", f.override[k], only, k),
			Hint: "set it to the directory of the programs, or unset it",
		}
	}
	hint := map[kind]string{postgres: "apt-get install postgresql", redis: "apt-get install redis-server", valkey: "apt-get install valkey-server, or redis-server"}[k]
	if runtime.GOOS == "darwin" {
		hint = map[kind]string{postgres: "brew install postgresql@16", redis: "brew install redis", valkey: "brew install valkey"}[k]
	}
	return &infra.Error{Kind: infra.NoEngine, Message: fmt.Sprintf("this host has no %s server", k), Hint: hint}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
