package keeper

import (
	"errors"
	"io"
	"net"
	"os"
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
func (k *keeper) serve(s *session) {
	for {
		m, err := protocol.ReadFrame(s.conn)
		if err != nil {
			close(s.served)
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.ECONNRESET) {
				k.log.Error("connection to the daemon failed", "err", err)
			}
			k.hungUp(s)
			return
		}
		m.Attached.Close() // no request has one
		if m.Verb == protocol.Ping {
			s.unanswered.Store(0)
			continue
		}
		k.handle(s, m)
	}
}

// hungUp ends a daemon that has closed the connection and stays: it cannot be talked to any more.
func (k *keeper) hungUp(s *session) {
	select {
	case <-s.ended:
		return
	case <-time.After(leaveTime):
	}
	if !k.isEnding() { // else the shutdown deals with it
		k.endDaemon(s, syscall.SIGTERM)
	}
}

func (k *keeper) identity() *protocol.Identity {
	return &protocol.Identity{
		Project: k.opts.ID, Dir: k.opts.Dir, StateDir: k.opts.StateDir, Pid: os.Getpid(), Since: k.since,
		Service: serviceOf(os.Getenv, os.Getpid()),
	}
}

func (k *keeper) handle(s *session, m *protocol.Message) {
	a := &protocol.Message{ID: m.ID, Verb: m.Verb}
	answer := func(err error) {
		if err != nil {
			a.Error = protocol.ErrorOf(err)
		}
		s.out.add(a)
	}
	switch {
	case m.Verb == protocol.Hello:
		s.orderly.Store(m.Orderly)
		a.Version, a.Identity = protocol.ProtocolVersion, k.identity()
		answer(nil)
	case m.Verb == protocol.Start && m.Launch != nil:
		launched, err := k.launch(*m.Launch)
		if err == nil {
			a.Launched = &launched
		}
		answer(err)
	case m.Verb == protocol.Signal && m.Signal != nil && (m.Signal.Tree || m.Signal.Message != ""):
		s.requests.Go(func() { answer(k.signal(*m.Signal)) })
	case m.Verb == protocol.Signal && m.Signal != nil:
		answer(k.signal(*m.Signal))
	case m.Verb == protocol.Connect && m.Connect != nil:
		k.working.Go(func() {
			d, err := k.connect(*m.Connect)
			a.Attached = d
			answer(err)
		})
	case m.Verb == protocol.Release && m.Release != nil:
		k.release(*m.Release)
		answer(nil)
	case m.Verb == protocol.List:
		a.List = k.runningList()
		answer(nil)
	case m.Verb == protocol.Ack && m.Key != nil:
		answer(k.ack(*m.Key))
	case m.Verb == protocol.Stash:
		k.mu.Lock()
		k.stash = m.Blob
		k.mu.Unlock()
		answer(nil)
	case m.Verb == protocol.Fetch:
		k.mu.Lock()
		a.Blob = k.stash
		k.mu.Unlock()
		answer(nil)
	case m.Verb == protocol.Exec && m.Exec != nil:
		k.working.Go(func() { k.exec(s, *m.Exec, answer) })
	case m.Verb == protocol.Notify && m.Notify != "":
		answer(tellService(m.Notify))
	case m.Verb == protocol.Shutdown:
		k.log.Info("asked to end by the daemon", "failed", m.Failed)
		k.fail(m.Failed, m.Code)
		k.shutdown(func() { answer(nil) })
	default:
		answer(errors.New("cannot serve " + string(m.Verb) + ": unknown verb or empty request"))
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
