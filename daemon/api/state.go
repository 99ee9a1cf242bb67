package api

import "time"

// State is GET /v1/state and the shape of `ps --json`.
type State struct {
	Project   string    `json:"project"`
	Profile   string    `json:"profile"`
	Infra     string    `json:"infra"`  // docker, native or none
	Daemon    *Daemon   `json:"daemon"` // null when no daemon runs
	Services  []Service `json:"services"`
	Processes []Process `json:"processes"`
}

// Daemon identifies the answering daemon.
type Daemon struct {
	Pid     int    `json:"pid"`
	Version string `json:"version"`
}

// Service is one service of the stack: a container or, natively, a server of the host.
type Service struct {
	Name         string        `json:"name"`
	Driver       string        `json:"driver"`
	Image        string        `json:"image"`
	ID           *string       `json:"id"`            // null when absent
	State        string        `json:"state"`         // Docker's word, or absent
	StoppedBy    *string       `json:"stopped_by"`    // devstack, other, or null
	Health       string        `json:"health"`        // devstack's verdict: healthy, starting, unhealthy, stopped
	EngineHealth string        `json:"engine_health"` // Docker's word, or none
	Ready        bool          `json:"ready"`
	Ports        []ServicePort `json:"ports"`
	Restarts     int           `json:"restarts"`
	StartedAt    *time.Time    `json:"started_at"`
	MemoryBytes  *int64        `json:"memory_bytes"` // null until it is sampled, which begins with the first look
	CPUPercent   *float64      `json:"cpu_percent"`  // of one core; null until the second sample
}

// ServicePort is one published port.
type ServicePort struct {
	HostIP        string `json:"host_ip"`
	HostPort      int    `json:"host_port"`
	ContainerPort int    `json:"container_port"`
	Protocol      string `json:"protocol"`
}

// Process is one instance of an app.
type Process struct {
	Name             string        `json:"name"`
	Namespace        string        `json:"namespace"`
	Instance         int           `json:"instance"`
	ID               int           `json:"id"` // stable; never reused within a stack's life
	Pid              *int          `json:"pid"`
	Status           string        `json:"status"` // launching, online, stopping, stopped, errored, waiting restart, waiting
	Ready            bool          `json:"ready"`
	ReadyBy          *string       `json:"ready_by"` // ipc, healthcheck, listening, uptime, exit: how readiness is judged
	ExecMode         string        `json:"exec_mode"`
	Restarts         int           `json:"restarts"`
	UnstableRestarts int           `json:"unstable_restarts"`
	UptimeMS         *int64        `json:"uptime_ms"`
	StartedAt        *time.Time    `json:"started_at"`
	MemoryBytes      *int64        `json:"memory_bytes"` // of the whole process tree
	CPUPercent       *float64      `json:"cpu_percent"`  // of one core, whole tree
	Ports            []ProcessPort `json:"ports"`
	Watching         bool          `json:"watching"`
	WaitingFor       []string      `json:"waiting_for"` // names of the dependencies whose gate is closed
	Exit             *Exit         `json:"exit"`        // the last one
}

// ProcessPort is a port that a process listens on.
type ProcessPort struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

// Exit is how a launch ended. Code is null after a death by signal and when the status could not be had.
type Exit struct {
	Code   *int      `json:"code"`
	Signal *string   `json:"signal"` // SIGKILL
	Reason string    `json:"reason"` // crash, manual, watch, memory, cron, liveness
	At     time.Time `json:"at"`
}

// Description is GET /v1/describe/{name}: everything known about an app or a service; exactly one part is set.
type Description struct {
	Project string           `json:"project"`
	Process []ProcessDetails `json:"processes"`
	Service *ServiceDetails  `json:"service"`
}

// ProcessDetails is an instance with its definition and history.
type ProcessDetails struct {
	Process
	Command        []string          `json:"command"` // secrets masked
	Cwd            string            `json:"cwd"`
	Environment    []EnvironmentItem `json:"environment"` // declared keys only, secrets masked
	OutFile        string            `json:"out_file"`
	ErrorFile      string            `json:"error_file"`
	LogFile        string            `json:"log_file"`
	DependsOn      []DependsOn       `json:"depends_on"`
	Children       []int             `json:"children"` // pids of the tree below Pid
	Exits          []ExitRecord      `json:"exits"`    // newest last, at most 20
	Probes         []ProbeRecord     `json:"probes"`   // newest last, at most 5
	NextRestartAt  *time.Time        `json:"next_restart_at"`
	CronRestart    *string           `json:"cron_restart"`
	NextCronAt     *time.Time        `json:"next_cron_restart_at"`
	MaxMemoryBytes *int64            `json:"max_memory_bytes"`
	MaxRestarts    int               `json:"max_restarts"`
	Generation     int64             `json:"generation"`
	RestartsBy     RestartsBy        `json:"restarts_by_cause"`
	Held           []ProcessPort     `json:"held"`         // of what it listens on, what outlives it; the host * is every address
	Successor      *Successor        `json:"successor"`    // during a reload: the launch that is to replace it
	RetiringPid    *int              `json:"retiring_pid"` // during a reload: the launch that it has replaced, and that ends
}

// Successor is a launch beside the one that it replaces as soon as it is ready and stays so.
type Successor struct {
	Pid   *int `json:"pid"` // null: about to be launched
	Ready bool `json:"ready"`
}

// RestartsBy counts an instance's restarts by cause; restarts is their sum.
type RestartsBy struct {
	Crash    int `json:"crash"`
	Manual   int `json:"manual"`
	Watch    int `json:"watch"`
	Memory   int `json:"memory"`
	Cron     int `json:"cron"`
	Liveness int `json:"liveness"`
}

// ServiceDetails is a container with its definition and history.
type ServiceDetails struct {
	Service
	ContainerName string        `json:"container_name"`
	DependsOn     []DependsOn   `json:"depends_on"`
	Probes        []ProbeRecord `json:"probes"`
	Exits         []ExitRecord  `json:"exits"`
	Volumes       []string      `json:"volumes"`
	Networks      []string      `json:"networks"`
	Detail        string        `json:"detail"` // why it is in this state, in one sentence
}

// EnvironmentItem is one variable and where its value comes from.
type EnvironmentItem struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"` // port, shell, env, env_file: PATH, .env, instance
}

// ProcessEnvironment is an element of GET /v1/env/{name}: every variable that a launch would get.
type ProcessEnvironment struct {
	Name        string            `json:"name"`
	Instance    int               `json:"instance"`
	ID          int               `json:"id"`
	Environment []EnvironmentItem `json:"environment"` // sorted by key; secrets masked unless ?show_secrets=true
}

// DependsOn is one edge of the graph.
type DependsOn struct {
	Name      string `json:"name"`
	Condition string `json:"condition"`
	Open      bool   `json:"open"`
}

// ExitRecord is one exit with the evidence.
type ExitRecord struct {
	Exit
	Cause     *string  `json:"cause"` // of a stop, in words: "watch: src/server.js changed"; null after a crash
	UptimeMS  int64    `json:"uptime_ms"`
	LastLines []string `json:"last_lines"`
}

// ProbeRecord is one readiness probe.
type ProbeRecord struct {
	At     time.Time `json:"at"`
	Ready  bool      `json:"ready"`
	Detail string    `json:"detail"`
}
