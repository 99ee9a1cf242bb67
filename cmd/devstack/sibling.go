package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"devstack/daemon/api"
)

// siblingPath is the devstackd that was installed with this executable: beside it, symlinks resolved.
func siblingPath() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), "devstackd")
	if _, err := os.Stat(path); err != nil {
		return "", &api.Error{
			Exit:    api.ExitBug,
			Message: "cannot find devstackd: it belongs beside " + self,
			Hint:    "install both executables together: make build",
		}
	}
	return path, nil
}

// once asks a devstackd of this one command, which starts with the first request of ask and has ended when once returns. The
// end of ctx cancels the request: closing our half of the connection says so, and the answer still comes, after devstackd has
// cleared away what it had begun.
func once(ctx context.Context, io *IOStreams, files api.Files, ask func(context.Context, *api.Client) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s := &sibling{args: siblingArgs("once", files)}
	s.cmd.Stderr = io.Err // of the programs that it runs; what it has to say itself comes over the connection
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	err := s.end(ask(context.WithoutCancel(ctx), api.NewClientOn(s.dial)))
	var answer *api.Error
	if err != nil && ctx.Err() != nil && !errors.As(err, &answer) {
		return ctx.Err() // before there was a request, or a devstackd that could say so
	}
	return err
}

// sibling is a devstackd and the connection to it.
type sibling struct {
	args []string
	cmd  exec.Cmd

	mu        sync.Mutex // guards conn and cancelled
	conn      *net.UnixConn
	cancelled bool
}

// dial starts the devstackd and connects to it, once: without a daemon nobody would answer a second time.
func (s *sibling) dial(context.Context) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.conn != nil:
		return nil, &api.Error{Exit: api.ExitBug, Message: "cannot get an answer: devstackd ended before it gave one"}
	case s.cancelled:
		return nil, context.Canceled
	}
	path, err := siblingPath()
	if err != nil {
		return nil, err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("cannot make a connection: %w", err)
	}
	defer theirs.Close()
	s.cmd.Path, s.cmd.Args, s.cmd.ExtraFiles = path, append([]string{path}, s.args...), []*os.File{theirs}
	if err := s.cmd.Start(); err != nil {
		_ = ours.Close()
		return nil, &api.Error{Exit: api.ExitBug, Message: fmt.Sprintf("cannot start devstackd: %v", err), Hint: "install both executables together: make build"}
	}
	s.conn = ours
	return ours, nil
}

// cancel ends the request that is under way, or comes.
func (s *sibling) cancel() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancelled = true; s.conn != nil {
		_ = s.conn.CloseWrite() // fails where devstackd has gone already
	}
}

// end waits for the devstackd. The error is that of the answer, or else how the devstackd ended.
func (s *sibling) end(err error) error {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	if conn == nil {
		return err
	}
	_ = conn.Close()
	if ended := s.cmd.Wait(); ended != nil && err == nil {
		return fmt.Errorf("cannot trust the answer: devstackd failed after it: %w", ended)
	}
	return err
}

// socketPair is a connection: our end, and the one for a child.
func socketPair() (*net.UnixConn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "connection"), os.NewFile(uintptr(fds[1]), "connection")
	defer ours.Close()
	conn, err := net.FileConn(ours) // a copy
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn.(*net.UnixConn), theirs, nil //nolint:errcheck // AF_UNIX is one
}

// siblingArgs are the arguments of a devstackd that is about files.
func siblingArgs(command string, files api.Files) []string {
	args := []string{command}
	for _, flag := range []struct{ name, value string }{{"--file", files.File}, {"-p", files.Project}, {"--profile", files.Profile}} {
		if flag.value != "" {
			args = append(args, flag.name, flag.value)
		}
	}
	return args
}
