package main_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"devstack/bench/freeport"
	"devstack/daemon/api"
	"devstack/view"
)

// Whatever keeps an app from running, `up` ends with the code for it, names the cause and shows the last lines; the
// list says the same. PM2 7.0.4 ends with 0 in four of the first five cases, shows EACCES and a process that never gets
// ready as online, and a death by signal as exit code 0.
func TestUpTellsTheTruth(t *testing.T) {
	t.Parallel()
	port := freeport.Get(t)
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	for _, c := range []struct {
		name   string
		app    string
		exit   api.Code
		says   []string
		status view.Status // of the app afterwards; stopped: nothing was started
	}{
		{
			"crashes at boot", `command: 'echo opening; echo no door >&2; exit 3', max_restarts: 0`,
			api.ExitProcess,
			[]string{"app", "exited with code 3", "│ no door", "app-error.log"},
			"errored",
		},
		{
			"never ready", `command: 'echo thinking; exec sleep 1000', wait_ready: true, listen_timeout: 300ms`,
			api.ExitTimeout,
			[]string{"app", "│ thinking"},
			"launching",
		},
		{
			"not executable", `command: [./plain]`,
			api.ExitEnvironment,
			[]string{"app", "plain", "next:"},
			"stopped",
		},
		{
			"no such program", `command: [no-such-program-anywhere]`,
			api.ExitEnvironment,
			[]string{"app", "no-such-program-anywhere", "next:"},
			"stopped",
		},
		{
			"port taken", fmt.Sprintf(`command: [sleep, "1000"], port: %d`, port),
			api.ExitPortTaken,
			[]string{"app", strconv.Itoa(port), strconv.Itoa(os.Getpid())},
			"stopped",
		},
		{
			"killed", `command: 'echo last words; kill -9 $$$$', max_restarts: 0`,
			api.ExitProcess,
			[]string{"app", "SIGKILL", "│ last words"},
			"errored",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			p.write("plain", "no program\n")
			p.write("ecosystem.yaml", "apps:\n  - {name: app, "+c.app+"}\n")
			r := p.run("up")
			if r.code != int(c.exit) {
				t.Errorf("up ended with %d, not %d", r.code, c.exit)
			}
			for _, want := range c.says {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("up does not say %q: %v", want, r)
				}
			}
			app := p.process("app")
			if app.Status != c.status || app.Ready {
				t.Errorf("app: %+v", app)
			}
			if c.name == "killed" && (app.Exit == nil || app.Exit.Code != nil || app.Exit.Signal != "SIGKILL") {
				t.Errorf("the exit is recorded as %+v", app.Exit)
			}
		})
	}
}

// `up` applies the difference between the file and what runs, and nothing else. PM2 7.0.4 restarts every app, keeps a
// removed key and a removed app, and leaves instances at what they were.
func TestUpAppliesTheDifference(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	const app = "  - {name: %s, command: [sleep, '1000'], env: {%s}}\n"
	file := func(apps ...string) { p.write("ecosystem.yaml", "apps:\n"+strings.Join(apps, "")) }
	one, two, three := fmt.Sprintf(app, "one", "KEPT: a, GONE: b"), fmt.Sprintf(app, "two", "KEPT: a"), fmt.Sprintf(app, "three", "KEPT: a")
	file(one, two, three)
	p.must("up")
	allReady(t, p.ps(), 0, 3)
	first := pids(p.ps())
	if got := environment(t, first["one"])["GONE"]; got != "b" {
		t.Errorf("GONE is %q", got)
	}

	file(fmt.Sprintf(app, "one", "KEPT: a"), two, three)
	p.must("up")
	second := pids(p.ps())
	if second["one"] == first["one"] || second["two"] != first["two"] || second["three"] != first["three"] {
		t.Errorf("a key of one is removed: pids went from %v to %v", first, second)
	}
	if env := environment(t, second["one"]); env["KEPT"] != "a" {
		t.Errorf("KEPT is %q", env["KEPT"])
	} else if got, there := env["GONE"]; there {
		t.Errorf("GONE is still there: %q", got)
	}

	file(fmt.Sprintf(app, "one", "KEPT: a"), two)
	p.must("up")
	third := p.ps()
	allReady(t, third, 0, 2)
	if got := pids(third); got["one"] != second["one"] || got["two"] != second["two"] {
		t.Errorf("three is removed: pids went from %v to %v", second, got)
	}
	if left := p.launched("three"); len(left) > 0 {
		t.Errorf("three goes on: %+v", left)
	}

	file(fmt.Sprintf(app, "one", "KEPT: a"), strings.Replace(two, "}}", "}, instances: 3}", 1))
	p.must("up")
	fourth := p.ps()
	allReady(t, fourth, 0, 4)
	if got := pids(fourth)["one"]; got != second["one"] {
		t.Errorf("two has three instances now, and one went from %d to %d", second["one"], got)
	}
}

// Two projects may have apps of one name. PM2 7.0.4: starting the second restarts the first one's script with the
// second one's environment, and ends with 0.
func TestTwoProjectsWithOneNameNeverTouch(t *testing.T) {
	t.Parallel()
	first, second := newProject(t), newProject(t)
	for i, p := range []*project{first, second} {
		p.home = first.home // as for one user of one machine
		location, err := api.Locate(p.dir, p.home)
		if err != nil {
			t.Fatal(err)
		}
		p.Location = location
		p.write("ecosystem.yaml", fmt.Sprintf("name: same\napps:\n  - {name: web, command: [sleep, '1000'], env: {OWNER: '%d'}}\n", i))
	}
	first.must("up")
	before := first.ps()
	second.must("up")
	for i, p := range []*project{first, second} {
		if got := environment(t, *p.process("web").Pid)["OWNER"]; got != strconv.Itoa(i) {
			t.Errorf("web of project %d has OWNER=%s", i, got)
		}
	}
	second.must("restart", "web")
	second.must("down")
	unchanged(t, before, first.ps())
}

// environment is what a process was started with.
func environment(t *testing.T, pid int) map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for kv := range strings.SplitSeq(string(content), "\x00") {
		key, value, _ := strings.Cut(kv, "=")
		env[key] = value
	}
	return env
}
