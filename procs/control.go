package procs

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"syscall"

	keeper "devstack/procs/keeper/protocol"
	"devstack/procs/node"
)

// control is what a supervisor has the keeper do to the launches of one instance. What fails is logged here: the machine
// hears by an exit, or by a timer, how it ended.
type control struct {
	ctx      context.Context
	keeper   Keeper
	app      string
	instance int
	log      *slog.Logger
}

func (c control) key(gen int64) keeper.Key {
	return keeper.Key{App: c.app, Instance: c.instance, Generation: gen}
}

// signal falls back from the IPC message to kill_signal: a process that closed its channel must stop as well.
func (c control) signal(e Signal) {
	if e.Shutdown {
		err := c.message(e.Gen, node.Shutdown)
		if err == nil {
			return
		}
		c.log.Warn("cannot send shutdown over IPC, sending a signal", "gen", e.Gen, "err", err)
	}
	req := keeper.SignalReq{Key: c.key(e.Gen), Signal: int(e.Signal)}
	if err := c.keeper.Signal(c.ctx, req); err != nil && !errors.Is(err, syscall.ESRCH) {
		c.log.Warn("cannot signal", "gen", e.Gen, "err", err)
	}
}

func (c control) killTree(gen int64) {
	req := keeper.SignalReq{Key: c.key(gen), Signal: int(syscall.SIGKILL), Tree: true}
	if err := c.keeper.Signal(c.ctx, req); err != nil {
		c.log.Warn("cannot end what the launch left behind", "gen", gen, "err", err)
	}
}

// drain asks a launch over IPC to drain, and says whether it could be asked. A program that does not know how to drain has
// to be signalled at once: it drains by itself, or not at all.
func (c control) drain(l *launch) bool {
	if !l.app.RunsNode() {
		return false
	}
	err := c.message(l.gen, node.Drain)
	if err != nil {
		c.log.Warn("cannot ask the old process to drain", "gen", l.gen, "err", err)
	}
	return err == nil
}

// accept lets a successor take connections from the socket that it shares.
func (c control) accept(l *launch) {
	if !l.app.RunsNode() || !l.app.HoldsSockets() {
		return
	}
	if err := c.message(l.gen, node.Accept); err != nil {
		c.log.Warn("cannot tell the new process to accept", "gen", l.gen, "err", err)
	}
}

// release lets the keeper close held sockets of the instance.
func (c control) release(what keeper.ReleaseReq) {
	what.App, what.Instance = c.app, c.instance
	if err := c.keeper.Release(c.ctx, what); err != nil && c.ctx.Err() == nil {
		c.log.Warn("cannot close held sockets", "before", what.Before, "only", what.Only, "err", err)
	}
}

// connect connects to a launch itself, at an address that it listens on.
func (c control) connect(ctx context.Context, gen int64, at keeper.Address) (net.Conn, error) {
	return c.keeper.Connect(ctx, keeper.ConnectReq{Key: c.key(gen), Address: at})
}

func (c control) message(gen int64, text string) error {
	return c.keeper.Signal(c.ctx, keeper.SignalReq{Key: c.key(gen), Message: text})
}
