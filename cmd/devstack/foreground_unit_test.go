package main_test

import (
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// manager stands for systemd: the socket that it gives a unit, and what the unit said there.
type manager struct {
	address string

	mu   sync.Mutex
	told []notification
}

type notification struct {
	at   time.Time
	text string
}

func newManager(p *project) *manager {
	p.t.Helper()
	m := &manager{address: filepath.Join(p.home, "notify-"+randomHex())}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.address, Net: "unixgram"})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 8192)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.told = append(m.told, notification{time.Now(), string(buffer[:n])})
			m.mu.Unlock()
		}
	}()
	return m
}

// with are the notifications that have a line which begins so.
func (m *manager) with(start string) (found []notification) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.told {
		if strings.HasPrefix(n.text, start) || strings.Contains(n.text, "\n"+start) {
			found = append(found, n)
		}
	}
	return found
}

// hears waits for such a notification.
func (m *manager) hears(t *testing.T, start string) {
	t.Helper()
	waitFor(t, "notification "+start, func() (bool, any) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, n := range m.told {
			if strings.HasPrefix(n.text, start) || strings.Contains(n.text, "\n"+start) {
				return true, nil
			}
		}
		return false, m.told[max(0, len(m.told)-5):]
	})
}

// unit is `devstack resurrect --foreground` as a unit's main process.
type unit struct {
	*manager
	cmd    *exec.Cmd
	stderr *sharedBuffer
	ended  chan struct{}
}

// watchdog is how often the tests' manager wants a sign of life.
const watchdog = 400 * time.Millisecond

// foreground starts the stack as a service manager does, and ends it with the test.
func (p *project) foreground(args ...string) *unit {
	p.t.Helper()
	return p.foregroundWith(nil, args...)
}

// foregroundWith does so with more variables.
func (p *project) foregroundWith(extra []string, args ...string) *unit {
	p.t.Helper()
	u := &unit{manager: newManager(p), stderr: &sharedBuffer{}, ended: make(chan struct{})}
	u.cmd = exec.Command(filepath.Join(binariesDir(), "devstack"), append([]string{"resurrect", "--foreground"}, args...)...)
	u.cmd.Dir = p.dir
	u.cmd.Env = append(p.environment(), "NOTIFY_SOCKET="+u.address, "WATCHDOG_USEC="+strconv.FormatInt(watchdog.Microseconds(), 10))
	u.cmd.Env = append(u.cmd.Env, extra...)
	u.cmd.Stdout, u.cmd.Stderr = u.stderr, u.stderr
	u.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := u.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		_ = u.cmd.Wait() // its state is looked at
		close(u.ended)
	}()
	p.t.Cleanup(func() {
		_ = u.cmd.Process.Signal(syscall.SIGTERM)
		<-u.ended
	})
	return u
}

// ends waits for the end of the main process, which has to have this exit code.
func (u *unit) ends(t *testing.T, code int) {
	t.Helper()
	select {
	case <-u.ended:
	case <-time.After(time.Until(deadline(t))):
		t.Fatalf("it stays; it said:\n%s", u.stderr)
	}
	if got := u.cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, not %d; it said:\n%s", got, code, u.stderr)
	}
}

func (u *unit) term(t *testing.T) {
	t.Helper()
	signal(t, u.cmd.Process.Pid, syscall.SIGTERM)
}

// silence waits until five signs of life are overdue.
func silence(t *testing.T, u *unit) {
	t.Helper()
	waitFor(t, "silence", func() (bool, any) {
		signs := u.with("WATCHDOG=1")
		last := signs[len(signs)-1].at
		return time.Since(last) > 5*watchdog/2, last
	})
}
