// Package stack is the desired state: what compose.yaml and ecosystem.yaml ask for, merged with a profile, resolved
// and validated. Load reads files and nothing else; a Stack that it returns is complete, consistent and immutable, and
// every problem it finds is an *Error with file, line and column. It promises that two Loads of the same bytes with
// the same environment give equal Stacks, and that nothing a file says is silently ignored.
package stack

import (
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// Stack is one project's containers and processes in one dependency graph.
type Stack struct {
	Name    string         // for people; default: Project
	Project string         // the Compose project name, as docker compose finds it
	Dir     string         // real path of the directory of File
	File    string         // ecosystem.yaml
	Profile string         // dev, pilot or prod
	Compose *types.Project // only the selected services and what they need; nil for a stack without containers
	Apps    []App          // in file order; autostart: false ones included
	LogDir  string
	Build   *Build

	RequiredEnv []string // names that must be set when a process starts
	Missing     []string // of RequiredEnv, what neither the shell nor a file sets
	Overrides   []string // declared keys whose value in the caller's shell beats the files'; for one line of `up`
	Warnings    []string

	origins map[string]map[string]string // app -> key -> the layer its value comes from
}

// Build is how missing artifacts are made.
type Build struct {
	Command   []string `json:"command"` // argv; a string in the file is run by the shell
	Dir       string   `json:"dir"`
	IfMissing bool     `json:"if_missing"`
}

// App is one entry of `apps`, after the merge, with every default applied and every path absolute.
type App struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`

	Script      string   `json:"script"`  // absolute; empty when Command is set
	Command     []string `json:"command"` // argv
	Args        []string `json:"args"`
	NodeArgs    []string `json:"node_args"`
	Interpreter string   `json:"interpreter"` // by extension as PM2; none: Script is the executable
	Cwd         string   `json:"cwd"`

	Instances    int          `json:"instances"`     // max and -n resolved; see Count
	ExecMode     string       `json:"exec_mode"`     // fork, cluster; shown, and the same: see HoldPort
	InstanceVar  string       `json:"instance_var"`  // tells an instance its number
	IncrementVar string       `json:"increment_var"` // raised by the instance's number; empty: none
	Port         int          `json:"port"`          // 0: none
	HoldPort     string       `json:"hold_port"`     // auto: what Node.js listens on; true: Port, bound before the launch; false
	DependsOn    []Dependency `json:"depends_on"`

	Healthcheck   *Healthcheck  `json:"healthcheck"`
	WaitReady     bool          `json:"wait_ready"`
	ListenTimeout time.Duration `json:"listen_timeout"`

	Autostart    bool           `json:"autostart"`
	Autorestart  bool           `json:"autorestart"`
	OneShot      bool           `json:"one_shot"`
	Inputs       []string       `json:"inputs"`       // globs, relative to cwd, of files that a one_shot reads
	MaxRestarts  int            `json:"max_restarts"` // -1: no limit
	MinUptime    time.Duration  `json:"min_uptime"`
	RestartDelay *time.Duration `json:"restart_delay"`      // nil: growing, from BackoffBase
	BackoffBase  time.Duration  `json:"backoff_base"`       // 100 ms; ×1.5 each, at most 15 s; the first restart is at once
	MaxMemory    int64          `json:"max_memory_restart"` // bytes of the whole tree; 0: no limit
	// StopExitCodes end an app for good: after an exit with one of them it is not restarted.
	StopExitCodes []int `json:"stop_exit_codes"`
	// CronRestart restarts what runs, and runs what has ended by itself, at the times of a cron expression; empty: never.
	CronRestart string `json:"cron_restart"`

	Watch Watch `json:"watch"`

	KillSignal          string        `json:"kill_signal"` // SIGTERM
	KillTimeout         time.Duration `json:"kill_timeout"`
	ShutdownWithMessage bool          `json:"shutdown_with_message"`

	OutFile       string `json:"out_file"` // absolute
	ErrorFile     string `json:"error_file"`
	LogFile       string `json:"log_file"` // both streams; empty: none
	MergeLogs     bool   `json:"merge_logs"`
	LogDateFormat string `json:"log_date_format"` // PM2's tokens; empty: no timestamps
	LogType       string `json:"log_type"`        // raw, json
	MaxLogSize    int64  `json:"max_log_size"`
	MaxLogFiles   int    `json:"max_log_files"`

	Environment []Variable `json:"environment"` // complete and sorted by key
	// Open are the variables that env (NAME: without a value) or required_env name and nothing sets, sorted.
	Open []string `json:"open,omitempty"`
	// Unset are the variables that settings other than env interpolate and that have neither a value nor a default, sorted.
	Unset []string `json:"unset,omitempty"`
	// PerCPU says that Instances counts this machine's processors: max, or -n.
	PerCPU bool `json:"per_cpu,omitempty"`
	// Hash changes exactly when the definition or the value of a declared variable does; `up` restarts an app only then.
	Hash string `json:"hash"`
}

// Dependency is one edge from an app to a service or another app.
type Dependency struct {
	Name      string    `json:"name"`
	Service   bool      `json:"service"` // a container; false: an app
	Condition Condition `json:"condition"`
}

// Condition is Compose's word for how far a dependency must have come.
type Condition string

// Compose's three conditions. Healthy means devstack's ready; a plain list of names means Healthy.
const (
	Started   Condition = "service_started"
	Healthy   Condition = "service_healthy"
	Completed Condition = "service_completed_successfully"
)

// Healthcheck is an app's probe; exactly one of HTTP, Exec, TCP and LogLine is set.
type Healthcheck struct {
	HTTP    string   `json:"http"`     // path on Port, or a whole URL
	Exec    []string `json:"exec"`     // argv, run in the app's cwd with its environment
	TCP     string   `json:"tcp"`      // host:port
	LogLine string   `json:"log_line"` // Go regular expression, matched against each line after the launch

	Interval    time.Duration `json:"interval"`
	Timeout     time.Duration `json:"timeout"`
	Retries     int           `json:"retries"`
	StartPeriod time.Duration `json:"start_period"`
}

// Variable is one environment variable of an app and where its value comes from.
type Variable struct {
	Key      string `json:"key"`
	Value    string `json:"value"`
	Origin   string `json:"origin"`   // port, shell, env, env_file PATH, .env
	Declared bool   `json:"declared"` // named in a file: a changed value restarts the app

	// From are the variables that its value in env interpolates, sorted; Unset those of them that have neither a value
	// nor a default, so that Value lacks them.
	From  []string `json:"from,omitempty"`
	Unset []string `json:"unset,omitempty"`
}

// Error is a problem in a file, as precise as it can be said. Line and Column are 0 where they make no sense;
// File is empty when the mistake is in Options.
type Error struct {
	File    string
	Line    int
	Column  int
	Message string
	Hint    string // what to do; may be empty
}
