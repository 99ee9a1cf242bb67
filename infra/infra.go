// Package infra keeps containers as the Compose file wants them: it observes once, plans purely, executes in
// dependency order, opens a gate per service when the service really answers, repairs what dies by itself, and leaves
// alone what somebody stopped. It promises to touch only containers, networks and volumes that carry the project's
// Compose labels, and never to remove a volume unless asked.
package infra

import (
	"time"

	"devstack/probe"
)

// Health is devstack's own verdict, in Docker's words plus stopped.
type Health string

// The verdicts.
const (
	Starting  Health = "starting"
	Healthy   Health = "healthy"
	Unhealthy Health = "unhealthy"
	Stopped   Health = "stopped"
)

// Service is all that is known about one container of the stack.
type Service struct {
	Name          string
	ContainerName string
	Driver        string // docker
	Image         string
	ID            string    // empty when absent
	State         string    // Docker's word, or absent
	StoppedBy     string    // devstack, other, or empty
	StoppedAt     time.Time // when others stopped it, as far as known
	Health        Health
	EngineHealth  string // Docker's word, or none
	Ready         bool
	Detail        string // why it is not ready, in words for people
	Ports         []Port
	Restarts      int
	// RepairAttempts counts attempts to bring it back, and deaths soon after one, in a row.
	RepairAttempts int
	StartedAt      time.Time // zero when never started
	Memory         int64     // bytes; -1 unknown: it does not run, or nobody looks, see Watched
	CPU            float64   // percent of one core since the last sample; -1 unknown
	DependsOn      []Dependency
	Volumes        []string
	Networks       []string
	Probes         []ProbeRecord // newest last, at most 5
	Exits          []Exit        // newest last, at most 20
}

// Port is one published port.
type Port struct {
	HostIP        string
	HostPort      int
	ContainerPort int
	Protocol      string
}

// Dependency is one edge between services.
type Dependency struct {
	Name      string
	Condition string
}

// ProbeRecord is one look at a service.
type ProbeRecord struct {
	At time.Time
	probe.Result
}

// Exit is one death of a container.
type Exit struct {
	Code      int // -1: nobody knows
	OOM       bool
	By        string // devstack, other, or empty when nobody asked for it
	At        time.Time
	Uptime    time.Duration
	LastLines []string
}

// began is when the container had started.
func (e Exit) began() time.Time { return e.At.Add(-e.Uptime) }

// Event is a change of one service, for the daemon to publish. Kind: service (From, To are states or health), ready (To:
// ready or not ready), op (a step of the plan: To started, done or failed), pull (Current of Total bytes), warning.
type Event struct {
	Service string
	Kind    string
	From    string
	To      string
	Cause   string
	Message string
	Current int64
	Total   int64
}

// ErrorKind tells the daemon which exit code an Error deserves.
type ErrorKind string

// The kinds of errors.
const (
	NoEngine    ErrorKind = "no engine"   // none answers, or it is remote
	Unsupported ErrorKind = "unsupported" // the Compose file asks for what devstack cannot do
	PortTaken   ErrorKind = "port taken"
	NoImage     ErrorKind = "no image"
	Conflict    ErrorKind = "conflict" // a name belongs to somebody else
	Failed      ErrorKind = "failed"   // the engine refused or the service cannot get healthy
)

// Error is a refusal or a failure with the next step.
type Error struct {
	Kind    ErrorKind
	Service string // may be empty
	Message string
	Hint    string
}

func (e *Error) Error() string { return e.Message }
