package protocol

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
)

// ErrGone is returned by every method of a Conn after the keeper has gone.
var ErrGone = errors.New("the keeper is gone")

// Handler receives the keeper's notifications, one at a time and in order, on a goroutine of its own, so it may
// call the Conn. An exit can be delivered before Launch has returned, and more than once until it is acked.
type Handler struct {
	Exited    func(Exit)
	IPC       func(IPCLine)
	Listening func(Socket) // a launch with Hold listens by itself
	Drained   func(Key)    // a launch that was asked to drain has no connection left
	End       func()       // nil: cannot; else stop everything in order, in a goroutine of its own, and call Shutdown
}

// Conn is the daemon's end of the connection to its keeper. Its methods may be used concurrently.
type Conn struct {
	conn    *FDConn
	done    chan struct{}
	orderly bool // the handler serves End
	working sync.WaitGroup

	sending sync.Mutex // one frame at a time

	mu      sync.Mutex // guards what follows, but for the channel itself
	lastID  uint64
	waiting map[uint64]chan *Message
	inbox   []*Message    // notifications not yet delivered
	arrived chan struct{} // capacity 1
}

// Inherited connects to the keeper that started this process.
func Inherited(h Handler) (*Conn, error) {
	return Dial(os.NewFile(FDKeeper, "keeper"), h)
}

// Listener returns the API socket that the keeper bound and handed to this process.
func Listener() (net.Listener, error) {
	f := os.NewFile(FDListener, "api")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("cannot use the inherited API socket: %w", err)
	}
	return l, nil
}

// Dial takes over f, one end of a stream socket whose other end is a keeper's.
func Dial(f *os.File, h Handler) (*Conn, error) {
	w, err := NewFDConn(f)
	if err != nil {
		return nil, fmt.Errorf("cannot use the connection to the keeper: %w", err)
	}
	c := &Conn{
		conn:    w,
		orderly: h.End != nil,
		done:    make(chan struct{}),
		waiting: map[uint64]chan *Message{},
		arrived: make(chan struct{}, 1),
	}
	c.working.Go(c.read)
	c.working.Go(func() { c.deliver(h) })
	return c, nil
}

// Done is closed when the keeper is gone.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close gives the connection up; the keeper and its launches go on. It returns when the handler has returned: never call it
// there.
func (c *Conn) Close() {
	_ = c.conn.UnixConn.Close() // fails only if it is closed already
	c.working.Wait()
}

// Hello introduces the daemon and returns the keeper's identity and protocol version.
func (c *Conn) Hello(ctx context.Context) (Identity, int, error) {
	m, err := c.ask(ctx, &Message{Verb: Hello, Version: ProtocolVersion, Orderly: c.orderly})
	if err != nil {
		return Identity{}, 0, err
	}
	if m.Identity == nil {
		return Identity{}, 0, errors.New("cannot talk to the keeper: its hello has no identity")
	}
	return *m.Identity, m.Version, nil
}

// Launch starts a process. A system error (syscall.ENOENT, EACCES, EAGAIN, ...) is found with errors.Is; EEXIST
// means that the key was used before, ESHUTDOWN that the keeper is ending.
func (c *Conn) Launch(ctx context.Context, l Launch) (Launched, error) {
	m, err := c.ask(ctx, &Message{Verb: Start, Launch: &l})
	if err != nil {
		return Launched{}, err
	}
	if m.Launched == nil {
		return Launched{}, errors.New("cannot launch: the keeper's answer is empty")
	}
	return *m.Launched, nil
}

// Signal sends a signal or an IPC message to a launch. syscall.ESRCH: it has exited; never an error with Tree.
func (c *Conn) Signal(ctx context.Context, s SignalReq) error {
	_, err := c.ask(ctx, &Message{Verb: Signal, Signal: &s})
	return err
}

// List returns every launch that runs or whose exit is not acked.
func (c *Conn) List(ctx context.Context) ([]Running, error) {
	m, err := c.ask(ctx, &Message{Verb: List})
	if err != nil {
		return nil, err
	}
	return m.List, nil
}

// Ack lets the keeper forget an exited launch. Acking what it does not know is not an error.
func (c *Conn) Ack(ctx context.Context, k Key) error {
	_, err := c.ask(ctx, &Message{Verb: Ack, Key: &k})
	return err
}

// Stash replaces the blob that the keeper holds, in memory only, for the next daemon.
func (c *Conn) Stash(ctx context.Context, blob []byte) error {
	_, err := c.ask(ctx, &Message{Verb: Stash, Blob: blob})
	return err
}

// Fetch returns the stashed blob, empty if there is none.
func (c *Conn) Fetch(ctx context.Context) ([]byte, error) {
	m, err := c.ask(ctx, &Message{Verb: Fetch})
	if err != nil {
		return nil, err
	}
	return m.Blob, nil
}

// Connect returns a TCP connection that this launch alone accepts, past the queue of the socket that it shares with
// others. It returns when the launch has taken it, so it lasts as long as the launch is busy: give ctx a deadline.
// syscall.ENOTCONN: it does not listen there, or has exited; EAGAIN: it has not taken earlier ones either.
func (c *Conn) Connect(ctx context.Context, r ConnectReq) (net.Conn, error) {
	m, err := c.ask(ctx, &Message{Verb: Connect, Connect: &r})
	if err != nil {
		return nil, err
	}
	if m.Attached == nil {
		return nil, errors.New("cannot connect: the keeper's answer has no connection")
	}
	f := os.NewFile(uintptr(m.Attached.FD), "connection")
	defer f.Close()
	nc, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("cannot use the connection to %s: %w", r.Key.App, err)
	}
	return nc, nil
}

// Release gives up what an instance's launches have listened on; a held socket that nobody has a claim to is closed.
// Releasing what is not held is not an error.
func (c *Conn) Release(ctx context.Context, r ReleaseReq) error {
	_, err := c.ask(ctx, &Message{Verb: Release, Release: &r})
	return err
}

// Shutdown ends what still runs and returns when all of it is gone and every log is on disk. The keeper then waits
// a moment for the daemon to exit, releases the project and exits.
func (c *Conn) Shutdown(ctx context.Context) error {
	_, err := c.ask(ctx, &Message{Verb: Shutdown})
	return err
}

// Exec replaces the keeper's executable in its process, and this daemon. It returns when that begins, and then this daemon
// should end, at once; or with an error when nothing has changed: syscall.EBUSY if an upgrade is under way, ENOTSUP on macOS.
func (c *Conn) Exec(ctx context.Context, r ExecReq) error {
	_, err := c.ask(ctx, &Message{Verb: Exec, Exec: &r})
	return err
}

// Fail is Shutdown after which the keeper ends with an error: the stack cannot run, for this reason and with this exit code.
func (c *Conn) Fail(ctx context.Context, reason string, code int) error {
	_, err := c.ask(ctx, &Message{Verb: Shutdown, Failed: reason, Code: code})
	return err
}

// Notify tells the service manager that runs the keeper, in sd_notify's words; without one it does nothing.
func (c *Conn) Notify(ctx context.Context, text string) error {
	_, err := c.ask(ctx, &Message{Verb: Notify, Notify: text})
	return err
}

func (c *Conn) ask(ctx context.Context, m *Message) (*Message, error) {
	answer := make(chan *Message, 1)
	c.mu.Lock()
	c.lastID++
	m.ID = c.lastID
	c.waiting[m.ID] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, m.ID)
		c.mu.Unlock()
		select {
		case late := <-answer:
			late.Attached.Close()
		default:
		}
	}()
	if err := c.send(m); err != nil {
		return nil, err
	}
	select {
	case a := <-answer:
		if a.Error != nil {
			return nil, a.Error
		}
		return a, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.done:
	}
	select {
	case a := <-answer: // it was the last thing that the keeper said
		if a.Error != nil {
			return nil, a.Error
		}
		return a, nil
	default:
		return nil, ErrGone
	}
}

func (c *Conn) send(m *Message) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	err := WriteFrame(c.conn, m)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) {
		return ErrGone
	}
	return err
}

func (c *Conn) read() {
	defer close(c.done)
	defer c.conn.Close()
	for {
		m, err := ReadFrame(c.conn)
		if err != nil {
			return
		}
		if m.ID != 0 {
			c.answered(m)
			continue
		}
		m.Attached.Close() // no notification has one
		if m.Verb == Ping {
			if c.send(&Message{Verb: Ping}) != nil {
				return
			}
			continue
		}
		c.mu.Lock()
		c.inbox = append(c.inbox, m)
		c.mu.Unlock()
		select {
		case c.arrived <- struct{}{}:
		default:
		}
	}
}

// answered gives an answer to who asked, or away with it if that one has left.
func (c *Conn) answered(m *Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := c.waiting[m.ID]
	if answer == nil {
		m.Attached.Close()
		return
	}
	delete(c.waiting, m.ID)
	answer <- m
}

func (c *Conn) deliver(h Handler) {
	for {
		select {
		case <-c.arrived:
		case <-c.done:
			return
		}
		c.mu.Lock()
		batch := c.inbox
		c.inbox = nil
		c.mu.Unlock()
		for _, m := range batch {
			switch {
			case m.Verb == Exited && m.Exit != nil && h.Exited != nil:
				h.Exited(*m.Exit)
			case m.Verb == IPC && m.IPC != nil && h.IPC != nil:
				h.IPC(*m.IPC)
			case m.Verb == Listening && m.Listening != nil && h.Listening != nil:
				h.Listening(*m.Listening)
			case m.Verb == Drained && m.Key != nil && h.Drained != nil:
				h.Drained(*m.Key)
			case m.Verb == End && h.End != nil:
				h.End()
			}
		}
	}
}
