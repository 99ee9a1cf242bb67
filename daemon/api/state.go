package api

import (
	"time"

	"devstack/view"
)

// State is GET /v1/state and the shape of `ps --json`.
type State struct {
	Project   string         `json:"project"`
	Profile   string         `json:"profile"`
	Infra     string         `json:"infra"`  // docker, native or none
	Daemon    *Daemon        `json:"daemon"` // null when no daemon runs
	Services  []view.Service `json:"services"`
	Processes []view.Process `json:"processes"`
}

// Daemon identifies the answering daemon.
type Daemon struct {
	Pid     int    `json:"pid"`
	Version string `json:"version"`
}

// Description is GET /v1/describe/{name}: everything known about an app or a service; exactly one part is set.
type Description struct {
	Project string               `json:"project"`
	Process []ProcessDetails     `json:"processes"`
	Service *view.ServiceDetails `json:"service"`
}

// ProcessDetails is an instance with its history and its definition.
type ProcessDetails struct {
	view.ProcessDetails
	Command        []string          `json:"command"` // secrets masked
	Cwd            string            `json:"cwd"`
	Environment    []EnvironmentItem `json:"environment"` // declared keys only, secrets masked
	OutFile        string            `json:"out_file"`
	ErrorFile      string            `json:"error_file"`
	LogFile        string            `json:"log_file"`
	DependsOn      []view.DependsOn  `json:"depends_on"`
	CronRestart    view.Text         `json:"cron_restart"`
	NextCronAt     *time.Time        `json:"next_cron_restart_at"`
	MaxMemoryBytes *int64            `json:"max_memory_bytes"`
	MaxRestarts    int               `json:"max_restarts"`
	Links          []Link            `json:"links"` // where it answers
}

// EnvironmentItem is one variable and where its value comes from.
type EnvironmentItem struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"` // port, shell, env, env_file: PATH, .env, instance; of PATH after "node_modules/.bin, "
}

// ProcessEnvironment is an element of GET /v1/env/{name}: every variable that a launch would get.
type ProcessEnvironment struct {
	Name        string            `json:"name"`
	Instance    int               `json:"instance"`
	ID          int               `json:"id"`
	Environment []EnvironmentItem `json:"environment"` // sorted by key; secrets masked unless ?show_secrets=true
}
