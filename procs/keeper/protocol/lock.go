package protocol

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"devstack/procs/files"
)

// ErrLocked says that another keeper has the project.
var ErrLocked = errors.New("another keeper runs this project")

// The lock of a project is an flock on the directory itself: it meets through symlinks and bind mounts, needs no
// file, and ends with the keeper, however that ends. No child inherits it.

// LockDirectory takes the project's lock or returns ErrLocked. Like LockPlace it is patient for a moment,
// as files.Take is.
func LockDirectory(dir string) (*os.File, error) {
	f, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	return lockFile(f)
}

// lockFile takes the lock and keeps f open for it, or closes f.
func lockFile(f *os.File) (*os.File, error) {
	err := files.Take(f)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = ErrLocked
	default:
		err = fmt.Errorf("cannot lock %s: %w", f.Name(), err)
	}
	f.Close()
	return nil, err
}

// Locked reports whether a keeper has the project.
func Locked(dir string) (bool, error) {
	f, err := openDir(dir)
	if err != nil {
		return false, err
	}
	defer f.Close()
	return files.Taken(f)
}

// Elsewhere reports whether a keeper has the project that does not answer at this socket: another user's, or one with
// another state directory. One that begins or ends gets a moment.
func Elsewhere(ctx context.Context, dir, stateDir, socket string) bool {
	missing := func() bool {
		_, err := os.Lstat(socket)
		return errors.Is(err, fs.ErrNotExist)
	}
	if locked, err := Locked(dir); err != nil || !locked || !missing() {
		return false
	}
	return WaitLeaving(ctx, dir, stateDir) != nil && missing()
}

// WaitGone returns when no keeper has the state directory, and none the project directory; at once if none had them. One
// that is not there is free.
func WaitGone(ctx context.Context, dir, stateDir string) error {
	if err := waitFree(ctx, placePath(stateDir)); err != nil {
		return err
	}
	return waitFree(ctx, dir)
}

func waitFree(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot wait for the keeper: %w", err)
	}
	defer f.Close()
	for {
		taken, err := files.Taken(f)
		if err != nil {
			return err
		}
		if !taken {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(waitEvery):
		}
	}
}

// waitEvery is the pause between two looks at a lock: waiting for one in the kernel cannot be interrupted.
const waitEvery = 5 * time.Millisecond

func openDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the project directory: %w", err)
	}
	return f, nil
}
