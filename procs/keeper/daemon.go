package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// startDaemon starts the first daemon and, from then on, its successors. An error means that it could not even be
// executed; later failures are retried for ever.
func (k *keeper) startDaemon() error {
	s, err := k.spawnDaemon()
	if err != nil {
		return err
	}
	k.working.Go(func() { k.superviseDaemon(s) })
	return nil
}

// superviseDaemon replaces every daemon that ends, at once the first time, then with growing delays.
func (k *keeper) superviseDaemon(s *session) {
	delay := time.Duration(0)
	for {
		began := time.Now()
		if s != nil {
			s.watch(k)
		}
		if time.Since(began) >= respawnReset {
			delay = 0
		}
		select {
		case <-time.After(delay):
		case <-k.finished:
			return
		}
		delay = nextDelay(delay, k.opts.RespawnDelay)
		k.awaitUpgrade()
		if k.isEnding() {
			return
		}
		var err error
		if s, err = k.spawnDaemon(); err != nil {
			k.log.Error("cannot start the daemon", "err", err, "retry_in", delay)
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

// spawnDaemon starts one daemon with the API listener as fd 3 and its end of the connection as fd 4.
func (k *keeper) spawnDaemon() (*session, error) {
	output, err := beginFile(filepath.Join(k.opts.StateDir, "daemon.log"), maxJournal)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	listener, err := k.listener.File()
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
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ending {
		own.Close()
		return nil, syscall.ESHUTDOWN
	}
	if k.upgrading != nil {
		own.Close()
		return nil, fmt.Errorf("an upgrade is under way: %w", syscall.EBUSY)
	}
	s.pid, err = k.children.start(k.opts.Daemon[0], k.opts.Daemon, &syscall.ProcAttr{
		Dir:   "/",
		Env:   k.daemonEnv(),
		Files: []uintptr{k.null.Fd(), output.Fd(), output.Fd(), listener.Fd(), child.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}, func(status syscall.WaitStatus) { k.daemonExited(s, status) })
	if err != nil {
		own.Close()
		return nil, fmt.Errorf("cannot start %s: %w", k.opts.Daemon[0], err)
	}
	k.session = s
	k.log.Info("daemon started", "daemon", s.pid)
	k.working.Go(func() { s.out.writeTo(own) })
	k.working.Go(func() { k.serve(s) })
	return s, nil
}

// daemonEnv marks the daemon, too: one that hangs and survives its keeper is ended by the next keeper.
func (k *keeper) daemonEnv() []string {
	env := k.opts.Environ
	if env == nil {
		env = os.Environ()
	}
	out := make([]string, 0, len(env)+1)
	for _, kv := range protocol.WithoutServiceVariables(env) {
		if !strings.HasPrefix(kv, protocol.MarkerEnv+"=") {
			out = append(out, kv)
		}
	}
	return append(out, protocol.MarkerEnv+"="+daemonMarker(k.opts.ID, k.opts.StateDir))
}

func (k *keeper) daemonExited(s *session, status syscall.WaitStatus) {
	k.mu.Lock() // waits until spawnDaemon has recorded it
	k.log.Info("daemon ended", "daemon", s.pid, "code", status.ExitStatus(), "signaled", status.Signaled())
	if k.session == s {
		k.session = nil
	}
	k.mu.Unlock()
	s.out.close()
	s.conn.Close()
	close(s.ended)
}

// watch pings the daemon until it has ended, and kills one that stopped answering: a hung brain is as bad as a
// dead one. SIGQUIT first, for the goroutine dump in daemon.log.
func (s *session) watch(k *keeper) {
	tick := time.NewTicker(k.opts.PingEvery)
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
		if k.isEnding() {
			continue // the shutdown deals with it
		}
		k.log.Warn("daemon does not answer", "daemon", s.pid)
		k.endDaemon(s, syscall.SIGQUIT)
		return
	}
}

// endDaemon returns when the daemon has ended: by itself or by sig within leaveTime, else by SIGKILL.
func (k *keeper) endDaemon(s *session, sig syscall.Signal) {
	_ = k.children.signalGroup(s.pid, sig)
	select {
	case <-s.ended:
		return
	case <-time.After(leaveTime):
	}
	_ = k.children.signalGroup(s.pid, syscall.SIGKILL)
	<-s.ended
}

func (k *keeper) isEnding() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ending
}
