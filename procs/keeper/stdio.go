package keeper

import (
	"os"

	"devstack/procs/keeper/ipc"
	"devstack/procs/keeper/logs"
	"devstack/procs/keeper/protocol"
	"devstack/procs/keeper/sockets"
)

// stdio is what a launch is born with: both ends, until the fork.
type stdio struct {
	null       *os.File
	outR, outW *os.File // nil: discarded
	errR, errW *os.File // nil: discarded, or merged into out
	merged     bool
	ipcOwn     *protocol.FDConn // nil without IPC
	ipcChild   *os.File         // nil without IPC
}

func openStdio(null *os.File, req protocol.Launch) (s *stdio, err error) {
	s = &stdio{null: null, merged: req.Logs.Err != "" && req.Logs.Err == req.Logs.Out}
	defer func() {
		if err != nil {
			s.closeChildEnds()
			s.closeOwnEnds()
		}
	}()
	if logs.Kept(req.Logs.Out) || logs.Kept(req.Logs.Combined) {
		if s.outR, s.outW, err = logs.NewPipe(); err != nil {
			return s, err
		}
	}
	if !s.merged && (logs.Kept(req.Logs.Err) || logs.Kept(req.Logs.Combined)) {
		if s.errR, s.errW, err = logs.NewPipe(); err != nil {
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

func (s *stdio) childFiles(born []*sockets.Held) []uintptr {
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
		files = append(files, uintptr(h.Socket.FD))
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

// readStdio starts reading what the launch writes. ls.mu is held.
func (ls *launches) readStdio(l *launch, req protocol.Launch, s *stdio) {
	if s.outR != nil {
		l.streams = append(l.streams, ls.logs.Read(s.outR, l.key, "out", req.Logs, req.Logs.Out))
	}
	if s.errR != nil {
		l.streams = append(l.streams, ls.logs.Read(s.errR, l.key, "err", req.Logs, req.Logs.Err))
	}
	if s.ipcOwn != nil {
		l.channel = ipc.NewChannel(s.ipcOwn)
		ls.talking[l] = true
		ls.listenTo(l)
	}
}

// listenTo starts reading a launch's IPC channel. ls.mu is held.
func (ls *launches) listenTo(l *launch) {
	ls.listening.Go(func() {
		ls.listen(l)
		ls.mu.Lock()
		delete(ls.talking, l)
		ls.mu.Unlock()
	})
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}
