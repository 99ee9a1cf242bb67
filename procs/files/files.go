// Package files is what several rooms do with files: lock them, keep them private, replace them whole.
package files

import (
	"fmt"
	"os"
	"syscall"
)

// PrivateDir makes sure that dir exists, is ours and is closed to others, whatever the umask.
func PrivateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the state directory: %w", err)
	}
	fi, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("cannot look at the state directory: %w", err)
	}
	if !fi.IsDir() {
		return fmt.Errorf("cannot use %s: it is not a directory", dir)
	}
	if !OwnedByUs(fi) {
		return fmt.Errorf("cannot use %s: it belongs to another user", dir)
	}
	if fi.Mode().Perm() != 0o700 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("cannot close %s to other users: %w", dir, err)
		}
	}
	return nil
}

// OwnedByUs reports whether a file belongs to the user of this process.
func OwnedByUs(fi os.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
