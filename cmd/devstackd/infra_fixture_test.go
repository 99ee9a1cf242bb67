package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"devstack/bench/freeport"
)

// TestMain makes the test's executable devstackd where a test starts it as such.
func TestMain(m *testing.M) {
	if os.Getenv("DEVSTACKD_IS_TESTED") != "" {
		main()
	}
	os.Exit(m.Run())
}

// infraFixture is one project on the real engine, gone when the test ends.
type infraFixture struct {
	*testing.T
	ctx     context.Context
	dir     string
	project string
	compose string
	env     []string
}

func newInfraFixture(t *testing.T) *infraFixture {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	f := &infraFixture{T: t, ctx: ctx, dir: t.TempDir()}
	f.project = fmt.Sprintf("devstack-infra-%d-%s", os.Getpid(), strconv.FormatInt(time.Now().UnixNano()%1e9, 36))
	f.compose = fmt.Sprintf(twoServices, f.project, strconv.Itoa(freeport.Get(t)), strconv.Itoa(freeport.Get(t)))
	f.write("compose.yaml", f.compose)
	f.write("ecosystem.yaml", "compose: compose.yaml\n")
	f.env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "STATE_DIRECTORY=") }),
		"DEVSTACKD_IS_TESTED=1", "DEVSTACK_HOME="+t.TempDir(), "COMPOSE_PROJECT_NAME=")
	t.Cleanup(func() {
		cancel()
		f.clean()
	})
	return f
}

func (f *infraFixture) write(name, content string) {
	f.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(content), 0o600); err != nil {
		f.Fatal(err)
	}
}

// clean removes what carries the project's label.
func (f *infraFixture) clean() {
	for _, c := range []struct{ list, remove string }{
		{"ps -aq --no-trunc", "rm -fv"}, {"network ls -q", "network rm"}, {"volume ls -q", "volume rm"},
	} {
		list := append(strings.Fields(c.list), "--filter", "label=com.docker.compose.project="+f.project)
		out, err := exec.Command("docker", list...).Output()
		if found := strings.Fields(string(out)); err == nil && len(found) > 0 {
			err = exec.Command("docker", append(strings.Fields(c.remove), found...)...).Run()
		}
		if err != nil {
			f.Errorf("cannot clean up after the test: docker %s: %v", c.list, err)
		}
	}
}

// short is a directory whose path leaves room for a socket's name.
func (f *infraFixture) short() string {
	f.Helper()
	dir, err := os.MkdirTemp("", "unit")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// docker runs the docker command.
func (f *infraFixture) docker(args ...string) string {
	f.Helper()
	out, err := exec.CommandContext(f.ctx, "docker", args...).CombinedOutput()
	if err != nil {
		f.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// engine is where the docker command finds its engine.
func (f *infraFixture) engine() string {
	f.Helper()
	return f.docker("context", "inspect", "-f", "{{.Endpoints.docker.Host}}")
}

// inspect is something about the container of a service.
func (f *infraFixture) inspect(service, format string) string {
	f.Helper()
	return f.docker("inspect", "-f", format, f.project+"-"+service+"-1")
}

func (f *infraFixture) command(args ...string) *exec.Cmd {
	args = append([]string{"infra", "--file", filepath.Join(f.dir, "ecosystem.yaml"), "--profile", "pilot"}, args...)
	cmd := exec.CommandContext(f.ctx, os.Args[0], args...)
	cmd.Env = f.env
	return cmd
}

// run is the exit code and the output of one that ends by itself.
func (f *infraFixture) run(args ...string) (code int, output string) {
	f.Helper()
	out, err := f.command(args...).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode(), string(out)
	case err != nil:
		f.Fatal(err)
	}
	return 0, string(out)
}

// unit is a running `devstackd infra`, as systemd sees it: lines of its log, and of its notifications after "notify ".
type unit struct {
	f     *infraFixture
	cmd   *exec.Cmd
	ended chan error

	mu      sync.Mutex
	lines   []string
	changed chan struct{}
}

func (f *infraFixture) start() *unit {
	f.Helper()
	u := &unit{f: f, cmd: f.command(), ended: make(chan error, 1), changed: make(chan struct{})}
	socket := filepath.Join(f.short(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		f.Fatal(err)
	}
	u.cmd.Env = append(u.cmd.Env, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=400000")
	stderr, err := u.cmd.StderrPipe()
	if err != nil {
		f.Fatal(err)
	}
	if err := u.cmd.Start(); err != nil {
		f.Fatal(err)
	}
	go u.listen(l)
	go func() {
		for in := bufio.NewScanner(stderr); in.Scan(); {
			u.add(in.Text())
		}
		u.ended <- u.cmd.Wait()
	}()
	f.Cleanup(func() { _ = l.Close() })
	return u
}

func (u *unit) listen(l *net.UnixConn) {
	buffer := make([]byte, 8192)
	for {
		n, err := l.Read(buffer)
		if err != nil {
			return
		}
		for line := range strings.SplitSeq(string(buffer[:n]), "\n") {
			u.add("notify " + line)
		}
	}
}

func (u *unit) add(line string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lines = append(u.lines, line)
	close(u.changed)
	u.changed = make(chan struct{})
}

// now is a mark after all lines so far.
func (u *unit) now() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.lines)
}

// until waits for a line after a mark that contains all words, and is the mark after it.
func (u *unit) until(mark int, words ...string) int {
	u.f.Helper()
	for {
		u.mu.Lock()
		lines, changed := u.lines, u.changed
		u.mu.Unlock()
		for ; mark < len(lines); mark++ {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(lines[mark], w) }) {
				return mark + 1
			}
		}
		select {
		case <-changed:
		case <-u.f.ctx.Done():
			u.f.Fatalf("never said: %s; it has said\n%s", words, strings.Join(lines, "\n"))
		}
	}
}

func (u *unit) never(text string) {
	u.f.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, line := range u.lines {
		if strings.Contains(line, text) {
			u.f.Errorf("it said %s", line)
		}
	}
}

// stop is systemctl stop.
func (u *unit) stop() {
	u.f.Helper()
	if err := u.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		u.f.Fatal(err)
	}
	if err := <-u.ended; err != nil {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.f.Errorf("after SIGTERM: %v\n%s", err, strings.Join(u.lines, "\n"))
	}
}

func (u *unit) kill() {
	u.f.Helper()
	if err := u.cmd.Process.Kill(); err != nil {
		u.f.Fatal(err)
	}
	if err := <-u.ended; err == nil {
		u.f.Error("it ended by itself before it was killed")
	}
}
