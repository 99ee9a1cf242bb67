package keeper

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"devstack/procs/keeper/protocol"
)

// session is one daemon's life and its connection.
type session struct {
	pid        int
	conn       *protocol.FDConn
	out        *outbox
	unanswered atomic.Int32  // pings in a row
	ended      chan struct{} // closed when the daemon was reaped
	orderly    atomic.Bool   // it serves end

	requests sync.WaitGroup // that are answered later
	served   chan struct{}  // closed when no request is taken any more
}

func newSession(conn *protocol.FDConn) *session {
	return &session{conn: conn, out: newOutbox(), ended: make(chan struct{}), served: make(chan struct{})}
}

// serve answers requests in order; those that may take a while answer later, out of order.
func (d *supervisor) serve(s *session) {
	for {
		m, err := protocol.ReadFrame(s.conn)
		if err != nil {
			close(s.served)
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.ECONNRESET) {
				d.log.Error("connection to the daemon failed", "err", err)
			}
			d.hungUp(s)
			return
		}
		m.Attached.Close() // no request has one
		if m.Verb == protocol.Ping {
			s.unanswered.Store(0)
			continue
		}
		d.handle(s, m)
	}
}

// hungUp ends a daemon that has closed the connection and stays: it cannot be talked to any more.
func (d *supervisor) hungUp(s *session) {
	select {
	case <-s.ended:
		return
	case <-time.After(leaveTime):
	}
	if !d.isClosed() { // else the shutdown deals with it
		d.end(s, syscall.SIGTERM)
	}
}

// maxIPCBacklog is how many IPC lines wait for a daemon that does not read; later ones are dropped. Everything
// else is bounded by the number of launches and of requests under way.
const maxIPCBacklog = 1024

// outbox queues messages for a daemon, so that nobody in the keeper ever waits for it.
type outbox struct {
	mu     sync.Mutex
	wake   *sync.Cond
	queue  []*protocol.Message
	ipc    int // IPC lines in queue
	closed bool
}

func newOutbox() *outbox {
	o := &outbox{}
	o.wake = sync.NewCond(&o.mu)
	return o
}

func (o *outbox) add(m *protocol.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		m.Attached.Close()
		return
	}
	if m.Verb == protocol.IPC {
		if o.ipc >= maxIPCBacklog {
			return
		}
		o.ipc++
	}
	o.queue = append(o.queue, m)
	o.wake.Signal()
}

func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	discard(o.queue)
	o.queue = nil
	o.wake.Signal()
}

// writeTo ends when the outbox is closed or the daemon has hung up.
func (o *outbox) writeTo(w *protocol.FDConn) {
	defer o.close()
	for {
		o.mu.Lock()
		for len(o.queue) == 0 && !o.closed {
			o.wake.Wait()
		}
		if o.closed {
			o.mu.Unlock()
			return
		}
		batch := o.queue
		o.queue, o.ipc = nil, 0
		o.mu.Unlock()
		for i, m := range batch {
			if protocol.WriteFrame(w, m) != nil {
				discard(batch[i:])
				return
			}
			m.Attached.Close()
		}
	}
}

// discard closes what messages that nobody gets would have carried.
func discard(messages []*protocol.Message) {
	for _, m := range messages {
		m.Attached.Close()
	}
}
