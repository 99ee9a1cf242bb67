package daemon

import (
	"context"
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
	req, ok := decode[api.UpgradeRequest](w, r)
	if !ok {
		return
	}
	answer, refused := (&upgrade{d: s.d, req: req}).run(r.Context())
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
type upgrade struct {
	d   *Daemon
	req api.UpgradeRequest
}

func (u *upgrade) run(ctx context.Context) (*api.Upgraded, *api.Error) {
	if u.req.Timeout <= 0 {
		u.req.Timeout = defaultPatience
	}
	ctx, cancel := context.WithTimeout(ctx, u.req.Timeout)
	defer cancel()
	if refused := u.begin(ctx); refused != nil {
		return nil, refused
	}
	// A client that leaves now changes nothing any more.
	err := u.d.keeper.Exec(u.d.ctx, keeper.ExecReq{Self: u.req.Keeper, Daemon: append([]string{u.req.Daemon}, os.Args[1:]...)})
	answer := &api.Upgraded{KeeperPid: u.d.home.Pid, Keeper: err == nil}
	if errors.Is(err, syscall.ENOTSUP) {
		answer.Why = err.Error() // the keeper starts the daemon that it knows when this one has left
	} else if err != nil {
		u.giveUp()
		u.d.turn.end()
		return nil, &api.Error{Exit: api.ExitEnvironment, Message: err.Error(), Hint: "nothing has changed; install both executables anew: devstack version"}
	}
	u.d.log.Info("this daemon is replaced", "keeper", u.req.Keeper, "daemon", u.req.Daemon)
	return answer, nil
}

// errReplaced is the answer to everything that the next daemon is to carry out.
var errReplaced = &api.Error{Exit: api.ExitNotRunning, Message: "the daemon is being replaced", Hint: "try again in a moment"}

// begin returns when no command is under way and none begins any more; it has the turn then.
func (u *upgrade) begin(ctx context.Context) *api.Error {
	for {
		changed := u.d.changed.next()
		u.d.mu.Lock()
		refused := u.d.gone || u.d.replacing
		alone := u.d.answering == 0
		u.d.replacing = u.d.replacing || alone && !u.d.gone
		u.d.mu.Unlock()
		switch {
		case refused:
			return errReplaced
		case alone && u.d.turn.take(ctx) == nil:
			return nil
		case alone:
			u.giveUp()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return &api.Error{Exit: api.ExitTimeout, Message: "cannot replace the daemon: another command is still running", Hint: "try again when it has ended, or give it longer: --timeout"}
		}
	}
}

func (u *upgrade) giveUp() {
	u.d.mu.Lock()
	defer u.d.mu.Unlock()
	u.d.replacing = false
}

// refuseReplaced lets a client ask again: the next daemon answers in a moment.
func refuseReplaced(w http.ResponseWriter) {
	w.Header().Set(api.AskAgain, "0")
	refuse(w, http.StatusServiceUnavailable, errReplaced)
}
