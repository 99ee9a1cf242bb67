package files

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
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

const (
	takeTries = 10
	takeAgain = 10 * time.Millisecond
)

// Take takes f's lock for this process alone, or returns syscall.EWOULDBLOCK. It is patient for 0.1 s, because those who look
// whether the lock is taken have it while they look.
func Take(f *os.File) (err error) {
	for range takeTries {
		if err = Lock(f, syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		time.Sleep(takeAgain)
	}
	return err
}

// Taken reports whether somebody has f's lock for himself alone.
func Taken(f *os.File) (bool, error) {
	err := Lock(f, syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot look at the lock of %s: %w", f.Name(), err)
	}
	return false, nil
}

// PathTaken is Taken for a path. What cannot be opened is not taken.
func PathTaken(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	taken, _ := Taken(f)
	return taken
}
