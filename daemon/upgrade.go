package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"syscall"
	"time"

	"devstack/daemon/api"
	keeper "devstack/procs/keeper/protocol"
)

// defaultPatience is how long an upgrade waits for the commands that are under way.
const defaultPatience = time.Minute

// restartDaemon answers POST /v1/daemon/restart: by then the keeper has begun, and this daemon leaves.
func (s *server) restartDaemon(w http.ResponseWriter, r *http.Request) {
	var req api.UpgradeRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req); err != nil {
		refuse(w, http.StatusBadRequest, &api.Error{Exit: api.ExitBug, Message: "cannot read the request: " + err.Error()})
		return
	}
	answer, refused := s.d.upgrade(r.Context(), req)
	switch {
	case refused == errReplaced:
		refuseReplaced(w)
		return
	case refused != nil:
		refuse(w, http.StatusConflict, refused)
		return
	}
	reply(w, answer)
	_ = http.NewResponseController(w).Flush() // before this daemon is gone; so may its client be
	close(s.d.replaced)
}

// upgrade has keeper and daemon replaced, when no command is under way. An error means that everything is as before.
func (d *Daemon) upgrade(ctx context.Context, req api.UpgradeRequest) (*api.Upgraded, *api.Error) {
	if req.Timeout <= 0 {
		req.Timeout = defaultPatience
	}
	ctx, cancel := context.WithTimeout(ctx, req.Timeout)
	defer cancel()
	if refused := d.beginReplacing(ctx); refused != nil {
		return nil, refused
	}
	// A client that leaves now changes nothing any more.
	err := d.keeper.Exec(d.ctx, keeper.ExecReq{Self: req.Keeper, Daemon: append([]string{req.Daemon}, os.Args[1:]...)})
	answer := &api.Upgraded{KeeperPid: d.home.Pid, Keeper: err == nil}
	if errors.Is(err, syscall.ENOTSUP) {
		answer.Why = err.Error() // the keeper starts the daemon that it knows when this one has left
	} else if err != nil {
		d.endReplacing()
		d.endTurn()
		return nil, &api.Error{Exit: api.ExitEnvironment, Message: err.Error(), Hint: "nothing has changed; install both executables anew: devstack version"}
	}
	d.log.Info("this daemon is replaced", "keeper", req.Keeper, "daemon", req.Daemon)
	return answer, nil
}

// errReplaced is the answer to everything that the next daemon is to carry out.
var errReplaced = &api.Error{Exit: api.ExitNotRunning, Message: "the daemon is being replaced", Hint: "try again in a moment"}

// beginReplacing returns when no command is under way and none begins any more; it has the turn then.
func (d *Daemon) beginReplacing(ctx context.Context) *api.Error {
	for {
		changed := d.changed.next()
		d.mu.Lock()
		refused := d.gone || d.replacing
		alone := d.answering == 0
		d.replacing = d.replacing || alone && !d.gone
		d.mu.Unlock()
		switch {
		case refused:
			return errReplaced
		case alone && d.takeTurn(ctx) == nil:
			return nil
		case alone:
			d.endReplacing()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return &api.Error{Exit: api.ExitTimeout, Message: "another command is still under way: nothing was replaced", Hint: "try again when it has ended, or give it longer: --timeout"}
		}
	}
}

func (d *Daemon) endReplacing() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.replacing = false
}

// isReplaced reports whether the next daemon is to answer.
func (d *Daemon) isReplaced() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.replacing
}

// refuseReplaced lets a client ask again: the next daemon answers in a moment.
func refuseReplaced(w http.ResponseWriter) {
	w.Header().Set(api.AskAgain, "0")
	refuse(w, http.StatusServiceUnavailable, errReplaced)
}
