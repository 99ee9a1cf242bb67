package keeper

import (
	"os"
	"syscall"

	"devstack/procs/keeper/protocol"
)

// pipeSize holds what a process writes between two reads. Node loses what does not fit when it calls process.exit;
// more than this exhausts the kernel's per-user allowance with a few dozen processes.
const pipeSize = 256 << 10

// stdio is what a launch is born with: both ends, until the fork.
type stdio struct {
	null       *os.File
	outR, outW *os.File // nil: discarded
	errR, errW *os.File // nil: discarded, or merged into out
	merged     bool
	ipcOwn     *protocol.FDConn // nil without IPC
	ipcChild   *os.File         // nil without IPC
}

func (k *keeper) openStdio(req protocol.Launch) (s *stdio, err error) {
	s = &stdio{null: k.null, merged: req.Logs.Err != "" && req.Logs.Err == req.Logs.Out}
	defer func() {
		if err != nil {
			s.closeChildEnds()
			s.closeOwnEnds()
		}
	}()
	if kept(req.Logs.Out) || kept(req.Logs.Combined) {
		if s.outR, s.outW, err = logPipe(); err != nil {
			return s, err
		}
	}
	if !s.merged && (kept(req.Logs.Err) || kept(req.Logs.Combined)) {
		if s.errR, s.errW, err = logPipe(); err != nil {
			return s, err
		}
	}
	if req.IPC {
		if s.ipcOwn, s.ipcChild, err = protocol.SocketPair(); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *stdio) childFiles(born []*heldSocket) []uintptr {
	fd := func(f *os.File, orElse uintptr) uintptr {
		if f == nil {
			return orElse
		}
		return f.Fd()
	}
	null := s.null.Fd()
	out := fd(s.outW, null)
	files := []uintptr{null, out, fd(s.errW, null)}
	if s.merged {
		files[2] = out
	}
	for _, h := range born {
		files = append(files, uintptr(h.socket.FD))
	}
	if s.ipcChild != nil {
		files = append(files, s.ipcChild.Fd())
	}
	return files
}

func (s *stdio) closeChildEnds() { closeAll(s.outW, s.errW, s.ipcChild) }

func (s *stdio) closeOwnEnds() {
	closeAll(s.outR, s.errR)
	if s.ipcOwn != nil {
		s.ipcOwn.Close()
	}
}

// readStdio starts reading what the launch writes.
func (k *keeper) readStdio(l *launch, req protocol.Launch, s *stdio) {
	if s.outR != nil {
		l.streams = append(l.streams, k.logs.read(s.outR, l.key, "out", req.Logs, req.Logs.Out))
	}
	if s.errR != nil {
		l.streams = append(l.streams, k.logs.read(s.errR, l.key, "err", req.Logs, req.Logs.Err))
	}
	if s.ipcOwn != nil {
		l.channel = newChannel(s.ipcOwn)
		k.talking[l] = true
		k.listenTo(l)
	}
}

// listenTo starts reading a launch's IPC channel.
func (k *keeper) listenTo(l *launch) {
	go func() {
		k.readIPC(l)
		k.mu.Lock()
		delete(k.talking, l)
		k.mu.Unlock()
	}()
}

// kept says whether a log path is a file at all.
func kept(path string) bool { return path != "" && path != os.DevNull }

// logPipe returns a close-on-exec pipe whose read end is non-blocking, so that waiting for output costs no thread.
func logPipe() (r, w *os.File, err error) {
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

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}
