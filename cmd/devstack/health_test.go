package main

import (
	"testing"

	"devstack/daemon/api"
)

func TestHealthTable(t *testing.T) {
	golden(t, "health.txt", renderHealth(&api.Health{Checks: []api.HealthCheck{
		{Name: "redis", Kind: "service", Health: "healthy", ProbedBy: "probe", Detail: "PONG", TookMS: 3},
		{Name: "web", Kind: "process", Instance: 1, Health: "unhealthy", ProbedBy: "healthcheck", Detail: "GET /healthz: 503\x1b[2J", TookMS: 120},
		{Name: "agent", Kind: "process", Health: "stopped", ProbedBy: "none", Detail: "waiting"},
	}}, 0, false))
}
