package api

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
)

// Location is where a project's daemon lives.
type Location struct {
	Dir      string // the project directory's real path: the directory of ecosystem.yaml
	ID       string // 12 hex digits of Dir
	StateDir string
	Socket   string // the API
}

// maxSocketPath is what fits into sockaddr_un on every supported system (macOS: 104 with the final NUL).
const maxSocketPath = 103

// Locate returns where the daemon of the project in dir lives. home is DEVSTACK_HOME; empty means ~/.devstack.
// Symlinks meet in the same place. A socket path too long for the kernel moves, alone, below the temp directory.
func Locate(dir, home string) (Location, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Location{}, err
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return Location{}, err
	}
	if home == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return Location{}, err
		}
		home = filepath.Join(user, ".devstack")
	}
	if home, err = filepath.Abs(home); err != nil {
		return Location{}, err
	}
	sum := sha256.Sum256([]byte(real))
	id := hex.EncodeToString(sum[:])[:12]
	loc := Location{Dir: real, ID: id, StateDir: filepath.Join(home, id)}
	loc.Socket = filepath.Join(loc.StateDir, "ctl.sock")
	if len(loc.Socket) > maxSocketPath {
		both := sha256.Sum256([]byte(loc.StateDir))
		loc.Socket = filepath.Join(os.TempDir(), "devstack-"+hex.EncodeToString(both[:])[:12], "ctl.sock")
	}
	return loc, nil
}
