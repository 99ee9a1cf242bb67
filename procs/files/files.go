// Package files is what several rooms do with files: lock them, keep them private, replace them whole.
package files

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Lock is flock(2) with how, such as LOCK_EX or LOCK_SH, and LOCK_NB: then syscall.EWOULDBLOCK says that somebody else has
// the lock. It lasts until every duplicate of f's descriptor is closed.
func Lock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); err != syscall.EINTR {
			return err
		}
	}
}

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

// Replace writes a whole file in the place of the one at path, through one beside it, so that a reader, and who comes after
// a crash, finds the old content or the new one. The content is on the platter before it gets the name.
func Replace(path string, content []byte, mode os.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(content); err != nil {
		return err
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
