package infra

import (
	"slices"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/stack"
)

// Project is what an Infra keeps: the services of a Compose file, and what the apps beside them want of them.
type Project struct {
	*types.Project
	OneShots []string // services whose end apps wait for
}

// Of is the project p, all of a stack's services or some, with what the stack's apps want of them.
func Of(st *stack.Stack, p *types.Project) Project {
	out := Project{Project: p}
	for _, app := range st.Apps {
		for _, d := range app.DependsOn {
			if d.Service && d.Condition == stack.Completed && !slices.Contains(out.OneShots, d.Name) {
				out.OneShots = append(out.OneShots, d.Name)
			}
		}
	}
	return out
}

// oneShot says that a service does a piece of work and ends: an app, or another service, waits for its end.
func (p Project) oneShot(name string) bool {
	if slices.Contains(p.OneShots, name) {
		return true
	}
	for _, other := range p.Services {
		if d, ok := other.DependsOn[name]; ok && d.Condition == types.ServiceConditionCompletedSuccessfully {
			return true
		}
	}
	return false
}

// checkable says that a service can be asked whether it is ready, as far as the Compose file tells: an image may have a
// healthcheck of its own.
func checkable(s types.ServiceConfig) bool {
	if s.HealthCheck != nil && !s.HealthCheck.Disable {
		return true
	}
	if serverOf(s.Image, slices.Concat(s.Entrypoint, s.Command)) != "" {
		return true
	}
	return slices.ContainsFunc(s.Ports, func(p types.ServicePortConfig) bool { return p.Protocol == "" || p.Protocol == "tcp" })
}
