package pilot

import (
	"bytes"
	"context"
	"os"
	osuser "os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Observe looks at this machine. It changes nothing; what it may not see is absent.
func Observe(ctx context.Context, w Wanted) Facts {
	f := Facts{
		Systemd: exists("/run/systemd/system"), Apt: exists("/usr/bin/apt-get"), Lists: glob("/var/lib/apt/lists/*_Packages*"),
		Node:   strings.TrimSpace(ask(ctx, node(w.PathDirs), "--version")),
		Socket: exists(engineSocket), Redis: program("redis-server") || program("valkey-server"),
		Postgres: program("postgres") || glob("/usr/lib/postgresql/*/bin/postgres"),
		User:     lookUp(w.User), Dirs: map[string]Dir{}, Files: map[string]string{}, Units: map[string]UnitFact{},
	}
	f.Engine = EngineHere()
	if f.Apt {
		f.Packages = candidates(ask(ctx, "apt-cache", "policy", "nodejs", "docker.io", "docker-cli", "iptables", "ca-certificates", "redis-server", "valkey-server", "postgresql"))
	}
	for _, dir := range append([]string{Home}, w.Writable...) {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			real, err := filepath.EvalSymlinks(dir)
			f.Dirs[dir] = Dir{UID: int(info.Sys().(*syscall.Stat_t).Uid), Mode: info.Mode().Perm(), Link: err != nil || real != dir}
		}
	}
	for _, path := range []string{journald, daemonJSON, EnvFile(w.Project), filepath.Join(unitDir, w.name()), filepath.Join(unitDir, w.infraName())} {
		if text, err := os.ReadFile(path); err == nil {
			f.Files[path] = string(text)
		}
	}
	f.Same = w.From == "" || same(filepath.Join(w.From, "devstack"), w.Devstack) && same(filepath.Join(w.From, "devstackd"), w.Devstackd)
	for _, name := range []string{w.name(), w.infraName()} {
		f.Units[name] = unitFact(ask(ctx, "systemctl", "show", "-p", "UnitFileState,ActiveState,NeedDaemonReload", name))
	}
	reads := append([]string{w.File}, w.Reads...)
	if w.From == "" {
		reads = append(reads, w.Devstack, w.Devstackd)
	}
	for _, path := range reads {
		if f.Forbidden == "" {
			f.Forbidden = forbidden(path, f.User)
		}
	}
	return f
}

const engineSocket = "/var/run/docker.sock"

// EngineHere says whether a Docker Engine is installed or answers.
func EngineHere() bool { return program("dockerd") || exists(engineSocket) }

// SystemdVersion is 252 for systemd 252.39; 0 where there is none.
func SystemdVersion(ctx context.Context) int {
	words := strings.Fields(ask(ctx, "systemctl", "--version"))
	if len(words) < 2 {
		return 0
	}
	n, err := strconv.Atoi(words[1])
	if err != nil {
		return 0
	}
	return n
}

// NodeDir is the directory of the first Node.js in path that the user may run and systemd's PATH does not have; empty if none
// is needed.
func NodeDir(path, user string) string {
	standard := filepath.SplitList(defaultPath)
	for _, dir := range append(standard, filepath.SplitList(path)...) {
		if node := filepath.Join(dir, "node"); filepath.IsAbs(dir) && executable(node) && forbidden(node, lookUp(user)) == "" {
			if slices.Contains(standard, dir) {
				return ""
			}
			return dir
		}
	}
	return ""
}

// Status is what the stack's unit says of itself.
func Status(ctx context.Context, u Unit) string {
	return strings.TrimSpace(ask(ctx, "systemctl", "show", "-p", "StatusText", "--value", u.name()))
}

// Failure is what the journal has last of the units, and the exit code of the supervisor.
func Failure(ctx context.Context, u Unit) (lines []string, code int) {
	names := u.Names()
	for i, name := range slices.Backward(names) {
		if unitFact(ask(ctx, "systemctl", "show", "-p", "ActiveState", name)).Active == "active" {
			continue
		}
		text := ask(ctx, "journalctl", "-u", name, "-n", "12", "-o", "cat", "--no-pager")
		lines = append(lines, strings.Split(strings.TrimSpace(text), "\n")...)
		if n, err := strconv.Atoi(strings.TrimSpace(ask(ctx, "systemctl", "show", "-p", "ExecMainStatus", "--value", name))); err == nil && (code == 0 || i == 0) {
			code = n
		}
	}
	return lines, code
}

func node(dirs []string) string {
	for _, dir := range append(slices.Clone(dirs), filepath.SplitList(defaultPath)...) {
		if path := filepath.Join(dir, "node"); executable(path) {
			return path
		}
	}
	return "node"
}

func program(name string) bool {
	return slices.ContainsFunc(filepath.SplitList(defaultPath), func(dir string) bool { return executable(filepath.Join(dir, name)) })
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func glob(pattern string) bool {
	found, err := filepath.Glob(pattern)
	return err == nil && len(found) > 0
}

func lookUp(name string) *Account {
	u, err := osuser.Lookup(name)
	if err != nil {
		return nil
	}
	uid, bad := strconv.Atoi(u.Uid)
	gid, worse := strconv.Atoi(u.Gid)
	if bad != nil || worse != nil {
		return nil
	}
	return &Account{UID: uid, GID: gid, Home: u.HomeDir}
}

func (a Account) group() string { return strconv.Itoa(a.GID) }

var policy = regexp.MustCompile(`(?m)^(\S+):\n(?:  .*\n)*?  Candidate: (\S+)`)

// candidates reads `apt-cache policy`.
func candidates(text string) map[string]string {
	all := map[string]string{}
	for _, match := range policy.FindAllStringSubmatch(text, -1) {
		if match[2] != "(none)" {
			all[match[1]] = match[2]
		}
	}
	return all
}

// unitFact reads `systemctl show`.
func unitFact(text string) UnitFact {
	var f UnitFact
	for line := range strings.Lines(text) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), "="); key {
		case "UnitFileState":
			f.Enabled = value == "enabled"
		case "ActiveState":
			f.Active = value
		case "NeedDaemonReload":
			f.Reload = value == "yes"
		}
	}
	return f
}

// same says whether two files hold the same, and the second can be run by everybody.
func same(a, b string) bool {
	one, bad := os.ReadFile(a)
	two, worse := os.ReadFile(b)
	info, err := os.Stat(b)
	return bad == nil && worse == nil && err == nil && info.Mode().Perm()&0o555 == 0o555 && bytes.Equal(one, two)
}

// forbidden is the first directory on the way to file, or file, that the user may not pass or read; empty if there is none.
// Nobody knows of a user that is still to be made more than that he is like any other.
func forbidden(file string, who *Account) string {
	if who != nil && who.UID == 0 {
		return ""
	}
	path := "/"
	for _, name := range strings.Split(strings.TrimPrefix(file, "/"), "/") {
		path = filepath.Join(path, name)
		info, err := os.Stat(path)
		if err != nil {
			return path
		}
		need := os.FileMode(0o1)
		if path == file {
			need = 0o4
		}
		switch owner := info.Sys().(*syscall.Stat_t); {
		case who != nil && int(owner.Uid) == who.UID:
			need <<= 6
		case who != nil && int(owner.Gid) == who.GID:
			need <<= 3
		}
		if info.Mode().Perm()&need == 0 {
			return path
		}
	}
	return ""
}
