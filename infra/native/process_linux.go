package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	parent "devstack/procs/keeper"
)

// waitEnd returns nil when the process has ended, whoever its parent is, and an error when ctx has.
func waitEnd(ctx context.Context, pid int, start uint64) error {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) { // before Linux 5.10
		return pollEnd(ctx, pid, start)
	}
	if err != nil || !parent.Runs(pid, start) {
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
	var size, resident, share int64
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, 0, 0
	}
	if _, err := fmt.Sscan(string(statm), &size, &resident, &share); err != nil {
		return 0, 0, 0
	}
	page := int64(os.Getpagesize())
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// The fields after the command, which may hold anything: utime, stime, cutime and cstime are the 12th to the 15th, in
	// hundredths of a second.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for n := 11; n < 15 && n < len(fields); n++ {
		var ticks int64
		_, _ = fmt.Sscan(fields[n], &ticks)
		spent += time.Duration(ticks) * 10 * time.Millisecond
	}
	return (resident - share) * page, share * page, spent
}
