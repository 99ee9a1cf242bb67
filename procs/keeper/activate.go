package keeper

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"

	"devstack/procs/keeper/protocol"
)

// execArg makes the hidden subcommand `keeper` become a launch: `keeper exec FD PATH ARGV...`.
const execArg = "exec"

// startLaunch forks and execs. LISTEN_PID can only be said by the process itself, so with Hold.Bind it begins as our own
// executable: a shell would drop variables whose names it does not like. Its exec fails here with the errno it had.
func (c *children) startLaunch(req protocol.Launch, attr *syscall.ProcAttr, exited func(syscall.WaitStatus)) (int, error) {
	if req.Hold == nil || req.Hold.Bind == 0 {
		return c.start(req.Argv[0], req.Argv, attr, exited)
	}
	self, err := selfPath()
	if err != nil {
		return 0, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	argv := append([]string{self, "keeper", execArg, strconv.Itoa(len(attr.Files)), req.Argv[0]}, req.Argv...)
	attr.Files = append(attr.Files, w.Fd())
	pid, err := c.start(self, argv, attr, exited)
	w.Close()
	if err != nil {
		return 0, err
	}
	report, err := io.ReadAll(r) // empty and closed by a successful exec
	if err != nil {
		return 0, err
	}
	if errno, err := strconv.Atoi(string(report)); err == nil {
		return 0, syscall.Errno(errno)
	}
	return pid, nil
}

// becomeLaunch returns only to say that its arguments are wrong.
func becomeLaunch(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: keeper exec FD PATH ARGV...; run by the keeper")
	}
	fd, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	syscall.CloseOnExec(fd)
	err = syscall.Exec(args[1], args[2:], append(os.Environ(), fmt.Sprintf("LISTEN_PID=%d", os.Getpid())))
	var errno syscall.Errno
	errors.As(err, &errno)
	_, _ = syscall.Write(fd, []byte(strconv.Itoa(int(errno))))
	os.Exit(127)
	return nil
}
