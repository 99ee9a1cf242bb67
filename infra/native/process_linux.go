package native

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"devstack/procs/proc"
)

// waitEnd returns nil when the process has ended, whoever its parent is, and an error when ctx has.
func waitEnd(ctx context.Context, pid int, start uint64) error {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) { // before Linux 5.10
		return pollEnd(ctx, pid, start)
	}
	if err != nil || !proc.Runs(pid, start) {
		if err == nil {
			unix.Close(fd)
		}
		return ctx.Err()
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	defer context.AfterFunc(ctx, func() { f.Close() })()
	raw, err := f.SyscallConn()
	if err != nil {
		return pollEnd(ctx, pid, start)
	}
	err = raw.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		return err == nil && n == 1
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return pollEnd(ctx, pid, start)
	}
	return nil
}

// usage is the memory that a process has for itself and shares, in bytes, and the time it has spent, its ended children's too.
func usage(pid int) (own, shared int64, spent time.Duration) {
	var r proc.Reader
	_, times, ok := r.Stat(pid)
	if !ok {
		return 0, 0, 0
	}
	resident, shared := r.Memory(pid)
	return resident - shared, shared, times.Own + times.Children
}
