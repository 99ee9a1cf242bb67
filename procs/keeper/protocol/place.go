package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"devstack/procs/files"
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
	for _, h := range Recorded(stateDir, here) {
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
	h := ReadHolder(stateDir)
	if h == nil || !PlaceLocked(stateDir) {
		return nil
	}
	return h
}

// Recorded are the keepers beside stateDir that have locked a directory, or had when they were killed.
func Recorded(stateDir, directory string) (found []*Holder) {
	home := filepath.Dir(stateDir)
	entries, _ := os.ReadDir(home)
	for _, e := range entries {
		at := filepath.Join(home, e.Name())
		if h := ReadHolder(at); h != nil && h.Directory == directory && h.StateDir == at && at != stateDir {
			found = append(found, h)
		}
	}
	return found
}

// ReadHolder returns what keeper.lock says; nil: nothing, its keeper has ended or has not begun.
func ReadHolder(stateDir string) *Holder {
	data, err := os.ReadFile(placePath(stateDir))
	h := new(Holder)
	if err != nil || json.Unmarshal(data, h) != nil {
		return nil
	}
	return h
}

func placePath(stateDir string) string { return filepath.Join(stateDir, "keeper.lock") }

// LockPlace takes the lock of a state directory or returns ErrLocked.
func LockPlace(stateDir string) (*os.File, error) {
	f, err := os.OpenFile(placePath(stateDir), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the state directory: %w", err)
	}
	return lockFile(f)
}

// PlaceLocked reports whether a keeper has the state directory.
func PlaceLocked(stateDir string) bool { return files.PathTaken(placePath(stateDir)) }

// directoryAt names the directory at a path, as long as somebody has it open, among all of this machine.
func directoryAt(dir string) (string, error) {
	fi, err := os.Stat(dir)
	return directoryName(fi, err)
}

// DirectoryOf names an open directory as Holder.Directory does.
func DirectoryOf(f *os.File) (string, error) {
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

// Describe writes into the lock of a state directory who holds it.
func (h Holder) Describe(place *os.File) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if _, err := place.WriteAt(data, 0); err != nil {
		return fmt.Errorf("cannot write the keeper's lock: %w", err)
	}
	return nil
}
