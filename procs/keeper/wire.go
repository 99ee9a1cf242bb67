package keeper

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// descriptor is an open file outside of Go's poller: a listening socket that the poller watched would wake us for
// every connection to it. Nil is none.
type descriptor struct{ fd int }

func (d *descriptor) close() {
	if d != nil {
		syscall.Close(d.fd)
	}
}

func (d *descriptor) dup() (*descriptor, error) { return dup(d.fd) }

// dup is close-on-exec.
func dup(fd int) (*descriptor, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &descriptor{fd: n}, nil
}

// dupConn duplicates the socket of a connection or listener, which may be closed then.
func dupConn(c syscall.Conn) (d *descriptor, err error) {
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

// wire is a stream socket whose bytes may carry descriptors. One travels with the first byte of its message, so
// when a message has been read to its end, its descriptor is here. One goroutine reads.
type wire struct {
	*net.UnixConn
	arrived []*descriptor
	oob     []byte
}

// newWire takes over f, a stream socket.
func newWire(f *os.File) (*wire, error) {
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
	return &wire{UnixConn: u}, nil
}

// Close has nothing to say: what was not read or written by now is not wanted.
func (w *wire) Close() { _ = w.UnixConn.Close() }

// Read queues what comes beside the bytes.
func (w *wire) Read(p []byte) (int, error) {
	if w.oob == nil {
		w.oob = make([]byte, syscall.CmsgSpace(4*maxArrived))
	}
	n, oobn, _, _, err := w.ReadMsgUnix(p, w.oob)
	if oobn > 0 {
		w.queue(w.oob[:oobn])
	}
	return max(n, 0), err // -1 with an error
}

func (w *wire) queue(oob []byte) {
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
			d := &descriptor{fd: fd}
			if len(w.arrived) >= maxArrived {
				d.close()
				continue
			}
			w.arrived = append(w.arrived, d)
		}
	}
}

// take returns the oldest descriptor that has arrived, nil if there is none. The caller closes it.
func (w *wire) take() *descriptor {
	if len(w.arrived) == 0 {
		return nil
	}
	d := w.arrived[0]
	w.arrived = w.arrived[1:]
	return d
}

// discard closes what nobody took.
func (w *wire) discard() {
	for d := w.take(); d != nil; d = w.take() {
		d.close()
	}
}

// send writes b, its first byte together with d if that is not nil, and says how much of b went out.
func (w *wire) send(b []byte, d *descriptor) (int, error) {
	if d == nil {
		return w.Write(b)
	}
	n, _, err := w.WriteMsgUnix(b, syscall.UnixRights(d.fd), nil)
	if err != nil || n == len(b) {
		return n, err
	}
	rest, err := w.Write(b[n:])
	return n + rest, err
}
