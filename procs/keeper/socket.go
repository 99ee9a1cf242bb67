package keeper

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"devstack/procs/files"
)

// bindSocket listens at path with mode 0600. The caller holds the project's lock, so a socket that is there is
// stale; anything else that is there is refused. The new socket appears complete, by rename.
func bindSocket(path string) (*net.UnixListener, error) {
	if err := files.PrivateDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := staleSocket(path); err != nil {
		return nil, err
	}
	temp := path + "~"
	if err := staleSocket(temp); err != nil {
		return nil, err
	}
	if err := os.Remove(temp); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("cannot remove a stale socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot bind the API socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	if err = os.Chmod(temp, 0o600); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		l.Close()
		os.Remove(temp)
		return nil, fmt.Errorf("cannot bind the API socket: %w", err)
	}
	return l, nil
}

// staleSocket returns nil if nothing is at path, or a socket of ours.
func staleSocket(path string) error {
	fi, err := os.Lstat(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot look at the API socket: %w", err)
	}
	if fi.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("cannot bind the API socket: %s exists and is not a socket; remove it", path)
	}
	if !files.OwnedByUs(fi) {
		return fmt.Errorf("cannot bind the API socket: %s belongs to another user", path)
	}
	return nil
}
