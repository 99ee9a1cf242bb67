package keeper

import (
	"time"

	"devstack/procs/keeper/protocol"
)

// orderlyTime is how long a daemon may take, at least, to stop what runs in its order.
const orderlyTime = time.Minute

// askedToEnd is the answer to SIGTERM and SIGINT. The first one lets the daemon stop what runs in order, dependents
// first. A daemon that cannot, dies meanwhile or takes too long leaves that to the keeper, which ends everything at once;
// so does the second signal. Each further one halves what is left of the grace times.
func (k *keeper) askedToEnd() {
	k.mu.Lock()
	s, limit := k.session, orderlyTime
	for _, l := range k.launches {
		limit = max(limit, l.grace.Timeout+10*time.Second)
	}
	orderly := !k.signalled && !k.ending && s != nil && s.orderly.Load()
	k.signalled = true
	k.mu.Unlock()
	if !orderly {
		if !k.shutdown(nil) {
			k.hurryUp()
		}
		return
	}
	k.tellStopping(limit)
	s.out.add(&protocol.Message{Verb: protocol.End})
	k.working.Go(func() {
		select {
		case <-s.ended:
		case <-time.After(limit):
			k.log.Warn("the daemon does not get done", "daemon", s.pid)
		case <-k.finished:
		}
		k.shutdown(nil)
	})
}
