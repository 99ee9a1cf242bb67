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
	return k.failure()
}

// restore takes everything over, then lets it go on: the daemon first.
func (k *keeper) restore(c *carried) error {
	k.since, k.stash = c.Since, c.Stash
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
	k.listener = listener
	streams := k.logs.Restore(c.Streams, c.Files)
	launches, err := k.restoreLaunches(c, streams)
	if err != nil {
		return err
	}
	if err := k.restoreHeld(c.Held); err != nil {
		return err
	}
	k.working.Go(func() { k.superviseDaemon(nil) }) // starts one at once
	for _, s := range streams {
		k.logs.Begin(s)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, w := range c.Wanting {
		k.requests = append(k.requests, &socketRequest{launch: launches[w.Launch], address: w.Address, id: w.ID})
	}
	for l := range k.talking {
		k.listenTo(l)
		l.channel.Speak()
	}
	k.answerAllRequests()
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

// restoreLaunches returns the launches by their index. What they say over IPC is not read yet.
func (k *keeper) restoreLaunches(c *carried, streams []*logs.Stream) ([]*launch, error) {
	launches := make([]*launch, len(c.Launches))
	for i, r := range c.Launches {
		l := &launch{
			key: r.Key, grace: r.Grace, launched: r.Launched, holds: r.Holds, server: r.Server, ended: make(chan struct{}),
			ready: r.Ready, listening: r.Listening, drained: r.Drained, released: r.Released, exit: r.Exit,
		}
		launches[i] = l
		for _, s := range r.Streams {
			l.streams = append(l.streams, streams[s])
		}
		if l.exit != nil {
			close(l.ended)
		} else {
			k.children.adopt(l.launched.Pid, func(status syscall.WaitStatus) { k.exited(l, status) })
		}
		if !r.Acked {
			k.launches[l.key] = l
		}
		if r.Channel == nil {
			continue
		}
		var err error
		if l.channel, err = ipc.RestoreChannel(r.Channel); err != nil {
			return nil, fmt.Errorf("cannot use the IPC channel of %s: %w", l.key.App, err)
		}
		k.talking[l] = true
	}
	return launches, nil
}

func (k *keeper) restoreHeld(carried []carriedSocket) error {
	for _, r := range carried {
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
		k.held[r.App] = append(k.held[r.App], s)
	}
	return nil
}
