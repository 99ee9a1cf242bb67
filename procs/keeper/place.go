package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Two things must never have two keepers: a directory, and a path with its state directory, socket and marker. They part
// when a directory is moved, or removed and made again. So a keeper holds two locks: one on the directory itself (lock.go),
// and one on the file keeper.lock in its state directory, which also says which directory it has locked.

// Holder is a running keeper as it has described itself in keeper.lock.
type Holder struct {
	Dir       string `json:"dir"` // the path at which it has locked the directory, which may have been moved since
	ID        string `json:"id"`  // as in Options
	StateDir  string `json:"state_dir"`
	Socket    string `json:"socket"`
	Directory string `json:"directory"` // which directory: device and inode
	Pid       int    `json:"pid"`
}

// Find returns the keeper of the state directory and the keeper that has locked the directory that is at dir now, nil if
// there is none. Ordinarily they are the same; the second one is looked for among all state directories of the same home.
// Keepers of other users and of another DEVSTACK_HOME are not found.
func Find(dir, stateDir string) (ofPath, ofDirectory *Holder) {
	here, err := directoryAt(dir)
	if err != nil {
		return nil, nil
	}
	ofPath = holderIn(stateDir)
	if ofPath != nil && ofPath.Directory == here {
		return ofPath, ofPath
	}
	for _, h := range recorded(stateDir, here) {
		if held := holderIn(h.StateDir); held != nil && held.Directory == here {
			return ofPath, held
		}
	}
	// A directory that is locked although nobody is known to hold it lies on a file system whose numbers change.
	if locked, _ := Locked(dir); locked {
		return ofPath, ofPath
	}
	return ofPath, nil
}

// IsAt reports whether the directory that h has locked is the one at dir.
func (h *Holder) IsAt(dir string) bool {
	here, err := directoryAt(dir)
	return err == nil && here == h.Directory
}

// holderIn returns the keeper that has the state directory.
func holderIn(stateDir string) *Holder {
	h := readHolder(stateDir)
	if h == nil || !placeLocked(stateDir) {
		return nil
	}
	return h
}

// recorded are the keepers beside stateDir that have locked a directory, or had when they were killed.
func recorded(stateDir, directory string) (found []*Holder) {
	home := filepath.Dir(stateDir)
	entries, _ := os.ReadDir(home)
	for _, e := range entries {
		at := filepath.Join(home, e.Name())
		if h := readHolder(at); h != nil && h.Directory == directory && h.StateDir == at && at != stateDir {
			found = append(found, h)
		}
	}
	return found
}

// readHolder returns what keeper.lock says; nil: nothing, its keeper has ended or has not begun.
func readHolder(stateDir string) *Holder {
	data, err := os.ReadFile(placePath(stateDir))
	h := new(Holder)
	if err != nil || json.Unmarshal(data, h) != nil {
		return nil
	}
	return h
}

func placePath(stateDir string) string { return filepath.Join(stateDir, "keeper.lock") }

// lockPlace takes the lock of a state directory or returns ErrLocked.
func lockPlace(stateDir string) (*os.File, error) {
	f, err := os.OpenFile(placePath(stateDir), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the state directory: %w", err)
	}
	return lockFile(f)
}

func placeLocked(stateDir string) bool {
	f, err := os.Open(placePath(stateDir))
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(flock(f, syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// describe writes into the lock who holds it.
func (k *keeper) describe() error {
	here, err := directoryOf(k.lock)
	if err != nil {
		return err
	}
	data, err := json.Marshal(Holder{
		Dir: k.opts.Dir, ID: k.opts.ID, StateDir: k.opts.StateDir, Socket: k.opts.Socket, Directory: here, Pid: os.Getpid(),
	})
	if err != nil {
		return err
	}
	if _, err := k.place.WriteAt(data, 0); err != nil {
		return fmt.Errorf("cannot write the keeper's lock: %w", err)
	}
	return nil
}

// directoryAt names the directory at a path, as long as somebody has it open, among all of this machine.
func directoryAt(dir string) (string, error) {
	fi, err := os.Stat(dir)
	return directoryName(fi, err)
}

func directoryOf(f *os.File) (string, error) {
	fi, err := f.Stat()
	return directoryName(fi, err)
}

func directoryName(fi os.FileInfo, err error) (string, error) {
	if err != nil {
		return "", fmt.Errorf("cannot look at the project directory: %w", err)
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return "", errors.New("cannot tell which directory it is: the file system has no inode numbers")
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino), nil
}

// endLeftBehind kills what an earlier keeper, which was killed with its daemon, has left running: of this path, and of
// paths at which this directory was when such a keeper ran. It returns their pids.
func endLeftBehind(o Options, directory string) ([]int, error) {
	if other := otherHome(o); other != "" {
		return nil, errOtherHome(o.Dir)
	}
	pids := killMarked(ofProject(o.ID))
	for _, h := range recorded(o.StateDir, directory) {
		place, err := lockPlace(h.StateDir)
		if err != nil {
			continue // another keeper has begun there, and has done this
		}
		pids = append(pids, killMarked(ofProject(h.ID))...)
		_ = place.Truncate(0)
		place.Close()
	}
	return pids, nil
}

// otherHome is the state directory of a keeper that runs the same path from another home: its daemon says so by its marker.
func otherHome(o Options) string {
	for pid := range processTable() {
		dir, ok := strings.CutPrefix(marker(pid), daemonMarker(o.ID, ""))
		if ok && dir != "" && dir != o.StateDir && placeLocked(dir) {
			return dir
		}
	}
	return ""
}
