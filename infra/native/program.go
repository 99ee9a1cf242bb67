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

// tool is a program that belongs to the server, such as initdb.
func (p program) tool(name string) string { return filepath.Join(filepath.Dir(p.Path), name) }

// finder looks for servers, and asks each for its version once.
type finder struct {
	env    map[string]string
	places []string // patterns of directories where systems put servers that they keep off PATH

	mu    sync.Mutex         // guards known
	known map[string]program // by path
}

func newFinder(env map[string]string) *finder {
	return &finder{env: env, known: map[string]program{}, places: []string{
		"/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", "/home/linuxbrew/.linuxbrew/bin",
		"/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
		"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*",
	}}
}

// forData is the host's program for a service. Data that are there already decide about the version of postgres, as long as
// the host has it.
func (f *finder) forData(at place, k kind, major int) (program, error) {
	have, err := f.find(k, major)
	if err != nil || k != postgres {
		return have, err
	}
	if of := dataVersion(at); of != 0 && of != have.major() {
		if other, err := f.find(k, of); err == nil && other.major() == of {
			return other, nil
		}
	}
	return have, nil
}

// find is the program for an image of this kind: of the same major version if there is one, else the newest. An error is an
// *infra.Error that says what to install.
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
	for _, path := range f.candidates(k.family()) {
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

// candidates are paths where a program may be: those of the override alone if there is one, else of PATH, then of the places.
func (f *finder) candidates(of family) []string {
	dirs := append(filepath.SplitList(f.env["PATH"]), f.places...)
	if only := f.env[of.override]; only != "" {
		if !isDir(only) {
			return []string{only}
		}
		dirs = []string{only}
	}
	var out []string
	for _, name := range of.programs {
		for _, dir := range dirs {
			path := filepath.Join(dir, name)
			if slices.Contains(f.places, dir) {
				matches, _ := filepath.Glob(path)
				out = append(out, matches...)
			} else {
				out = append(out, path)
			}
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
		if _, err := os.Stat(p.tool("initdb")); err != nil {
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

// missing says how to get a server that the host does not have.
func (f *finder) missing(k kind) error {
	if variable := k.family().override; f.env[variable] != "" {
		return &infra.Error{
			Kind: infra.NoEngine, Message: fmt.Sprintf("%s is %s, but no %s runs from there", variable, f.env[variable], k),
			Hint: "set " + variable + " to the directory of the programs, or unset it",
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
