package procs

import (
	"slices"
	"syscall"
	"time"

	"devstack/probe"
	"devstack/view"
)

// Event is something that happened to an instance. Those about a launch carry its generation (Gen).
type Event interface{ generation() int64 }

// What people and the stack ask for.
type (
	Start   struct{} // run, if it does not
	Stop    struct{} // do not run
	Leave   struct{} // the same; others serve on its socket, so it answers whom it has accepted first
	Restart struct{} // run anew; runs also what was stopped
	Reload  struct{} // run anew, the new one beside the old one where both can serve
	Changed struct{} // the definition is another: run anew what runs, with all counters at zero
	Reset   struct{} // all counters at zero, nothing else
	Gate    struct{ Open bool }

	FileChanged struct{} // a watched file has changed: run anew, unless somebody has stopped it
	CronDue     struct{} // cron_restart: the same, but what is about to come back by itself is left alone
)

// What a launch does.
type (
	Exited struct {
		Gen     int64
		Code    int // -1 after a death by signal and when the status is unknown
		Signal  int
		Unknown bool
		Uptime  time.Duration
	}
	LaunchFailed struct {
		Gen       int64
		Permanent bool // trying again cannot help: no such file, not executable
	}
	// Ready means: what its readiness is to rest on has come about. One that is ready may become so again by something better.
	Ready struct {
		Gen   int64
		By    probe.Kind
		After time.Duration // its launch
	}
	Listening      struct{ Gen int64 } // it listens on a socket that outlives it
	Drained        struct{ Gen int64 } // asked to drain, it has answered everybody
	Unhealthy      struct{ Gen int64 } // the healthcheck failed too often after it had been ready
	MemoryExceeded struct{ Gen int64 }
	Elapsed        struct {
		Gen   int64
		Timer Timer
	}
)

func (Start) generation() int64            { return 0 }
func (Stop) generation() int64             { return 0 }
func (Leave) generation() int64            { return 0 }
func (Restart) generation() int64          { return 0 }
func (Reload) generation() int64           { return 0 }
func (Changed) generation() int64          { return 0 }
func (Reset) generation() int64            { return 0 }
func (Gate) generation() int64             { return 0 }
func (FileChanged) generation() int64      { return 0 }
func (CronDue) generation() int64          { return 0 }
func (e Exited) generation() int64         { return e.Gen }
func (e LaunchFailed) generation() int64   { return e.Gen }
func (e Ready) generation() int64          { return e.Gen }
func (e Listening) generation() int64      { return e.Gen }
func (e Drained) generation() int64        { return e.Gen }
func (e Unhealthy) generation() int64      { return e.Gen }
func (e MemoryExceeded) generation() int64 { return e.Gen }
func (e Elapsed) generation() int64        { return e.Gen }

func (e Exited) succeeded() bool { return e.Code == 0 && e.Signal == 0 && !e.Unknown }

// killed says that it did not die of its own: somebody has sent it a signal that ends programs.
func (e Exited) killed() bool {
	return slices.Contains([]syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT}, syscall.Signal(e.Signal))
}

// reason is why a launch ended that was not asked to.
func (e Exited) reason() view.Reason {
	if e.succeeded() {
		return view.Exited
	}
	return view.Crash
}

// Timer is what a launch's one timer is set for.
type Timer string

// The timers. A state has at most one of them.
const (
	ListenTimer  Timer = "listen_timeout" // launching: report that it is late
	KillTimer    Timer = "kill_timeout"   // stopping: SIGKILL
	DrainTimer   Timer = "drain"          // retired or leaving: kill_signal, whoever is still connected
	SettleTimer  Timer = "settle"         // heir: take over
	RestartTimer Timer = "restart_delay"  // waiting restart: launch
)

// Effect is something to do; the supervisor does the effects of a step in order.
type Effect interface{ effect() }

// Every effect.
type (
	Launch struct{ Gen int64 }
	// Signal goes to the launch's process group; with Shutdown the IPC message "shutdown" goes instead.
	Signal struct {
		Gen      int64
		Signal   syscall.Signal
		Shutdown bool
	}
	// KillTree ends whatever descends from a launch that has exited, before anything else happens.
	KillTree struct{ Gen int64 }
	// Drain asks a launch to accept nothing any more and to say when it has answered everybody.
	Drain struct{ Gen int64 }
	// Promote: this launch is the one that serves from now on.
	Promote struct{ Gen int64 }
	// SetTimer replaces the launch's timer. The supervisor may vary After a little if Jitter is set, so that processes which
	// crashed together do not come back together.
	SetTimer struct {
		Gen    int64
		Timer  Timer
		After  time.Duration
		Jitter bool
	}
	StopTimer struct{ Gen int64 }
	// Record puts an exit into the history.
	Record struct {
		Exit   Exited
		Reason view.Reason
		Ready  bool // it was ready when it exited
		Beside bool // of a launch beside the one that serves
		Closed bool // nobody had asked for it, and a dependency was not as far as it must be
	}
)

func (Launch) effect()    {}
func (Signal) effect()    {}
func (KillTree) effect()  {}
func (Drain) effect()     {}
func (Promote) effect()   {}
func (SetTimer) effect()  {}
func (StopTimer) effect() {}
func (Record) effect()    {}
