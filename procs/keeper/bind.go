package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"devstack/procs/keeper/protocol"
)

// firstFD is where a launch's descriptors after its standard ones begin: held sockets, then the IPC channel.
const firstFD = 3

// born returns the sockets that a launch is born with; that of Hold.Bind, which is bound now if need be, is the first.
func (k *keeper) born(req protocol.Launch) ([]*heldSocket, error) {
	if req.Hold == nil {
		return nil, nil
	}
	app, port := req.Key.App, req.Hold.Bind
	if port == 0 {
		return slices.Clone(k.held[app]), nil
	}
	first := k.held.everywhere(app, port)
	if first == nil {
		d, err := bind(port)
		if err != nil {
			return nil, fmt.Errorf("cannot bind port %d for %s: %w", port, app, err)
		}
		at, err := boundTo(d)
		if err != nil {
			d.Close()
			return nil, err
		}
		first = k.held.add(app, protocol.Address{Host: anyHost, Port: port}, at, d)
	}
	first.address.Host = anyHost
	sockets := []*heldSocket{first}
	for _, s := range k.held[app] {
		if s != first {
			sockets = append(sockets, s)
		}
	}
	return sockets, nil
}

// everywhere returns what an app holds on a port: what we bound, else what a launch bound on every address, else
// any other, which keeps us from binding anew.
func (h holding) everywhere(app string, port int) (found *heldSocket) {
	for _, s := range h[app] {
		if s.address.Port != port {
			continue
		}
		if s.address.Host == anyHost {
			return s
		}
		if found == nil || s.bound.Addr().IsUnspecified() {
			found = s
		}
	}
	return found
}

// bind listens on every address of the machine, with the kernel's longest queue. As systemd's, the socket blocks
// until a program wants otherwise.
func bind(port int) (*protocol.Descriptor, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return nil, err
	}
	defer l.Close()
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.New("not a TCP listener")
	}
	d, err := protocol.DupConn(tcp)
	if err != nil {
		return nil, err
	}
	if err := syscall.SetNonblock(d.FD, false); err != nil {
		d.Close()
		return nil, os.NewSyscallError("fcntl", err)
	}
	return d, nil
}

// heldEnv tells a launch what it was born with; LISTEN_PID is added by the launch itself.
func heldEnv(req protocol.Launch, born []*heldSocket) []string {
	if len(born) == 0 {
		return nil
	}
	type inherited struct {
		protocol.Address
		FD int `json:"fd"`
	}
	list := make([]inherited, len(born))
	for i, s := range born {
		list[i] = inherited{s.address, firstFD + i}
	}
	text, _ := json.Marshal(list) // strings and numbers: cannot fail
	env := []string{protocol.HeldEnv + "=" + string(text)}
	if req.Hold.Bind != 0 {
		env = append(env, "LISTEN_FDS=1", "LISTEN_FDNAMES="+strings.ReplaceAll(req.Key.App, ":", "_"))
	}
	return env
}

// execArg makes the hidden subcommand `keeper` become a launch: `keeper exec FD PATH ARGV...`.
const execArg = "exec"

// start forks and execs. LISTEN_PID can only be said by the process itself, so with Hold.Bind it begins as our own
// executable: a shell would drop variables whose names it does not like. Its exec fails here with the errno it had.
func (k *keeper) start(req protocol.Launch, attr *syscall.ProcAttr, exited func(syscall.WaitStatus)) (int, error) {
	if req.Hold == nil || req.Hold.Bind == 0 {
		return k.children.start(req.Argv[0], req.Argv, attr, exited)
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
	pid, err := k.children.start(self, argv, attr, exited)
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
