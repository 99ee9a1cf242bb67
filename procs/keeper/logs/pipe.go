package logs

import (
	"os"
	"syscall"
)

// pipeSize holds what a process writes between two reads. Node loses what does not fit when it calls process.exit;
// more than this exhausts the kernel's per-user allowance with a few dozen processes.
const pipeSize = 256 << 10

// Kept says whether a log path is a file at all.
func Kept(path string) bool { return path != "" && path != os.DevNull }

// NewPipe returns a close-on-exec pipe whose read end is non-blocking, so that waiting for output costs no thread.
func NewPipe() (r, w *os.File, err error) {
	var fds [2]int
	syscall.ForkLock.RLock()
	err = syscall.Pipe(fds[:])
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("pipe", err)
	}
	growPipe(fds[1], pipeSize)
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		syscall.Close(fds[0])
		syscall.Close(fds[1])
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fds[0]), "log pipe"), os.NewFile(uintptr(fds[1]), "log pipe"), nil
}
