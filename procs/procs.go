// Package procs supervises the stack's processes. The whole policy is Machine.Step, a pure function; one goroutine per
// instance feeds it and carries out its effects through the keeper. It promises that no instance ever runs twice, that no
// descendant of a stopped or crashed process survives, and that every exit is counted once, also across a kill -9 of
// the daemon.
package procs

import (
	"time"

	"devstack/probe"
)

// State is a process's status in PM2's words, plus Waiting.
type State string

// The states. Waiting (a dependency's gate is closed) is devstack's own.
const (
	Stopped        State = "stopped"
	Waiting        State = "waiting"
	Launching      State = "launching"
	Online         State = "online"
	Stopping       State = "stopping"
	WaitingRestart State = "waiting restart"
	Errored        State = "errored"
)

// Reason is why a launch ended.
type Reason string

// The reasons.
const (
	Crash    Reason = "crash"    // by itself
	Manual   Reason = "manual"   // somebody asked for it, or the definition changed
	Watch    Reason = "watch"    // a watched file changed
	Memory   Reason = "memory"   // it exceeded max_memory_restart
	Cron     Reason = "cron"     // cron_restart was due
	Liveness Reason = "liveness" // its healthcheck failed too often
)

// Restarts counts restarts by cause, since the last up that changed the definition.
type Restarts struct {
	Crash    int `json:"crash"`
	Manual   int `json:"manual"`
	Watch    int `json:"watch"`
	Memory   int `json:"memory"`
	Cron     int `json:"cron"`
	Liveness int `json:"liveness"`
}

// Total is the number of restarts of any cause.
func (r Restarts) Total() int { return r.Crash + r.Manual + r.Watch + r.Memory + r.Cron + r.Liveness }

func (r Restarts) plus(why Reason) Restarts {
	switch why {
	case Crash:
		r.Crash++
	case Manual:
		r.Manual++
	case Watch:
		r.Watch++
	case Memory:
		r.Memory++
	case Cron:
		r.Cron++
	case Liveness:
		r.Liveness++
	}
	return r
}

// Process is a snapshot of one instance.
type Process struct {
	ID            int
	App           string
	Namespace     string
	Instance      int
	ExecMode      string // fork, cluster
	Leaving       bool   // no longer wanted: it is gone as soon as it has ended
	Pid           int    // 0: none
	State         State
	Ready         bool
	ReadyBy       string // ipc, healthcheck, listening, uptime, exit
	Watching      bool
	Restarts      int // of any cause since the last up that changed it
	RestartsBy    Restarts
	Unstable      int // unstable exits in a row
	StartedAt     time.Time
	Memory        int64   // bytes, whole tree; -1 unknown
	CPU           float64 // percent of one core, whole tree; -1 unknown
	Children      []int
	WaitingFor    []string
	Exits         []Exit        // newest last, at most 20
	Probes        []ProbeRecord // newest last, at most 5
	NextRestartAt time.Time     // zero: none pending
	Generation    int64
	LastError     string // why the last launch could not even start
	Late          bool   // launching for longer than listen_timeout
	Ports         []Port // listened on, whole tree; only filled by SnapshotWithPorts
	Listening     []Port // of these, what outlives the launch, as it was asked for: an empty host is every address

	// A reload under way, or how the last one went.
	Overlaps  bool      // it would run the new launch beside the old one
	Newest    int64     // the highest generation so far
	Heir      *Beside   // the successor; nil: none
	Retiring  *Beside   // on its way out: replaced, or a successor that failed; nil: none
	Rejected  Rejection // zero: the last reload did not fail
	HeirError string    // why the last successor could not even start
}

// Beside is a launch next to the one that serves.
type Beside struct {
	Generation int64
	Pid        int // 0: not launched yet
	Ready      bool
}

// Port is an address that a process listens on. Host is an IP; 0.0.0.0 and :: mean every one.
type Port struct {
	Host string
	Port int
}

// Exit is how one launch ended. Code is -1 after a death by signal and when the status is unknown.
type Exit struct {
	Code      int           `json:"code"`
	Signal    int           `json:"signal"`
	Unknown   bool          `json:"unknown"`
	Reason    Reason        `json:"reason"`
	Cause     string        `json:"cause"` // of the stop, in words; empty after a crash
	At        time.Time     `json:"at"`
	Uptime    time.Duration `json:"uptime"`
	LastLines []string      `json:"last_lines"`
}

// ProbeRecord is one readiness probe.
type ProbeRecord struct {
	At time.Time
	probe.Result
}

// NoticeKind says what a Notice is about.
type NoticeKind string

// Every kind of notice.
const (
	NoticeProcess NoticeKind = "process" // From and To are states
	NoticeReady   NoticeKind = "ready"   // To: ready, not ready
	NoticeReload  NoticeKind = "reload"  // To: how far a launch beside the one that serves has come; Message: its pid
	NoticeWarning NoticeKind = "warning" // Message says what
)

// Notice is a change of one process, for the daemon to publish and to re-judge its gates.
type Notice struct {
	App      string
	Instance int
	Kind     NoticeKind
	From     string
	To       string
	Cause    string
	Message  string
}
