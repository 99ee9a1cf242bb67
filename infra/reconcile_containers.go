package infra

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/stack"
)

func (r *reconciler) planContainers(services []types.ServiceConfig) error {
	for _, s := range services {
		if err := r.planContainer(s); err != nil {
			return err
		}
	}
	return nil
}

func (r *reconciler) planContainer(s types.ServiceConfig) error {
	keep, surplus := r.obs.choose(r.p, s)
	cleared := r.afterPulls()
	for _, c := range surplus {
		cleared = append(cleared, r.plan.add(Op{Kind: OpRemove, Service: s.Name, Container: c, Cause: "a second container of the service"}, r.afterPulls()...))
	}
	cause := ""
	if keep != nil {
		var err error
		if cause, err = r.recreateCause(s, keep); err != nil {
			return err
		}
	}
	switch {
	case keep == nil:
		made := r.plan.add(Op{Kind: OpCreateContainer, Service: s.Name, Name: ContainerName(r.p.Name, s), Cause: "no existing container"}, append(r.parts(s), cleared...)...)
		r.planStart(s, Op{Created: made, Cause: "just created"}, made)
	case cause != "":
		r.recreate(s, keep, cause, cleared)
	case r.rewired[s.Name] != nil:
		r.planStart(s, Op{Container: keep, Cause: "stopped for its new network"}, r.rewired[s.Name]...)
	case r.parentRestarts(s) && running(keep.State):
		stop := r.plan.add(Op{Kind: OpStop, Service: s.Name, Container: keep, Cause: "what it depends on is recreated"}, cleared...)
		r.planStart(s, Op{Container: keep, Cause: "what it depends on is recreated"}, stop)
	case keep.State == "exited" && keep.ExitCode == 0 && (r.p.oneShot(s.Name) || r.wanted.Done[s.Name] == keep.ID):
		// It has done its work from this very definition.
	case keep.State == "running" || keep.State == "restarting":
	default:
		r.planStart(s, Op{Container: keep, Cause: keep.State}, cleared...)
	}
	return nil
}

// recreateCause says why docker compose would make a new container; empty: it would not.
func (r *reconciler) recreateCause(s types.ServiceConfig, c *Container) (string, error) {
	hash, err := stack.ServiceHash(s)
	if err != nil {
		return "", err
	}
	if was := c.Labels[LabelHash]; was != hash {
		// Hashes change between versions of Compose: what counts then is the container's own configuration.
		if c.Labels[LabelVersion] == ComposeVersion || !c.SameConfig {
			return "the definition changed", nil
		}
	}
	image := r.obs.Images[ImageName(r.p.Name, s)]
	if image.ID != "" && c.Labels[LabelImage] != image.ID {
		return "the image changed", nil
	}
	for _, key := range sorted(s.Networks) {
		n, known := r.p.Networks[key]
		if !known || r.rewired[s.Name] != nil && r.networks[key] != 0 {
			continue
		}
		if cause := networkCause(c, n.Name, r.obs.Networks[n.Name]); cause != "" {
			return cause, nil
		}
	}
	for _, v := range s.Volumes {
		want, known := r.p.Volumes[v.Source]
		if v.Type == types.VolumeTypeVolume && known && !mounts(c, want.Name) {
			return "the volume " + want.Name + " is not mounted", nil
		}
	}
	return "", nil
}

// networkCause is why a container's place in a network is not the wanted one. A stopped one keeps the ID of its network, and
// could not start if that network is gone.
func networkCause(c *Container, name string, have []Network) string {
	id, attached := c.Networks[name]
	switch {
	case len(have) == 0:
		return "its network " + name + " is gone"
	case !attached:
		return "not attached to the network " + name
	case id == "" && c.State != "running":
		return ""
	case id != have[0].ID:
		return "attached to an older network " + name
	}
	return ""
}

func mounts(c *Container, volume string) bool {
	for _, m := range c.Mounts {
		if m.Volume == volume {
			return true
		}
	}
	return false
}

// parts are the steps that make the networks and volumes of a service.
func (r *reconciler) parts(s types.ServiceConfig) []int {
	var out []int
	for key := range s.Networks {
		out = append(out, r.networks[key])
	}
	for _, v := range s.Volumes {
		out = append(out, r.volumes[v.Source])
	}
	return out
}

// recreate makes the new container beside the old one, so that a definition that the engine refuses costs nothing.
func (r *reconciler) recreate(s types.ServiceConfig, old *Container, cause string, cleared []int) {
	r.recreated[s.Name] = true
	name := ContainerName(r.p.Name, s)
	made := r.plan.add(Op{
		Kind: OpCreateContainer, Service: s.Name, Container: old, Cause: cause,
		Name: old.ID[:min(12, len(old.ID))] + "_" + strings.TrimPrefix(name, "/"),
	}, append(append(r.parts(s), r.rewired[s.Name]...), cleared...)...)
	last := made
	if running(old.State) {
		last = r.plan.add(Op{Kind: OpStop, Service: s.Name, Container: old, Cause: fmt.Sprintf("replaced by #%d", made)}, last)
	}
	last = r.plan.add(Op{Kind: OpRemove, Service: s.Name, Container: old, Cause: fmt.Sprintf("replaced by #%d", made)}, last)
	last = r.plan.add(Op{Kind: OpRename, Service: s.Name, Created: made, Name: name, Cause: fmt.Sprintf("replaced by #%d", made)}, last)
	r.planStart(s, Op{Created: made, Cause: "recreated"}, last)
}

// parentRestarts says that a dependency with `restart: true` gets a new container.
func (r *reconciler) parentRestarts(s types.ServiceConfig) bool {
	for name, d := range s.DependsOn {
		if d.Restart && r.recreated[name] {
			return true
		}
	}
	return false
}

// planStart starts a container after what it depends on has come as far as its condition says.
func (r *reconciler) planStart(s types.ServiceConfig, o Op, after ...int) {
	for _, name := range sorted(s.DependsOn) {
		if _, known := r.p.Services[name]; !known || !r.wants(name) {
			continue // a repair of one service does not wait for others
		}
		before := r.started[name]
		switch s.DependsOn[name].Condition {
		case types.ServiceConditionHealthy:
			before = r.plan.add(Op{Kind: OpWaitHealthy, Service: name, Cause: s.Name + " depends on it"}, before)
		case types.ServiceConditionCompletedSuccessfully:
			before = r.plan.add(Op{Kind: OpWaitCompleted, Service: name, Cause: s.Name + " depends on it"}, before)
		}
		after = append(after, before)
	}
	picks := picksPorts(s)
	if picks {
		after = append(after, r.ranged)
	}
	o.Kind, o.Service = OpStart, s.Name
	id := r.plan.add(o, after...)
	r.started[s.Name] = id
	if picks {
		r.ranged = id
	}
}

// picksPorts says that the engine chooses a host port, which it does badly for two containers at once.
func picksPorts(s types.ServiceConfig) bool {
	for _, port := range s.Ports {
		if port.Published == "" || strings.Contains(port.Published, "-") {
			return true
		}
	}
	return false
}

// choose picks the container of a service that stays; the others are surplus. A running one wins, then the one with the
// right name, then the newest number.
func (obs Observed) choose(p Project, s types.ServiceConfig) (keep *Container, surplus []*Container) {
	var all []*Container
	for i := range obs.Containers {
		if obs.Containers[i].Service == s.Name {
			all = append(all, &obs.Containers[i])
		}
	}
	name := ContainerName(p.Name, s)
	rank := func(c *Container) int {
		score := 0
		if c.State == "running" {
			score -= 2
		}
		if c.Name == name {
			score--
		}
		return score
	}
	slices.SortStableFunc(all, func(a, b *Container) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.Name, b.Name))
	})
	if len(all) == 0 {
		return nil, nil
	}
	return all[0], all[1:]
}

// chosen is the container of a service that stays; nil: there is none.
func (obs Observed) chosen(p Project, name string) *Container {
	keep, _ := obs.choose(p, p.Services[name])
	return keep
}
