package files

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Replace writes a whole file in the place of the one at path, so that a reader, and who comes after a crash, finds the old
// content or the new one.
func Replace(path string, content []byte, mode os.FileMode) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer root.Close()
	name := filepath.Base(path)
	return Stage(root, name, content, 0o600, func(temporary string) error {
		if err := root.Chmod(temporary, mode); err != nil {
			return err
		}
		return root.Rename(temporary, name)
	})
}

// Stage writes content into a file beside name in root, with mode as the umask lets it, and has put give it its name once it
// is on the platter. What put leaves is removed. That file is Beside name, so that a crash leaves no more than one; two who
// write the same name do so one after the other.
func Stage(root *os.Root, name string, content []byte, mode os.FileMode, put func(temporary string) error) error {
	temporary := Beside(name)
	f, err := openAlone(root, temporary, mode)
	if err != nil {
		return err
	}
	defer f.Close() // gives the lock away, last
	defer func() {
		if here, err := isAt(root, temporary, f); err == nil && here {
			_ = root.Remove(temporary)
		}
	}()
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return put(temporary)
}

// Beside is the path at which a file is written that is to be at path.
func Beside(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".devstack-new")
}

// openAlone opens a file, or makes it, and takes its lock.
func openAlone(root *os.Root, name string, mode os.FileMode) (*os.File, error) {
	for {
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|syscall.O_NOFOLLOW, mode)
		if err != nil {
			return nil, err
		}
		here := false
		if err = Lock(f, syscall.LOCK_EX); err == nil {
			here, err = isAt(root, name, f)
		}
		if err == nil && here {
			return f, nil
		}
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
}

// isAt reports whether f still has this name: who had the lock before has given it another one.
func isAt(root *os.Root, name string, f *os.File) (bool, error) {
	there, err := root.Lstat(name)
	if os.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !there.Mode().IsRegular() {
		return false, fmt.Errorf("it is not a file: %w", syscall.EEXIST)
	}
	open, err := f.Stat()
	return os.SameFile(there, open), err
}
