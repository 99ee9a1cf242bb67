package infra

import (
	"strconv"
	"strings"
)

// verdict is what follows from the death of a container that devstack did not stop itself.
type verdict string

const (
	engineTurn verdict = "engine"    // the engine restarts it, or has done so
	decided    verdict = "decided"   // somebody wanted it: it stays down
	completed  verdict = "completed" // a one-shot that has done its work
	failed     verdict = "failed"    // a one-shot that has not
	repair     verdict = "repair"    // nobody wanted it: devstack brings it back
)

// death is all that is known when a container has ended.
type death struct {
	Events     []EngineEvent // of this container since its last start
	State      string        // now; absent: it was removed
	ExitCode   int
	StopSignal string // of the container; empty: SIGTERM
	OneShot    bool
}

// judgeDeath reads what happened from the engine's events, which come in these sequences:
//
//	docker stop, compose stop, compose down   kill SIGTERM (or stop_signal), [kill 9 after the grace period], die, stop, [destroy]
//	docker restart                            kill SIGTERM, [kill 9], die, stop, start, restart
//	docker kill -s TERM                       kill SIGTERM, die
//	docker kill                               kill 9, die                 the engine's restart policy does not act on it
//	docker rm -f                              kill 9, die, destroy        and no stop
//	docker rm of a stopped one                destroy
//	kill -9 of its process, a crash           die                         then the engine's restart policy, if there is one
//	out of memory                             oom, die                    likewise
//	a death while the engine itself was down  nothing
//
// A kill with the stop signal or a stop is somebody's decision; with SIGKILL alone it is an accident, unless SIGKILL is the
// stop signal: then only a stop tells.
func judgeDeath(d death) verdict {
	stop := signalNumber(d.StopSignal)
	for _, e := range d.Events {
		if e.Action == "stop" || e.Action == "kill" && stop != 9 && signalNumber(e.Signal) == stop {
			return decided
		}
	}
	switch {
	case d.State == "running" || d.State == "restarting":
		return engineTurn
	case d.OneShot && d.ExitCode == 0:
		return completed
	case d.OneShot:
		return failed
	}
	return repair
}

// signalNumber reads 15, TERM and SIGTERM; empty is SIGTERM.
func signalNumber(s string) int {
	s = strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	switch s {
	case "HUP":
		return 1
	case "INT":
		return 2
	case "QUIT":
		return 3
	case "KILL":
		return 9
	case "USR1":
		return 10
	case "USR2":
		return 12
	case "", "TERM":
		return 15
	case "WINCH":
		return 28
	case "RTMIN+3":
		return 37
	}
	return 0
}
