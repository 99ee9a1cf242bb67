package keeper

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"devstack/procs/keeper/protocol"
)

const (
	maxRespawnDelay = 30 * time.Second
	respawnReset    = 60 * time.Second // a daemon that lived so long begins with the first delay again
	missedPings     = 3
	leaveTime       = 2 * time.Second // between asking a daemon to go and SIGKILL
)

// supervisor starts the daemon, and replaces it when it ends or hangs.
type supervisor struct {
	opts     Options
	log      *slog.Logger
	null     *os.File
	listener *net.UnixListener // the API socket
	children *children
	handle   func(*session, *protocol.Message) // serves a request
	finished <-chan struct{}                   // closed when the shutdown is complete
	working  sync.WaitGroup                    // who supervises, and who reads and writes the connections

	mu      sync.Mutex    // guards what follows
	session *session      // nil while no daemon runs
	closed  bool          // the keeper is ending: no daemon is started any more
	paused  chan struct{} // nil, except in an upgrade: no daemon is started; closed if that has failed
}

// start starts the first daemon and, from then on, its successors. An error means that it could not even be
// executed; later failures are retried for ever.
func (d *supervisor) start() error {
	s, err := d.spawn()
	if err != nil {
		return err
	}
	d.working.Go(func() { d.supervise(s) })
	return nil
}

// supervise replaces every daemon that ends, at once the first time, then with growing delays.
func (d *supervisor) supervise(s *session) {
	delay := time.Duration(0)
	for {
		began := time.Now()
		if s != nil {
			d.watch(s)
		}
		if time.Since(began) >= respawnReset {
			delay = 0
		}
		select {
		case <-time.After(delay):
		case <-d.finished:
			return
		}
		delay = nextDelay(delay, d.opts.RespawnDelay)
		d.awaitResume()
		if d.isClosed() {
			return
		}
		var err error
		if s, err = d.spawn(); err != nil {
			d.log.Error("cannot start the daemon", "err", err, "retry_in", delay)
			s = nil
		}
	}
}

// nextDelay: 0, first, 2*first, 4*first ... 30 s.
func nextDelay(last, first time.Duration) time.Duration {
	if last == 0 {
		return first
	}
	return min(2*last, maxRespawnDelay)
}

// spawn starts one daemon with the API listener as fd 3 and its end of the connection as fd 4.
func (d *supervisor) spawn() (*session, error) {
	output, err := beginFile(filepath.Join(d.opts.StateDir, "daemon.log"), maxJournal)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	listener, err := d.listener.File()
	if err != nil {
		return nil, fmt.Errorf("cannot hand over the API socket: %w", err)
	}
	defer listener.Close()
	own, child, err := protocol.SocketPair()
	if err != nil {
		return nil, err
	}
	defer child.Close()
	s := newSession(own)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		own.Close()
		return nil, syscall.ESHUTDOWN
	}
	if d.paused != nil {
		own.Close()
		return nil, fmt.Errorf("an upgrade is under way: %w", syscall.EBUSY)
	}
	s.pid, err = d.children.start(d.opts.Daemon[0], d.opts.Daemon, &syscall.ProcAttr{
		Dir:   "/",
		Env:   d.env(),
		Files: []uintptr{d.null.Fd(), output.Fd(), output.Fd(), listener.Fd(), child.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}, func(status syscall.WaitStatus) { d.exited(s, status) })
	if err != nil {
		own.Close()
		return nil, fmt.Errorf("cannot start %s: %w", d.opts.Daemon[0], err)
	}
	d.session = s
	d.log.Info("daemon started", "daemon", s.pid)
	d.working.Go(func() { s.out.writeTo(own) })
	d.working.Go(func() { d.serve(s) })
	return s, nil
}

// env marks the daemon, too: one that hangs and survives its keeper is ended by the next keeper.
func (d *supervisor) env() []string {
	env := d.opts.Environ
	if env == nil {
		env = os.Environ()
	}
	out := make([]string, 0, len(env)+1)
	for _, kv := range protocol.WithoutServiceVariables(env) {
		if !strings.HasPrefix(kv, protocol.MarkerEnv+"=") {
			out = append(out, kv)
		}
	}
	return append(out, protocol.MarkerEnv+"="+daemonMarker(d.opts.ID, d.opts.StateDir))
}

func (d *supervisor) exited(s *session, status syscall.WaitStatus) {
	d.mu.Lock() // waits until spawn has recorded it
	d.log.Info("daemon ended", "daemon", s.pid, "code", status.ExitStatus(), "signaled", status.Signaled())
	if d.session == s {
		d.session = nil
	}
	d.mu.Unlock()
	s.out.close()
	s.conn.Close()
	close(s.ended)
}

// watch pings the daemon until it has ended, and kills one that stopped answering: a hung brain is as bad as a
// dead one. SIGQUIT first, for the goroutine dump in daemon.log.
func (d *supervisor) watch(s *session) {
	tick := time.NewTicker(d.opts.PingEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ended:
			return
		case <-tick.C:
		}
		if s.unanswered.Load() < missedPings {
			s.unanswered.Add(1)
			s.out.add(&protocol.Message{Verb: protocol.Ping})
			continue
		}
		if d.isClosed() {
			continue // the shutdown deals with it
		}
		d.log.Warn("daemon does not answer", "daemon", s.pid)
		d.end(s, syscall.SIGQUIT)
		return
	}
}

// end returns when the daemon has ended: by itself or by sig within leaveTime, else by SIGKILL.
func (d *supervisor) end(s *session, sig syscall.Signal) {
	_ = d.children.signalGroup(s.pid, sig)
	select {
	case <-s.ended:
		return
	case <-time.After(leaveTime):
	}
	_ = d.children.signalGroup(s.pid, syscall.SIGKILL)
	<-s.ended
}

func (d *supervisor) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// close keeps further daemons from being started. The one that runs goes on.
func (d *supervisor) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}

// current is the connection of the daemon that runs, nil if none does.
func (d *supervisor) current() *session {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.session
}

// notify sends a notification to the daemon, if there is one; otherwise List will tell.
func (d *supervisor) notify(m *protocol.Message) {
	if s := d.current(); s != nil {
		s.out.add(m)
	}
}

// pause keeps daemons from being started until resume; false: it was paused before.
func (d *supervisor) pause() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.paused != nil {
		return false
	}
	d.paused = make(chan struct{})
	return true
}

func (d *supervisor) resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.paused)
	d.paused = nil
}

// awaitResume waits while it is paused.
func (d *supervisor) awaitResume() {
	d.mu.Lock()
	paused := d.paused
	d.mu.Unlock()
	if paused != nil {
		<-paused
	}
}
