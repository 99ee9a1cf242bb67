package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"devstack/daemon/api"
	"devstack/procs/files"
)

// infraDir is where `devstackd infra` keeps what it has to remember of a project: below systemd's STATE_DIRECTORY, else
// below DEVSTACK_HOME, else below /var/lib.
func infraDir(getenv func(string) string, project string) string {
	base := "/var/lib/devstack-infra"
	if home := getenv("DEVSTACK_HOME"); home != "" {
		base = filepath.Join(home, "infra")
	}
	if first, _, _ := strings.Cut(getenv("STATE_DIRECTORY"), ":"); first != "" {
		base = first
	}
	return filepath.Join(base, project)
}

// infraMemory is what one `devstackd infra` leaves to the next, and the lock that makes it the only one of its project.
type infraMemory struct {
	lock *os.File
	path string
	log  *slog.Logger
	last infraState // as it is on disk
}

// infraState is the file. Its version is 1.
type infraState struct {
	Version int               `json:"version"`
	At      time.Time         `json:"at"`      // until then the engine's events are accounted for; zero: forget them
	Stopped map[string]string `json:"stopped"` // service -> who stopped it: other
}

// openInfraMemory locks and reads. A file that cannot be used is moved aside and said; then nothing is stopped.
func openInfraMemory(dir, project string, log *slog.Logger) (*infraMemory, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &api.Error{Exit: api.ExitEnvironment, Message: fmt.Sprintf("cannot make the state directory: %v", err), Hint: "run it as root, or set DEVSTACK_HOME"}
	}
	lock, err := lockInfra(filepath.Join(dir, "lock"), project)
	if err != nil {
		return nil, err
	}
	m := &infraMemory{lock: lock, path: filepath.Join(dir, "state.json"), log: log}
	data, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		m.last, err = parseInfraState(data)
	}
	if err != nil {
		log.Error("cannot use the state file: nothing counts as stopped", "err", err, "moved_to", m.path+".unusable")
		err = os.Rename(m.path, m.path+".unusable")
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return m, nil
}

func parseInfraState(data []byte) (infraState, error) {
	var s infraState
	if err := json.Unmarshal(data, &s); err != nil {
		return infraState{}, fmt.Errorf("it is damaged: %w", err)
	}
	if s.Version != 1 {
		return infraState{}, fmt.Errorf("it has version %d, this devstackd knows 1", s.Version)
	}
	return s, nil
}

// lockInfra takes the lock, which ends with this process, however that ends. The file says whose it is.
func lockInfra(path, project string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the lock: %w", err)
	}
	err = files.Take(f)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		owner, _ := os.ReadFile(path)
		f.Close()
		return nil, &api.Error{
			Exit: api.ExitUsage, Message: fmt.Sprintf("cannot keep the containers of %s: another devstackd infra (pid %s) does", project, strings.TrimSpace(string(owner))),
			Hint: "systemctl status " + project + "-infra",
		}
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot take the lock: %w", err)
	}
	return f, nil
}

// keep writes who stopped what if that is news. at is infraState.At.
func (m *infraMemory) keep(stopped map[string]string, at time.Time) error {
	if m.last.Version != 0 && maps.Equal(m.last.Stopped, stopped) && m.last.At.IsZero() == at.IsZero() {
		return nil
	}
	next := infraState{Version: 1, At: at, Stopped: stopped}
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := files.Replace(m.path, data, 0o600); err != nil {
		return fmt.Errorf("cannot write down who stopped what: %w", err)
	}
	m.last = next
	return nil
}

// Close gives the lock back.
func (m *infraMemory) Close() { m.lock.Close() }
