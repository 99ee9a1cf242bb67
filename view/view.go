// Package view is what is seen of a stack: a process, a service, how something ended, what a probe found, what happened. They
// are plain types that the rooms above share, so that nobody translates them: procs and infra fill them, the daemon passes
// them on, daemon/api carries them and the screens show them. It imports the standard library only.
//
// Their JSON is the daemon's contract: fields are added, never renamed or removed; all keys are always present, null where
// nothing applies; lists are never null; units are in the names.
package view

import (
	"encoding/json"
	"time"
)

// Text is a string that is null in JSON while it is empty.
type Text string

// MarshalJSON makes empty null.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}

// Process is one instance of an app, as `ps --json` shows it.
type Process struct {
	Name             string     `json:"name"`
	Namespace        string     `json:"namespace"`
	Instance         int        `json:"instance"`
	ID               int        `json:"id"`  // stable; never reused within a stack's life
	Pid              *int       `json:"pid"` // null while no launch exists
	Status           Status     `json:"status"`
	Ready            bool       `json:"ready"`
	ReadyBy          Text       `json:"ready_by"`  // what Ready rests on, or is to rest on: http 200, listens :3000, ipc, healthcheck, log line, completed, unchecked
	ExecMode         string     `json:"exec_mode"` // fork, cluster
	Restarts         int        `json:"restarts"`  // of any cause since the last up that changed the definition
	UnstableRestarts int        `json:"unstable_restarts"`
	UptimeMS         *int64     `json:"uptime_ms"` // at the moment of the answer
	StartedAt        *time.Time `json:"started_at"`
	MemoryBytes      *int64     `json:"memory_bytes"` // of the whole process tree
	CPUPercent       *float64   `json:"cpu_percent"`  // of one core, whole tree
	Ports            []Address  `json:"ports"`        // that the tree listens on
	Watching         bool       `json:"watching"`
	WaitingFor       []string   `json:"waiting_for"` // names of the dependencies whose gate is closed
	Exit             *Exit      `json:"exit"`        // the last one
}

// Status is where a process is, in PM2's words, plus Waiting and Completed.
type Status string

// Every status. Waiting (a dependency's gate is closed) and Completed (a one_shot has ended with 0) are devstack's own.
const (
	Stopped        Status = "stopped"
	Waiting        Status = "waiting"
	Launching      Status = "launching"
	Online         Status = "online"
	Stopping       Status = "stopping"
	WaitingRestart Status = "waiting restart"
	Errored        Status = "errored"
	Completed      Status = "completed"
)

// Rests says that nothing runs, and that nothing will by itself.
func (s Status) Rests() bool { return s == Stopped || s == Errored || s == Completed }

// Service is one service of the stack: a container or, natively, a server of the host.
type Service struct {
	Name         string          `json:"name"`
	Driver       string          `json:"driver"`
	Image        string          `json:"image"`
	ID           Text            `json:"id"`         // null when absent
	State        string          `json:"state"`      // Docker's word, or absent
	StoppedBy    Text            `json:"stopped_by"` // devstack, other, or null
	Health       Health          `json:"health"`
	EngineHealth string          `json:"engine_health"` // Docker's word, or none
	Ready        bool            `json:"ready"`
	ReadyBy      Text            `json:"ready_by"` // what Ready rests on: PONG, SELECT 1, healthcheck, running, completed …; null until it is known
	Ports        []PublishedPort `json:"ports"`
	Restarts     int             `json:"restarts"`
	StartedAt    *time.Time      `json:"started_at"`
	MemoryBytes  *int64          `json:"memory_bytes"` // null until it is sampled, which begins with the first look
	CPUPercent   *float64        `json:"cpu_percent"`  // of one core; null until the second sample
}

// Health is devstack's own verdict about a service, in Docker's words plus stopped, running and completed.
type Health string

// The verdicts.
const (
	HealthStarting  Health = "starting"
	HealthHealthy   Health = "healthy"   // it has answered
	HealthRunning   Health = "running"   // it runs, and nothing was there to ask
	HealthCompleted Health = "completed" // it was to run once, and ended with 0
	HealthUnchecked Health = "unchecked" // of a process that runs, and nothing was there to ask
	HealthUnhealthy Health = "unhealthy"
	HealthStopped   Health = "stopped"
)

// Absent is the State of a service without a container.
const Absent = "absent"

// Who stopped a service.
const (
	ByDevstack = "devstack"
	ByOther    = "other"
)

// Address is an address that a process listens on. Host is an IP; 0.0.0.0, :: and * mean every one.
type Address struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

// PublishedPort is a port of a service, and where it is found on this machine.
type PublishedPort struct {
	HostIP        string `json:"host_ip"`
	HostPort      int    `json:"host_port"`
	ContainerPort int    `json:"container_port"`
	Protocol      string `json:"protocol"` // tcp, udp
}

// Probe is one look whether something is ready.
type Probe struct {
	At     time.Time `json:"at"`
	Ready  bool      `json:"ready"`
	Detail string    `json:"detail"` // in words for people
}
