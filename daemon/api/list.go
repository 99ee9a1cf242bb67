package api

import (
	"context"
	"time"

	"devstack/view"
)

// ListedProcess is one element of GET /v1/processes, which answers all processes at once: a process with its definition,
// without ports, history and environment.
type ListedProcess struct {
	view.Process
	Script         string     `json:"script"`      // absolute; empty where Command runs
	Interpreter    string     `json:"interpreter"` // none: Script or Command runs by itself
	NodeArgs       []string   `json:"node_args"`
	Command        []string   `json:"command"` // argv; empty where Script runs; secrets masked
	Args           []string   `json:"args"`    // secrets masked
	Cwd            string     `json:"cwd"`
	OutFile        string     `json:"out_file"`
	ErrorFile      string     `json:"error_file"`
	Instances      int        `json:"instances"`
	Autostart      bool       `json:"autostart"`
	Autorestart    bool       `json:"autorestart"`
	MergeLogs      bool       `json:"merge_logs"`
	MaxMemoryBytes *int64     `json:"max_memory_bytes"`
	CreatedAt      *time.Time `json:"created_at"` // the first launch since somebody asked for one; null: never launched
}

// Processes is every process with its definition.
func (c *Client) Processes(ctx context.Context) ([]ListedProcess, error) {
	list := []ListedProcess{}
	return list, c.read(ctx, "/processes", &list)
}
