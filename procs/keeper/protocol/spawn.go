package protocol

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
	"strings"
	"syscall"
	"time"

	"devstack/procs/files"
)

// SpawnOptions is what a command needs to start the keeper of a project.
type SpawnOptions struct {
	Self     string   // the executable whose hidden subcommand `keeper` calls Command; default: this one
	Dir      string   // as in Options
	ID       string   //
	StateDir string   //
	Socket   string   //
	Daemon   []string //
	Env      []string // of keeper and daemon; nil: our own

	// Replace ends a keeper that is in the way and returns when it is gone: the directory that it runs was at this path
	// before, or this directory was at another path when it began. Nil: it stays, and Spawn fails.
	Replace func(*Holder) error
}

// Spawn makes sure that a keeper runs the project and that its socket can be connected to; already says that one
// did. Commands that call it at the same time wait for each other.
func Spawn(o SpawnOptions) (already bool, err error) {
	if err := files.PrivateDir(o.StateDir); err != nil {
		return false, err
	}
	turn, err := os.OpenFile(filepath.Join(o.StateDir, "start.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, fmt.Errorf("cannot wait for a turn to start: %w", err)
	}
	defer turn.Close()
	if err := files.Lock(turn, syscall.LOCK_EX); err != nil {
		return false, fmt.Errorf("cannot wait for a turn to start: %w", err)
	}
	for range 3 {
		if already, err := makeRoom(o); already || err != nil {
			return already, err
		}
		if err := StartKeeper(o); !errors.Is(err, ErrLocked) {
			return false, err
		}
		// somebody else was faster; look again
	}
	return false, OtherHome(o.Dir)
}

// makeRoom returns when no keeper is in the way; already: the right one runs.
func makeRoom(o SpawnOptions) (already bool, err error) {
	ofPath, ofDirectory := Find(o.Dir, o.StateDir)
	if ofPath != ofDirectory {
		for _, h := range []*Holder{ofDirectory, ofPath} {
			if h == nil {
				continue
			}
			if o.Replace == nil {
				return false, fmt.Errorf("cannot start a keeper in %s: the stack that was started in %s is in the way", o.Dir, h.Dir)
			}
			if err := o.Replace(h); err != nil {
				return false, err
			}
		}
	}
	locked, err := Locked(o.Dir)
	if err != nil || !locked {
		return false, err
	}
	if conn, err := net.Dial("unix", o.Socket); err == nil {
		conn.Close()
		return true, nil
	}
	return false, WaitLeaving(context.Background(), o.Dir, o.StateDir)
}

// WaitLeaving waits for a keeper that has removed its socket and is about to exit. One that stays is a keeper whose
// state directory is not the caller's: an error.
func WaitLeaving(ctx context.Context, dir, stateDir string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	err := WaitGone(ctx, dir, stateDir)
	if errors.Is(err, context.DeadlineExceeded) {
		return OtherHome(dir)
	}
	return err
}

// OtherHome is the error of a directory whose keeper the caller cannot reach.
func OtherHome(dir string) error {
	return fmt.Errorf("the stack in %s is another user's, or has another DEVSTACK_HOME: act as that user (sudo -u USER devstack ...), or with that DEVSTACK_HOME", dir)
}

// ReadyFD is the pipe by which a new keeper reports to the command that started it.
const ReadyFD = 3

// StartKeeper starts a keeper and returns when it runs: ErrLocked if another one has the directory or the path, or why it cannot begin.
func StartKeeper(o SpawnOptions) error {
	if o.Self == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("cannot find our own executable: %w", err)
		}
		o.Self = self
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	ready, child, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("cannot start the keeper: %w", err)
	}
	defer ready.Close()
	cmd := exec.Command(o.Self, append([]string{"keeper", o.Dir, o.ID, o.StateDir, o.Socket}, o.Daemon...)...)
	cmd.Dir = "/"
	// A service manager waits for the process that it has started, never for one in the background.
	cmd.Env = slices.DeleteFunc(WithoutServiceVariables(o.Env), func(kv string) bool { return strings.HasPrefix(kv, MarkerEnv+"=") })
	cmd.ExtraFiles = []*os.File{child}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	child.Close()
	if err != nil {
		return fmt.Errorf("cannot start the keeper: %w", err)
	}
	line, _ := bufio.NewReader(ready).ReadString('\n')
	line = strings.TrimSuffix(line, "\n")
	if line == "ok" {
		return cmd.Process.Release()
	}
	_ = cmd.Wait()
	switch text, isError := strings.CutPrefix(line, "error: "); {
	case line == "locked":
		return ErrLocked
	case isError:
		return errors.New(text)
	default:
		return fmt.Errorf("cannot start the keeper: it ended at once; see %s", filepath.Join(o.StateDir, "keeper.log"))
	}
}

// TellReady reports to the command that started this keeper; a nil w is nobody.
func TellReady(w *os.File, err error) {
	if w == nil {
		return
	}
	defer w.Close()
	switch {
	case err == nil:
		fmt.Fprintln(w, "ok")
	case errors.Is(err, ErrLocked):
		fmt.Fprintln(w, "locked")
	default:
		fmt.Fprintf(w, "error: %v\n", err)
	}
}
