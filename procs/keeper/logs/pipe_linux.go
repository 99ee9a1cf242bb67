package logs

import "golang.org/x/sys/unix"

func growPipe(fd, size int) { _, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, size) } // best effort
