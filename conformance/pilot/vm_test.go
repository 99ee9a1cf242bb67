package pilot_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// repository is the root of this repository, seen from the directory in which Go runs the tests.
const repository = "../.."

// vm is a machine with systemd. It is a container, so it boots within a second; its kernel is the host's.
type vm struct {
	t    *testing.T
	name string
	dir  string // with the socket to which its systemd says READY=1 when everything that starts at boot has started or failed
}

// image is built by the project's own script, once per content.
var image = sync.OnceValues(func() (string, error) { return script("vm") })

// script runs one of the project's scripts and returns what it prints.
func script(name string, args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.Command("scripts/"+name, args...)
	cmd.Dir, cmd.Stderr, cmd.Env = repository, &stderr, append(os.Environ(), "INFRA=docker")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("scripts/%s: %w\n%s", name, err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// newVM boots a machine that is gone when the test ends. The arguments are docker's, for its disks and its network.
func newVM(t *testing.T, args ...string) *vm {
	t.Helper()
	if _, err := script("engine"); err != nil {
		t.Fatal(err)
	}
	from, err := image()
	if err != nil {
		t.Fatal(err)
	}
	name := make([]byte, 4)
	_, _ = rand.Read(name) // never fails
	m := &vm{t: t, name: "devstack-pilot-" + hex.EncodeToString(name)}
	if m.dir, err = os.MkdirTemp("", "ds-vm-"); err != nil { // short, for the socket in it
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := docker(context.Background(), nil, "rm", "-f", "-v", m.name); err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(m.dir)
	})
	run := append([]string{
		"run", "-d", "--name", m.name, "--hostname", "pilot", "--label", "devstack.pilot-test=1", "--stop-signal", "SIGRTMIN+3",
		"--cap-add", "SYS_ADMIN", "--cap-add", "SYS_PTRACE", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--cgroupns", "private",
		"--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec", "-v", m.dir + ":/run/host", "-e", "NOTIFY_SOCKET=/run/host/notify",
	}, args...)
	m.boot(append(run, from)...)
	return m
}

// boot runs the docker command that starts the machine, and returns when systemd says that it has finished booting.
func (m *vm) boot(args ...string) {
	m.t.Helper()
	name := filepath.Join(m.dir, "notify")
	_ = os.Remove(name) // a new one each time, without what was said before
	booted, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = booted.Close() }()
	if err := booted.SetReadDeadline(deadline(m.t)); err != nil {
		m.t.Fatal(err)
	}
	if _, err := docker(m.t.Context(), nil, args...); err != nil {
		m.t.Fatal(err)
	}
	for message := make([]byte, 4096); ; {
		n, err := booted.Read(message)
		if err != nil {
			log, _ := docker(context.Background(), nil, "logs", m.name)
			m.t.Fatalf("the machine did not boot: %v\n%s", err, log)
		}
		if strings.Contains(string(message[:n]), "READY=1") {
			return
		}
	}
}

// shutDown is what `poweroff` is to a real one: systemd stops its units first.
func (m *vm) shutDown() {
	m.t.Helper()
	if _, err := docker(m.t.Context(), nil, "stop", "-t", "60", m.name); err != nil {
		m.t.Fatal(err)
	}
}

// powerOff ends everything at once. What was written is on the disk all the same, for it is the host's.
func (m *vm) powerOff() {
	m.t.Helper()
	if _, err := docker(m.t.Context(), nil, "kill", m.name); err != nil {
		m.t.Fatal(err)
	}
}

// start boots it again, with the same disk.
func (m *vm) start() {
	m.t.Helper()
	m.boot("start", m.name)
}

// try runs a shell command as root of the machine and returns what it says.
func (m *vm) try(command string) (string, error) {
	m.t.Helper()
	ctx, cancel := context.WithDeadline(m.t.Context(), deadline(m.t))
	defer cancel()
	return docker(ctx, nil, "exec", "-e", "NOTIFY_SOCKET=", m.name, "bash", "-c", command)
}

// run is try for what has to succeed.
func (m *vm) run(format string, args ...any) string {
	m.t.Helper()
	out, err := m.try(fmt.Sprintf(format, args...))
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

// write writes a file of the machine, as root's.
func (m *vm) write(path, content string) {
	m.t.Helper()
	if _, err := docker(m.t.Context(), strings.NewReader(content), "exec", "-i", m.name, "sh", "-c", "cat >'"+path+"'"); err != nil {
		m.t.Fatal(err)
	}
}

// unpack unpacks a tar archive as root's files.
func (m *vm) unpack(archive io.Reader, dir string) {
	m.t.Helper()
	command := "mkdir -p " + dir + " && tar -x --no-same-owner -C " + dir
	if _, err := docker(m.t.Context(), archive, "exec", "-i", m.name, "sh", "-c", command); err != nil {
		m.t.Fatal(err)
	}
}

// docker runs the docker command; its standard output, or an error with all that it said.
func docker(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("docker %s: %w\n%s%s", strings.Join(args, " "), errors.Join(err, ctx.Err()), stdout.String(), stderr.String())
	}
	return strings.TrimSpace(stdout.String()), nil
}

// waitFor looks until done, and fails the test with the last thing seen when its time is over.
func waitFor(t *testing.T, what string, look func() error) {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), deadline(t))
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := look()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("never came: %s\nlast seen: %v", what, err)
		}
	}
}

// deadline is when to give up waiting: after two minutes, or early enough to clean up before the whole run is cut off.
func deadline(t *testing.T) time.Time {
	limit := time.Now().Add(2 * time.Minute)
	if end, ok := t.Deadline(); ok && end.Add(-30*time.Second).Before(limit) {
		return end.Add(-30 * time.Second)
	}
	return limit
}
