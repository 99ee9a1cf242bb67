package keeper

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"devstack/procs/keeper/ipc"
	"devstack/procs/keeper/logs"
	"devstack/procs/keeper/protocol"
	"devstack/procs/keeper/sockets"
)

// resume is `keeper resume`: the keeper's life after an upgrade in place. Exits that came meanwhile are reaped by the loop.
func resume(args []string) error {
	if len(args) < 1 {
		return errors.New("usage: keeper resume FD DIR; run by the keeper")
	}
	fd, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	c, err := readCarried(fd)
	if err != nil {
		return fmt.Errorf("cannot go on after an upgrade: %w", err)
	}
	k, err := newKeeper(c.Options, continueJournal)
	if err != nil {
		return fmt.Errorf("cannot go on after an upgrade: %w", err)
	}
	if err := k.restore(c); err != nil {
		k.log.Error("cannot go on after an upgrade", "err", err)
		return fmt.Errorf("cannot go on after an upgrade: %w", err)
	}
	k.log.Info("upgraded", "launches", len(c.Launches), "daemon", c.Options.Daemon)
	k.loop()
	return k.shutdown.failure()
}

// restore takes everything over, then lets it go on: the daemon first.
func (k *keeper) restore(c *carried) error {
	k.since = c.Since
	k.stash.put(c.Stash)
	k.lock = inherited(c.Lock, "lock")
	if err := k.restorePlace(c.Place); err != nil {
		return err
	}
	api := inherited(c.Listener, "api")
	defer api.Close()
	l, err := net.FileListener(api)
	if err != nil {
		return fmt.Errorf("cannot use the API socket: %w", err)
	}
	listener, ok := l.(*net.UnixListener)
	if !ok {
		return errors.New("the API socket is none")
	}
	listener.SetUnlinkOnClose(false)
	k.daemon.listener = listener
	streams := k.logs.Restore(c.Streams, c.Files)
	launches, err := k.launches.restore(c.Launches, streams)
	if err != nil {
		return err
	}
	if err := k.sockets.restore(c.Held, c.Wanting, launches); err != nil {
		return err
	}
	k.daemon.working.Go(func() { k.daemon.supervise(nil) }) // starts one at once
	for _, s := range streams {
		k.logs.Begin(s)
	}
	k.launches.speak()
	k.sockets.answerAll()
	return nil
}

// restorePlace takes the lock that an older keeper has not had.
func (k *keeper) restorePlace(fd int) (err error) {
	if fd != 0 {
		k.place = inherited(fd, "keeper.lock")
		return nil
	}
	if k.place, err = protocol.LockPlace(k.opts.StateDir); err != nil {
		return err
	}
	return k.describe()
}

// inherited is a descriptor that the executable before has left open; no child gets it.
func inherited(fd int, name string) *os.File {
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name)
}

// restore returns the launches by their index. What they say over IPC is not read before speak.
func (ls *launches) restore(carried []carriedLaunch, streams []*logs.Stream) ([]*launch, error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	all := make([]*launch, len(carried))
	for i, r := range carried {
		l := &launch{
			key: r.Key, grace: r.Grace, launched: r.Launched, holds: r.Holds, server: r.Server, ended: make(chan struct{}),
			ready: r.Ready, listening: r.Listening, drained: r.Drained, released: r.Released, exit: r.Exit,
		}
		all[i] = l
		for _, s := range r.Streams {
			l.streams = append(l.streams, streams[s])
		}
		if l.exit != nil {
			close(l.ended)
		} else {
			ls.children.adopt(l.launched.Pid, func(status syscall.WaitStatus) { ls.exited(l, status) })
		}
		if !r.Acked {
			ls.byKey[l.key] = l
		}
		if r.Channel == nil {
			continue
		}
		var err error
		if l.channel, err = ipc.RestoreChannel(r.Channel); err != nil {
			return nil, fmt.Errorf("cannot use the IPC channel of %s: %w", l.key.App, err)
		}
		ls.talking[l] = true
	}
	return all, nil
}

// speak begins to read what launches say after an upgrade, and to write what was left unwritten.
func (ls *launches) speak() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for l := range ls.talking {
		ls.listenTo(l)
		l.channel.Speak()
	}
}

// restore takes over what is held and who waits for it; launches are those of the carried ones, by their index.
func (h *heldSockets) restore(held []carriedSocket, waiting []carriedWant, launches []*launch) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range held {
		syscall.CloseOnExec(r.FD)
		d := &protocol.Descriptor{FD: r.FD}
		at, err := sockets.BoundTo(d)
		if err != nil {
			return fmt.Errorf("cannot hold the socket of %s: %w", r.App, err)
		}
		s := &sockets.Held{Address: r.Address, Bound: at, Socket: d, Claims: map[sockets.Claim]bool{}}
		for _, c := range r.Claims {
			s.Claims[sockets.Claim{Instance: c.Instance, Generation: c.Generation}] = true
		}
		h.held[r.App] = append(h.held[r.App], s)
	}
	for _, w := range waiting {
		h.requests = append(h.requests, &socketRequest{launch: launches[w.Launch], address: w.Address, id: w.ID})
	}
	return nil
}
