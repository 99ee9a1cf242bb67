package api

import "time"

// UpRequest is POST /v1/up. The daemon reads the files itself: what the user has on disk now is what runs.
type UpRequest struct {
	Files
	Names       []string      `json:"names"` // empty: everything
	Only        bool          `json:"only"`  // without the dependencies of Names
	Build       bool          `json:"build"`
	DryRun      bool          `json:"dry_run"`
	NoInfra     bool          `json:"no_infra"`
	Infra       string        `json:"infra"`       // auto, docker, native; empty: auto
	Timeout     time.Duration `json:"timeout_ns"`  // 0: 120 s
	Environment []string      `json:"environment"` // the caller's whole environment, KEY=VALUE; memory only
	Resurrect   bool          `json:"resurrect"`   // without Names: leave stopped what was, with the last numbers of instances
}

// Files says which stack is meant.
type Files struct {
	File    string `json:"file"`    // absolute path of ecosystem.yaml
	Project string `json:"project"` // -p; empty: as docker compose finds it
	Profile string `json:"profile"`
}

// Saved is POST /v1/save: what of the running stack outlives it, for a resurrect.
type Saved struct {
	Path    string    `json:"path"`
	SavedAt time.Time `json:"saved_at"`
	Stopped []string  `json:"stopped"` // apps that were stopped or deleted
	// StoppedInstances are those of apps of which others run, by app.
	StoppedInstances map[string][]int `json:"stopped_instances"`
	Started          []string         `json:"started"`   // apps with autostart: false that were started
	Instances        map[string]int   `json:"instances"` // of apps that were scaled
}

// DownRequest is POST /v1/down.
type DownRequest struct {
	Volumes   bool `json:"volumes"`
	KeepInfra bool `json:"keep_infra"`
}

// Verb is what an ActionRequest does.
type Verb string

// Every verb.
const (
	Start   Verb = "start"
	Stop    Verb = "stop"
	Restart Verb = "restart"
	Reload  Verb = "reload" // replaces processes one instance after the other
	Delete  Verb = "delete" // stops apps and takes them out of the running stack
	Reset   Verb = "reset"  // sets counters to zero
	Flush   Verb = "flush"  // empties log files
)

// ActionRequest is POST /v1/{start,stop,restart,reload,delete,reset,flush}.
type ActionRequest struct {
	Names       []string      `json:"names"` // empty: all processes, but not for delete
	Timeout     time.Duration `json:"timeout_ns"`
	Environment []string      `json:"environment"`
}

// ScaleRequest is POST /v1/scale.
type ScaleRequest struct {
	Name      string        `json:"name"` // of an app
	Instances int           `json:"instances"`
	Relative  bool          `json:"relative"` // so many more, or with a minus less, than there are
	Timeout   time.Duration `json:"timeout_ns"`
}

// SignalRequest is POST /v1/signal.
type SignalRequest struct {
	Names  []string `json:"names"`  // never empty
	Signal string   `json:"signal"` // SIGUSR2, USR2
}

// UpgradeRequest is POST /v1/daemon/restart: the executables that take over, by their absolute paths.
type UpgradeRequest struct {
	Keeper  string        `json:"keeper"`     // devstack
	Daemon  string        `json:"daemon"`     // devstackd
	Timeout time.Duration `json:"timeout_ns"` // for the commands that are under way; 0: 60 s
}

// Upgraded is its answer: the replacement has begun.
type Upgraded struct {
	KeeperPid int    `json:"keeper_pid"` // stays the same
	Keeper    bool   `json:"keeper"`     // false: the daemon alone is replaced, by the one at the path of its predecessor
	Why       string `json:"why"`        // if so
}

// LogsRequest is the query of GET /v1/logs, which streams LogRecords as NDJSON.
type LogsRequest struct {
	Names  []string  `json:"names"`
	Lines  int       `json:"lines"`  // per stream, of what is already there
	Stream string    `json:"stream"` // out, err or empty for both
	Follow bool      `json:"follow"`
	Since  time.Time `json:"since"` // zero: no limit
}

// LogRecord is one line of output.
type LogRecord struct {
	Timestamp time.Time `json:"timestamp"`
	Type      string    `json:"type"` // out, err
	AppName   string    `json:"app_name"`
	ProcessID *int      `json:"process_id"` // null for containers
	Instance  int       `json:"instance"`
	Message   string    `json:"message"` // without the line end
}

// Check is one row of preflight.
type Check struct {
	Name   string `json:"name"`
	Status string `json:"status"` // ok, warning, failed
	Detail string `json:"detail"`
	Fix    string `json:"fix"`
	Exit   Code   `json:"exit"`
}
