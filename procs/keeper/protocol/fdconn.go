package protocol

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Descriptor is an open file outside of Go's poller: a listening socket that the poller watched would wake us for
// every connection to it. Nil is none.
type Descriptor struct{ FD int }

// Close closes it; nil is nothing to close.
func (d *Descriptor) Close() {
	if d != nil {
		syscall.Close(d.FD)
	}
}

// Dup returns a close-on-exec duplicate.
func (d *Descriptor) Dup() (*Descriptor, error) { return dup(d.FD) }

// dup is close-on-exec.
func dup(fd int) (*Descriptor, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &Descriptor{FD: n}, nil
}

// DupConn duplicates the socket of a connection or listener, which may be closed then.
func DupConn(c syscall.Conn) (d *Descriptor, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	if controlErr := raw.Control(func(fd uintptr) { d, err = dup(int(fd)) }); controlErr != nil {
		return nil, controlErr
	}
	return d, err
}

// maxArrived is how many descriptors wait to be taken; of more, each is closed as it arrives.
const maxArrived = 16

// FDConn is a stream socket whose bytes may carry descriptors. One travels with the first byte of its message, so
// when a message has been read to its end, its descriptor is here. One goroutine reads.
type FDConn struct {
	*net.UnixConn
	Arrived []*Descriptor
	oob     []byte
}

// NewFDConn takes over f, a stream socket.
func NewFDConn(f *os.File) (*FDConn, error) {
	c, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("a %s connection is not a unix socket", c.LocalAddr().Network())
	}
	return &FDConn{UnixConn: u}, nil
}

// Close has nothing to say: what was not read or written by now is not wanted.
func (w *FDConn) Close() { _ = w.UnixConn.Close() }

// Read queues what comes beside the bytes.
func (w *FDConn) Read(p []byte) (int, error) {
	if w.oob == nil {
		w.oob = make([]byte, syscall.CmsgSpace(4*maxArrived))
	}
	n, oobn, _, _, err := w.ReadMsgUnix(p, w.oob)
	if oobn > 0 {
		w.queue(w.oob[:oobn])
	}
	return max(n, 0), err // -1 with an error
}

func (w *FDConn) queue(oob []byte) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return
	}
	for _, m := range messages {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			d := &Descriptor{FD: fd}
			if len(w.Arrived) >= maxArrived {
				d.Close()
				continue
			}
			w.Arrived = append(w.Arrived, d)
		}
	}
}

// Take returns the oldest descriptor that has arrived, nil if there is none. The caller closes it.
func (w *FDConn) Take() *Descriptor {
	if len(w.Arrived) == 0 {
		return nil
	}
	d := w.Arrived[0]
	w.Arrived = w.Arrived[1:]
	return d
}

// Discard closes what nobody took.
func (w *FDConn) Discard() {
	for d := w.Take(); d != nil; d = w.Take() {
		d.Close()
	}
}

// Send writes b, its first byte together with d if that is not nil, and says how much of b went out.
func (w *FDConn) Send(b []byte, d *Descriptor) (int, error) {
	if d == nil {
		return w.Write(b)
	}
	n, _, err := w.WriteMsgUnix(b, syscall.UnixRights(d.FD), nil)
	if err != nil || n == len(b) {
		return n, err
	}
	rest, err := w.Write(b[n:])
	return n + rest, err
}

// SocketPair returns close-on-exec stream sockets; the first one is non-blocking.
func SocketPair() (own *FDConn, child *os.File, err error) {
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
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		syscall.Close(fds[0])
		syscall.Close(fds[1])
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	child = os.NewFile(uintptr(fds[1]), "socket")
	if own, err = NewFDConn(os.NewFile(uintptr(fds[0]), "socket")); err != nil {
		child.Close()
		return nil, nil, err
	}
	return own, child, nil
}
