package api

import (
	"context"
	"net/url"
	"time"

	"devstack/view"
)

// Why is GET /v1/why/{name}: the reasons for what processes or a service do, or do not do.
type Why struct {
	Project   string        `json:"project"`
	Name      string        `json:"name"`      // the word that was asked for: a service, or what means processes
	Kind      string        `json:"kind"`      // process, service
	Instances []WhyInstance `json:"instances"` // every process that is meant; a service is one
}

// WhyInstance is one process, or one container.
type WhyInstance struct {
	Name           string           `json:"name"`
	Instance       int              `json:"instance"`
	Status         string           `json:"status"` // a process's status; a container's health while it runs, else Docker's word or absent
	Ready          bool             `json:"ready"`
	Reason         string           `json:"reason"`     // of this status, in words without times
	WaitsFor       []Blocker        `json:"waits_for"`  // what keeps it from starting
	StoppedBy      view.Text        `json:"stopped_by"` // devstack (a command or a file), other; null: nobody
	StoppedAt      *time.Time       `json:"stopped_at"` // null: not known
	Restarts       int              `json:"restarts"`
	Causes         []view.Count     `json:"causes"`          // of a process's restarts; of a container's last exits, at most 20
	RepairAttempts int              `json:"repair_attempts"` // of a container, in a row
	NextRestartAt  *time.Time       `json:"next_restart_at"`
	LastFailure    *view.ExitRecord `json:"last_failure"` // the newest exit that nobody asked for
	LastProbe      *view.Probe      `json:"last_probe"`
}

// Blocker is a dependency that is not as far as it must be, and what it waits for itself.
type Blocker struct {
	Name      string    `json:"name"`
	Kind      string    `json:"kind"` // process, service
	Condition string    `json:"condition"`
	Status    string    `json:"status"`
	Reason    string    `json:"reason"`
	WaitsFor  []Blocker `json:"waits_for"`
}

// Why asks for the reasons.
func (c *Client) Why(ctx context.Context, name string) (*Why, error) {
	var w Why
	return &w, c.read(ctx, "/why/"+url.PathEscape(name), &w)
}
