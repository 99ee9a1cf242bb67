package keeper

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func upgradable() error { return nil }

// handOver executes self in this process with what is carried, and with these descriptors open; it returns only if that
// fails, or if last, asked immediately before, has an objection.
func handOver(self string, c *carried, open []int, last func() error, dir string) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	memory, err := unix.MemfdCreate("keeper", unix.MFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(memory), "carried")
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		return err
	}
	var files unix.Rlimit // Go lowers it for what it executes, and leaves it so if that fails
	limited := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &files) == nil
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	if err := last(); err != nil {
		return err
	}
	open = append(open, memory)
	if err = inheritable(open); err == nil {
		err = syscall.Exec(self, []string{self, "keeper", resumeArg, strconv.Itoa(memory), dir}, os.Environ())
	}
	for _, fd := range open {
		syscall.CloseOnExec(fd)
	}
	if limited {
		_ = unix.Prlimit(0, unix.RLIMIT_NOFILE, &files, nil)
	}
	return fmt.Errorf("cannot execute %s: %w", self, err)
}

func inheritable(fds []int) error {
	for _, fd := range fds {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return os.NewSyscallError("fcntl", err)
		}
	}
	return nil
}

// readCarried takes over what handOver has left in memory.
func readCarried(fd int) (*carried, error) {
	f := inherited(fd, "carried")
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, fi.Size())
	if _, err := f.ReadAt(b, 0); err != nil {
		return nil, err
	}
	c := new(carried)
	if err := json.Unmarshal(b, c); err != nil {
		return nil, err
	}
	if c.Version > carryVersion {
		return nil, fmt.Errorf("version %d is newer than %d", c.Version, carryVersion)
	}
	return c, nil
}
