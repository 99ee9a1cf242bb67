package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"devstack/view"
)

// HealthRequest is POST /v1/health, which probes everything now.
type HealthRequest struct {
	Names []string `json:"names"` // empty: all services, and all processes but those that nobody has started (autostart: false)
}

// Health is its answer.
type Health struct {
	Project string        `json:"project"`
	Healthy bool          `json:"healthy"`
	Exit    Code          `json:"exit"` // 0; 5: a service, 7: a process is not healthy
	Checks  []HealthCheck `json:"checks"`
}

// HealthCheck is one service or process.
type HealthCheck struct {
	Name     string      `json:"name"`
	Kind     string      `json:"kind"` // service, process
	Instance int         `json:"instance"`
	Health   view.Health `json:"health"`    // healthy, running, completed, unchecked, starting, unhealthy, stopped
	ProbedBy string      `json:"probed_by"` // probe: services; of a process what its readiness rests on (http 200, listens :3000, ipc …); none: nobody was asked
	Detail   string      `json:"detail"`
	TookMS   int64       `json:"took_ms"`
}

// Health probes. It changes nothing, so a daemon that dies before its answer is asked again for up to ReadRetry.
func (c *Client) Health(ctx context.Context, r HealthRequest) (*Health, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(c.ReadRetry)
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/health", bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		resp, err := c.do(req)
		if err == nil {
			defer resp.Body.Close()
			var h Health
			if err := json.NewDecoder(resp.Body).Decode(&h); err != nil {
				return nil, fmt.Errorf("cannot read the daemon's answer: %w", err)
			}
			return &h, nil
		}
		if ctx.Err() != nil || !broke(err) || time.Now().After(deadline) {
			return nil, err
		}
		pause(ctx)
	}
}
