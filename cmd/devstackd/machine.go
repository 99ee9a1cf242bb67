package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"devstack/daemon"
	"devstack/daemon/api"
	"devstack/daemon/preflight"
	"devstack/infra"
	"devstack/profiles/pilot"
	"devstack/stack"
	"devstack/view"
)

// oldestNode is the first major version of Node.js for stacks whose package.json says nothing.
const oldestNode = 18

// machine answers one request about this machine.
type machine struct {
	files api.Files
	out   strings.Builder // the answer
	err   *lines          // what is going on
}

// onMachine answers with what a request writes.
func onMachine[R any](o *once, do func(*machine, context.Context, R) error) func(context.Context, R, func(view.Event)) (*api.Text, error) {
	return func(ctx context.Context, request R, tell func(view.Event)) (*api.Text, error) {
		m := &machine{files: o.files, err: &lines{tell: tell}}
		err := do(m, ctx, request)
		return &api.Text{Text: m.out.String()}, err
	}
}

// machineOptions are what startup and bootstrap are asked for.
type machineOptions struct {
	user, infra string
	bin         string // where the executables are, or are to be; empty: where they are
	timeout     time.Duration
}

// wanted is the pilot machine that the stack needs, with what the files and the environment file say now.
func (m *machine) wanted(ctx context.Context, o machineOptions) (pilot.Wanted, error) {
	var w pilot.Wanted
	if m.files.Profile != "" && m.files.Profile != "pilot" {
		return w, &api.Error{Exit: api.ExitUsage, Message: "cannot use the profile " + m.files.Profile + ": a machine boots the pilot profile"}
	}
	file, err := m.realFile()
	if err != nil {
		return w, err
	}
	w.Unit, w.Owner = pilot.Unit{File: file, User: o.user, Home: pilot.Home, Named: m.files.Project != ""}, owner(filepath.Dir(file))
	if found, err := user.Lookup(o.user); err == nil {
		w.Home = found.HomeDir
	}
	st, err := m.loadPilot(ctx, w, nil)
	if err != nil {
		return w, err
	}
	w.Project = st.Project
	// Absent before the first bootstrap, and root's.
	if text, err := os.ReadFile(pilot.EnvFile(w.Project)); err == nil {
		if st, err = m.loadPilot(ctx, w, pilot.Environment(string(text))); err != nil {
			return w, err
		}
		if st.Project != w.Project {
			return w, &api.Error{
				Exit: api.ExitFiles, Message: "cannot use " + pilot.EnvFile(w.Project) + ": it changes the project's name to " + st.Project,
				Hint: "set it in .env, or give it with -p",
			}
		}
	}
	return m.fill(ctx, w, st, o)
}

// fill adds what the stack, this machine and the installation say.
func (m *machine) fill(ctx context.Context, w pilot.Wanted, st *stack.Stack, o machineOptions) (pilot.Wanted, error) {
	here, err := executableDir()
	if err != nil {
		return w, err
	}
	at := here
	if o.bin != "" && o.bin != here {
		at, w.From = o.bin, here
	}
	w.Devstack, w.Devstackd = filepath.Join(at, "devstack"), filepath.Join(at, "devstackd")
	if st.Compose != nil {
		for _, name := range st.Compose.ServiceNames() {
			w.Images = append(w.Images, infra.ImageName(st.Project, st.Compose.Services[name]))
		}
		w.Reads = append(w.Reads, st.Compose.ComposeFiles...)
	}
	w.Driver = pilot.Driver(o.infra, lastDriver(filepath.Dir(w.File), w.Home), w.Images, pilot.EngineHere())
	if env := filepath.Join(filepath.Dir(w.File), ".env"); isFile(env) {
		w.Reads = append(w.Reads, env)
	}
	w.Required, w.Missing = st.RequiredEnv, st.Missing
	w.Node, w.Writable = nodeOf(st), logDirs(st)
	if dir := pilot.NodeDir(os.Getenv("PATH"), w.User); dir != "" && w.Node > 0 {
		w.PathDirs = []string{dir}
	}
	if w.Stop = pilot.StopTime(st.Apps); w.Driver == pilot.Native {
		w.Stop += time.Minute // a database that writes down what it has in memory
	}
	w.Systemd, w.Timeout = pilot.SystemdVersion(ctx), o.timeout
	if missing := preflight.UnmadeScripts(st, st.Apps); len(missing) > 0 {
		w.Build = &pilot.Build{}
		for _, path := range missing {
			w.Build.Missing = append(w.Build.Missing, st.Rel(path))
		}
		if st.Build != nil {
			w.Build.Command, w.Build.Dir = st.Build.Command, st.Build.Dir
		}
	}
	return w, nil
}

// realFile is the file that the unit names: no symlink is between, because the project's state goes by its real path.
func (m *machine) realFile() (string, error) {
	file := m.files.File
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(file)), nil
}

// loadPilot loads the stack as its unit will, not as this shell would.
func (m *machine) loadPilot(ctx context.Context, w pilot.Wanted, variables []string) (*stack.Stack, error) {
	environ := append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "HOME=" + w.Home, "USER=" + w.User}, variables...)
	return stack.Load(ctx, stack.Options{File: w.File, Project: m.files.Project, Profile: "pilot", Environment: environ})
}

// lastDriver is what ran the project's services last: docker, native or empty.
func lastDriver(dir, home string) string {
	at, err := api.Locate(dir, filepath.Join(home, ".devstack"))
	if err != nil {
		return ""
	}
	return daemon.Drivers{StateDir: at.StateDir}.Last()
}

// logDirs are the directories of all log files, sorted.
func logDirs(st *stack.Stack) []string {
	var dirs []string
	for _, app := range st.Apps {
		for _, file := range []string{app.OutFile, app.ErrorFile, app.LogFile} {
			if file != "" && !strings.HasPrefix(file, "/dev/") {
				dirs = append(dirs, filepath.Dir(file))
			}
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// leastVersion is the number that a range of versions begins with: >=20, ^20.1, 20.x.
var leastVersion = regexp.MustCompile(`^(?:>=|\^|~)?\s*v?(\d+)`)

// nodeOf is the oldest major version of Node.js that the stack's packages accept; 0 if no app runs on it.
func nodeOf(st *stack.Stack) int {
	oldest := 0
	for _, app := range st.Apps {
		if filepath.Base(app.Interpreter) != "node" && (len(app.Command) == 0 || filepath.Base(app.Command[0]) != "node") {
			continue
		}
		oldest = max(oldest, oldestNode)
		for dir := app.Cwd; ; dir = filepath.Dir(dir) {
			oldest = max(oldest, nodeEngine(filepath.Join(dir, "package.json")))
			if dir == st.Dir || dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return oldest
}

// nodeEngine is what a package.json's engines.node begins with; 0 if it says nothing.
func nodeEngine(path string) int {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	var said struct {
		Engines struct {
			Node string `json:"node"`
		} `json:"engines"`
	}
	if json.Unmarshal(data, &said) != nil {
		return 0
	}
	match := leastVersion.FindStringSubmatch(strings.TrimSpace(said.Engines.Node))
	if match == nil {
		return 0
	}
	n, err := strconv.Atoi(match[1])
	if err != nil {
		return 0
	}
	return n
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func executableDir() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return "", err
	}
	return filepath.Dir(self), nil
}

// owner is the name of who owns a directory; root if nobody can say.
func owner(dir string) string {
	info, err := os.Stat(dir)
	if err != nil {
		return "root"
	}
	u, err := user.LookupId(fmt.Sprint(info.Sys().(*syscall.Stat_t).Uid))
	if err != nil {
		return "root"
	}
	return u.Username
}
