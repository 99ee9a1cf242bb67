package prod

import (
	"time"

	"devstack/stack"
)

// Model is a stack's production form, for any target. Its lists are in the order of ecosystem.yaml, or sorted by name
// where they are not from there; none is nil.
type Model struct {
	Name      string     `json:"name"`   // a DNS label: the stack's name
	Source    string     `json:"source"` // ecosystem.yaml's name, for messages
	Build     Build      `json:"build"`
	Workloads []Workload `json:"workloads"` // one per app, in file order
	Backing   []Backing  `json:"backing"`   // redis, postgres and what else the Compose file has, by name
}

// Build is how the images of all workloads are made: one build of one context.
type Build struct {
	Context string   `json:"context"` // the workspace, relative to ecosystem.yaml's directory, with slashes; "." is that directory
	Command []string `json:"command"` // the stack's build command, run in Context; empty: none
}

// Kind says how a workload lives.
type Kind string

// The kinds of workloads.
const (
	Service Kind = "service" // runs until it is stopped; restarted when it ends
	Job     Kind = "job"     // runs once per deployment, to its end (one_shot)
	Cron    Kind = "cron"    // runs to its end at the times of Schedule
)

// Workload is one app.
type Workload struct {
	Name string `json:"name"` // a DNS label of at most 40 characters, unique in the model; what other workloads reach it by
	App  string `json:"app"`  // its name in ecosystem.yaml, for the report and for labels
	Kind Kind   `json:"kind"`

	Image   Image    `json:"image"`
	Command []string `json:"command"`     // the whole argv, the image's ENTRYPOINT and CMD replaced; no shell unless the app asked for one
	WorkDir string   `json:"working_dir"` // absolute, inside the image
	Runtime string   `json:"runtime"`     // the program that the image must bring: node, bun, python3, npm, sh ...; empty: Command[0] is in the project
	User    int      `json:"user"`        // uid and gid, never 0

	Config  []Variable `json:"config"`  // plain values, sorted by name; PORT, NODE_ENV and NODE_OPTIONS among them
	Secrets []Secret   `json:"secrets"` // names whose values come from outside, sorted; disjoint from Config

	Ports []Port `json:"ports"` // at most one: the app's `port`
	Probe *Probe `json:"probe"` // nil: nothing tells whether it works but that it runs
	Stop  Stop   `json:"stop"`

	Memory    Memory `json:"memory"`
	CPUMillis int    `json:"cpu_millis"` // thousandths of a processor, requested

	Replicas  int      `json:"replicas"`  // 0: autostart: false, exists and is not started
	Singleton bool     `json:"singleton"` // two must never run at the same time: an update stops the old one first
	Restart   Restart  `json:"restart"`
	Schedule  Schedule `json:"schedule"` // of a Cron

	Edges []Edge `json:"edges"` // in the order of depends_on
	Logs  Logs   `json:"logs"`
}

// Image is how a workload's image is named. Reference is used where it is not empty, otherwise the target leaves a place
// for it: a required variable in Compose and ECS parameters, an `images` entry of an overlay in Kubernetes.
type Image struct {
	Repository string `json:"repository"` // MODEL/WORKLOAD, without registry and tag
	Reference  string `json:"reference"`  // as given in Options.Images, with its digest; may be empty
	Variable   string `json:"variable"`   // name of the variable that stands for the reference: ORCHESTRATOR_IMAGE
}

// Variable is one plain environment variable. Its value is byte-exact: nothing in it is escaped.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Secret is an environment variable whose value the definition never holds. Why it is one is in Reason; also plain
// settings without a value in the files are here, because a store is where a value can be given.
type Secret struct {
	Name   string `json:"name"`
	Reason Reason `json:"reason"`
}

// Reason is why a variable's value is not in the model.
type Reason string

// The reasons.
const (
	SoundsSecret Reason = "sounds like a secret"       // by stack's rule of names
	LooksSecret  Reason = "has a password in it"       // a URL with a password, a key or a token as the value
	Required     Reason = "required_env"               // must be set, and no file gives a value
	Unset        Reason = "declared without a value"   // NAME: in env
	FromOutside  Reason = "set by the caller's shell"  // the shell or .env: not this file's to give
	Interpolates Reason = "interpolates what is unset" // ${NAME} without a default
)

// Port is what a workload listens on.
type Port struct {
	Name     string `json:"name"` // http, or tcp when nothing says that HTTP is spoken
	Number   int    `json:"number"`
	Protocol string `json:"protocol"` // tcp
}

// ProbeKind is how a probe asks.
type ProbeKind string

// The kinds of probes. A log_line has no counterpart in any engine and is in the Report alone.
const (
	HTTP ProbeKind = "http"
	TCP  ProbeKind = "tcp"
	Exec ProbeKind = "exec"
)

// Probe is an app's healthcheck as devstack runs it. It asks the workload itself, on its loopback address.
type Probe struct {
	Kind    ProbeKind `json:"kind"`
	Scheme  string    `json:"scheme"`  // http or https, of HTTP
	Path    string    `json:"path"`    // with query, of HTTP: an answer of 200 to 399
	Port    int       `json:"port"`    // of HTTP and TCP
	Command []string  `json:"command"` // of Exec: ends with 0; run in WorkDir with the workload's environment

	Interval    time.Duration `json:"interval_ns"`
	Timeout     time.Duration `json:"timeout_ns"`
	Retries     int           `json:"retries"`         // failures in a row, after the first success, until a restart
	StartPeriod time.Duration `json:"start_period_ns"` // how long it may take to the first success; the longer of start_period and listen_timeout
	Derived     bool          `json:"derived"`         // not in the file: the port accepts connections
}

// Stop is how a workload is asked to end.
type Stop struct {
	Signal string        `json:"signal"`   // SIGTERM; images declare it, as not every target can
	Grace  time.Duration `json:"grace_ns"` // until SIGKILL
}

// Memory is in bytes. The limit is max_memory_restart, or DefaultMemory.
type Memory struct {
	Limit       int64 `json:"limit_bytes"`
	Reservation int64 `json:"reservation_bytes"` // what must be free where it is placed: the limit
	HeapMiB     int   `json:"heap_mib"`          // Node's --max-old-space-size, already in Config's NODE_OPTIONS or the app's own; 0: no Node
}

// Restart is what happens when a workload ends by itself.
type Restart string

// The kinds of restarts. The delays and limits are the engine's own.
const (
	Always    Restart = "always"
	OnFailure Restart = "on-failure" // exit code 0 is final: 0 in stop_exit_codes
	Never     Restart = "never"      // autorestart: false, jobs
)

// Schedule is when a Cron runs.
type Schedule struct {
	Expression string `json:"expression"` // five fields of crontab; empty: not a Cron
	Zone       string `json:"zone"`       // of CRON_TZ=; empty: UTC, which production machines have
}

// Edge is one dependency. Within a target that has no order of starting, Wait says what takes its place.
type Edge struct {
	Name      string          `json:"name"`    // a workload's or a backing service's
	Backing   bool            `json:"backing"` // a backing service; false: a workload
	Condition stack.Condition `json:"condition"`
	Wait      Wait            `json:"wait"`
}

// Wait is what a target without ordering does about an edge.
type Wait string

// The ways to wait.
const (
	Retry    Wait = "retry"     // the app starts, fails to connect and tries again, or is restarted until it succeeds
	JobFirst Wait = "job-first" // the job is run to its end before this workload is rolled out
)

// Logs is where the output goes: to stdout and stderr, and so to the engine.
type Logs struct {
	MaxSize  int64 `json:"max_size_bytes"` // of one file, where the engine writes files
	MaxFiles int   `json:"max_files"`
}

// BackingKind is what a backing service speaks.
type BackingKind string

// The kinds of backing services.
const (
	Redis    BackingKind = "redis"
	Postgres BackingKind = "postgres"
	Other    BackingKind = "other"
)

// Backing is a service of compose.yaml. By default it is managed: an endpoint outside of the definitions, reached through
// variables that are secrets. Only Options.Containers makes a container of it.
type Backing struct {
	Name      string      `json:"name"`
	Kind      BackingKind `json:"kind"`
	Image     string      `json:"image"` // as in compose.yaml; its tag says which major version a managed one must have
	Port      int         `json:"port"`  // in the container; 0: none known
	Consumers []string    `json:"consumers"`
	Container *Container  `json:"container"` // nil: managed
}

// Container is a backing service as a container.
type Container struct {
	Entrypoint []string      `json:"entrypoint"` // empty: the image's
	Command    []string      `json:"command"`    // empty: the image's
	User       string        `json:"user"`       // empty: the image's
	Config     []Variable    `json:"config"`
	Secrets    []Secret      `json:"secrets"`
	Volumes    []Volume      `json:"volumes"` // named volumes; bind mounts are refused
	Probe      *Probe        `json:"probe"`   // Exec
	StopSignal string        `json:"stop_signal"`
	StopGrace  time.Duration `json:"stop_grace_ns"`
	Memory     int64         `json:"memory_bytes"` // 0: no limit given
}

// Volume is a named volume that must keep its data.
type Volume struct {
	Name     string `json:"name"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"read_only"`
}

// Options is what a Stack cannot say about production.
type Options struct {
	Workspace  string            // absolute: the directory of the lock file that all images are built from; empty: where the stack's build runs, else the stack's own
	Images     map[string]string // app -> image reference with its digest
	Containers []string          // backing services that are to be containers
}

// The values that no key of ecosystem.yaml gives.
const (
	DefaultMemory    = 512 << 20 // bytes, without max_memory_restart
	DefaultCPUMillis = 250
	DefaultUser      = 10001
	ImageDir         = "/app" // where an image has the workspace
)
