package infra

import (
	"context"
	"errors"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/probe"
	"devstack/view"
)

// ErrNotFound is what a Driver returns for a container that does not exist (any more).
var ErrNotFound = errors.New("no such container")

// Driver does what a Plan says, one engine call per method, and decides nothing.
type Driver interface {
	// Name is what the Driver of a service says.
	Name() string
	// Object is what this driver runs a service in, in words for people: container, server.
	Object() string
	// Check names everything in p that this driver cannot do, each an *Error (Unsupported), joined; nil: nothing.
	Check(p *types.Project) error
	// Warnings are what p asks for and this driver does otherwise, a sentence each, for people.
	Warnings(p *types.Project) []string
	// Observe is everything that planning needs, in one go. p may be nil: then only what carries the project's labels.
	Observe(ctx context.Context, project string, p *types.Project) (Observed, error)
	// Inspect is one container, or ErrNotFound.
	Inspect(ctx context.Context, id string) (Container, error)
	// Stats is what one running container consumes, at once.
	Stats(ctx context.Context, id string) (Stats, error)

	Pull(ctx context.Context, s types.ServiceConfig, progress func(current, total int64)) error
	CreateNetwork(ctx context.Context, p *types.Project, key string) (id string, err error)
	RemoveNetwork(ctx context.Context, id string) error
	// Connect attaches a container of s to one of its networks, with the aliases and addresses of the Compose file.
	Connect(ctx context.Context, p *types.Project, s types.ServiceConfig, key, network, container string) error
	Disconnect(ctx context.Context, network, container string) error
	CreateVolume(ctx context.Context, p *types.Project, key string) error
	RemoveVolume(ctx context.Context, name string) error

	CreateContainer(ctx context.Context, c Create) (id string, err error)
	// StartContainer starts, or unpauses.
	StartContainer(ctx context.Context, id string) error
	// StopContainer sends the stop signal and, after the grace period, SIGKILL. A stopped or absent one is no error.
	StopContainer(ctx context.Context, id string) error
	// RemoveContainer kills it if it runs. Its anonymous volumes go with it when asked, named ones never.
	RemoveContainer(ctx context.Context, id string, anonymousVolumes bool) error
	RenameContainer(ctx context.Context, id, name string) error

	// Exec runs argv in a running container and returns when it has ended, as a probe.Run. While a command that could not be
	// ended still runs there, it begins no other one.
	Exec(ctx context.Context, id string, argv []string) (probe.Execution, error)
	// Events are the project's container events from since on, oldest first. With until they end there; without, the
	// channel closes when the engine goes away or ctx ends.
	Events(ctx context.Context, project string, since, until time.Time) (<-chan EngineEvent, error)
	// Logs are the lines of one container; the channel closes at their end.
	Logs(ctx context.Context, id string, o LogOptions) (<-chan LogLine, error)
	Close() error
}

// Observed is one look at the engine.
type Observed struct {
	Containers []Container          // that carry the project's labels
	Others     []Other              // all other containers
	Networks   map[string][]Network // by name: those that p names, and all of the project
	Volumes    map[string]Volume    // by name: likewise
	Images     map[string]Image     // by the Compose file's reference; absent ones are not in it
}

// Container is one container of the project.
type Container struct {
	ID         string
	Name       string
	Service    string
	Labels     map[string]string
	Image      string
	State      string // Docker's word
	ExitCode   int
	OOMKilled  bool
	StartedAt  time.Time
	FinishedAt time.Time
	Restarts   int // by the engine

	EngineHealth string   // Docker's word, or none
	HealthOutput string   // of the last check
	HealthTest   []string // the effective healthcheck: CMD or CMD-SHELL and its words; empty: none
	HealthWait   time.Duration
	Shell        []string // for CMD-SHELL

	Env        []string
	Argv       []string // entrypoint and command
	StopSignal string
	Tty        bool
	Policy     string // restart policy

	Ports    []view.PublishedPort
	Networks map[string]string // name -> ID; an empty ID means not attached yet
	Mounts   []Mount
	Data     string // where the data are, for people; empty: in the container or in Mounts
	// SameConfig says that the effective configuration equals what the Compose file asks for. It is looked at only where the
	// hash differs and another version of Compose made the container.
	SameConfig bool
}

// Stats is one sample of what a container consumes.
type Stats struct {
	At     time.Time     // by the engine's clock
	Memory int64         // bytes without the page cache that can be dropped, as docker stats shows it; -1 unknown
	CPU    time.Duration // spent on all cores since the container's start
}

// Mount is one volume mount of a container.
type Mount struct {
	Volume string // name
	Target string
}

// Other is a container that is not of the project.
type Other struct {
	ID      string
	Name    string
	Project string // Compose project; empty: none
	State   string
	Ports   []view.PublishedPort
}

// Network is one network of the engine.
type Network struct {
	ID     string
	Name   string
	Labels map[string]string
}

// Volume is one named volume of the engine.
type Volume struct {
	Name   string
	Labels map[string]string
}

// Image is one local image.
type Image struct {
	ID          string // as Compose labels it
	TaggedAt    time.Time
	Healthcheck bool // it brings one
}

// Create is what CreateContainer needs beside the Compose file.
type Create struct {
	Project  *types.Project
	Service  types.ServiceConfig
	Name     string
	ImageID  string
	Networks map[string]string // key in the Compose file -> ID
	// Replaces is the container whose anonymous volumes go over; may be nil.
	Replaces *Container
}

// EngineEvent is one event of a container.
type EngineEvent struct {
	At        time.Time
	Container string
	Service   string
	Action    string // start, kill, die, stop, oom, destroy, pause, unpause, health_status: healthy, ...
	Signal    string // of kill: a number, as Docker says it
	ExitCode  int    // of die
}

// LogOptions says which lines.
type LogOptions struct {
	Tail   int // the last lines; -1: all
	Since  time.Time
	Follow bool
}

// LogLine is one line of a container, without its end.
type LogLine struct {
	Time   time.Time
	Stream string // stdout, stderr
	Text   string
}
