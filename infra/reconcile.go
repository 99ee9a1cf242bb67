package infra

import (
	"fmt"
	"slices"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/stack"
)

// Wanted narrows a Reconcile.
type Wanted struct {
	Services []string          // only these, without what they depend on; nil: all
	Fresh    Images            // images that were pulled just now
	Done     map[string]string // services that have completed, and the containers that they did it in
	Now      time.Time         // for pull policies with an age
}

// Reconcile is the steps that make the engine look like the Compose file, by the rules by which docker compose decides.
// It calls nothing and changes nothing. What cannot be is an *Error.
func Reconcile(p Project, obs Observed, w Wanted) (Plan, error) {
	r := reconciler{
		p: p, obs: obs, wanted: w,
		networks: map[string]int{}, volumes: map[string]int{}, started: map[string]int{}, recreated: map[string]bool{},
		rewired: map[string][]int{}, pulls: map[string]int{},
	}
	services := r.services()
	for _, step := range []func([]types.ServiceConfig) error{r.refuse, r.planPulls, r.planVolumes, r.planNetworks, r.planContainers} {
		if err := step(services); err != nil {
			return Plan{}, err
		}
	}
	return r.plan, nil
}

type reconciler struct {
	p      Project
	obs    Observed
	wanted Wanted
	plan   Plan

	pulls     map[string]int   // image -> step
	networks  map[string]int   // key -> the step after which it exists
	volumes   map[string]int   // key -> step
	started   map[string]int   // service -> the step after which it runs
	recreated map[string]bool  // services that get a new container
	rewired   map[string][]int // services that were stopped for a new network -> steps before they can start
	ranged    int              // the last start of a service whose ports the engine picks
}

func (r *reconciler) wants(name string) bool {
	return r.wanted.Services == nil || slices.Contains(r.wanted.Services, name)
}

// services are the wanted ones in dependency order.
func (r *reconciler) services() []types.ServiceConfig {
	var out []types.ServiceConfig
	for _, name := range Order(r.p.Project) {
		if r.wants(name) {
			out = append(out, r.p.Services[name])
		}
	}
	return out
}

// Order is the project's services with every service after those it depends on, otherwise by name.
func Order(p *types.Project) []string {
	var out []string
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		service, ok := p.Services[name]
		if !ok || seen[name] {
			return
		}
		seen[name] = true
		for _, dependency := range sorted(service.DependsOn) {
			visit(dependency)
		}
		out = append(out, name)
	}
	for _, name := range sorted(p.Services) {
		visit(name)
	}
	return out
}

func sorted[V any, M ~map[string]V](m M) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// ContainerName is the name that docker compose gives the one container of a service.
func ContainerName(project string, s types.ServiceConfig) string {
	if s.ContainerName != "" {
		return s.ContainerName
	}
	return project + "-" + s.Name + "-1"
}

// ImageName is the image of a service.
func ImageName(project string, s types.ServiceConfig) string {
	if s.Image != "" {
		return s.Image
	}
	return project + "-" + s.Name
}

// refuse finds what can never work: names that belong to somebody else, external things that are missing.
func (r *reconciler) refuse(services []types.ServiceConfig) error {
	for _, s := range services {
		name := ContainerName(r.p.Name, s)
		for _, o := range r.obs.Others {
			if o.Name != name {
				continue
			}
			owner := "no Compose project"
			if o.Project != "" {
				owner = "the Compose project " + o.Project
			}
			return &Error{
				Conflict, s.Name, fmt.Sprintf("the container name %s of service %s belongs to another container, of %s", name, s.Name, owner),
				fmt.Sprintf("remove it (docker rm -f %s) or change container_name in the Compose file", name),
			}
		}
		for _, c := range r.obs.Containers {
			if c.Name == name && c.Service != s.Name {
				return &Error{
					Conflict, s.Name, fmt.Sprintf("the container name %s of service %s belongs to service %s", name, s.Name, c.Service),
					fmt.Sprintf("remove it (docker rm -f %s)", name),
				}
			}
		}
	}
	if err := r.refuseUnasked(services); err != nil {
		return err
	}
	for _, key := range r.networkKeys(services) {
		if n := r.p.Networks[key]; bool(n.External) && len(r.obs.Networks[n.Name]) == 0 {
			return &Error{Failed, "", fmt.Sprintf("the network %s is external and does not exist", n.Name), "docker network create " + n.Name}
		}
		for _, n := range r.spareNetworks(key) {
			if n.Labels[LabelProject] != r.p.Name {
				return &Error{
					Conflict, "", fmt.Sprintf("there are several networks named %s", n.Name),
					"remove all but one by ID: docker network ls --no-trunc --filter name=" + n.Name,
				}
			}
		}
	}
	for _, key := range r.volumeKeys(services) {
		v := r.p.Volumes[key]
		if _, found := r.obs.Volumes[v.Name]; bool(v.External) && !found {
			return &Error{Failed, "", fmt.Sprintf("the volume %s is external and does not exist", v.Name), "docker volume create " + v.Name}
		}
	}
	return nil
}

// refuseUnasked finds conditions that nobody could ever tell to be met.
func (r *reconciler) refuseUnasked(services []types.ServiceConfig) error {
	for _, s := range services {
		for _, name := range sorted(s.DependsOn) {
			if s.DependsOn[name].Condition == types.ServiceConditionHealthy && !r.askable(name) {
				return &Error{
					Unsupported, s.Name,
					fmt.Sprintf("service %s waits until %s is healthy (service_healthy), and nothing tells when that is: %s has no healthcheck and publishes no port", s.Name, name, name),
					"give " + name + " a healthcheck, or wait for service_started",
				}
			}
		}
	}
	return nil
}

// askable says that something tells whether a service is ready. What an image that is not here yet brings is not known.
func (r *reconciler) askable(name string) bool {
	s, known := r.p.Services[name]
	image, here := r.obs.Images[ImageName(r.p.Name, s)]
	return !known || checkable(s) || !here || image.Healthcheck
}

// networkKeys are the networks of the services, sorted. A service with network_mode has none.
func (r *reconciler) networkKeys(services []types.ServiceConfig) []string {
	used := map[string]bool{}
	for _, s := range services {
		for key := range s.Networks {
			if _, known := r.p.Networks[key]; known {
				used[key] = true
			}
		}
	}
	return sorted(used)
}

func (r *reconciler) volumeKeys(services []types.ServiceConfig) []string {
	used := map[string]bool{}
	for _, s := range services {
		for _, v := range s.Volumes {
			if _, known := r.p.Volumes[v.Source]; known && v.Type == types.VolumeTypeVolume {
				used[v.Source] = true
			}
		}
	}
	return sorted(used)
}

func (r *reconciler) planPulls(services []types.ServiceConfig) error {
	for _, s := range services {
		image := ImageName(r.p.Name, s)
		local, found := r.obs.Images[image]
		cause, err := pullCause(s, local, found, r.wanted.Now)
		if err != nil {
			return err
		}
		if cause == "" || r.wanted.Fresh[image] || r.pulls[image] != 0 {
			continue
		}
		r.pulls[image] = r.plan.add(Op{Kind: OpPull, Service: s.Name, Name: image, Cause: cause})
	}
	return nil
}

// pullCause says why the image of s is pulled; empty: it is not.
func pullCause(s types.ServiceConfig, local Image, found bool, now time.Time) (string, error) {
	policy, age, err := s.GetPullPolicy()
	if err != nil {
		return "", &Error{Unsupported, s.Name, fmt.Sprintf("service %s: %v", s.Name, err), "write missing, always, never, daily, weekly or every_<duration>"}
	}
	switch {
	case policy == types.PullPolicyNever && !found:
		return "", &Error{
			NoImage, s.Name, fmt.Sprintf("the image %s of service %s is not on this machine and pull_policy is never", s.Image, s.Name),
			"docker pull " + s.Image,
		}
	case !found:
		return "not on this machine", nil
	case policy == types.PullPolicyAlways:
		return "pull_policy is always", nil
	case policy == types.PullPolicyRefresh && now.Sub(local.TaggedAt) > age:
		return "pull_policy is " + s.PullPolicy, nil
	}
	return "", nil
}

// afterPulls are all pulls: as long as one image may not be had, nothing is made.
func (r *reconciler) afterPulls() []int {
	var all []int
	for _, id := range r.pulls {
		all = append(all, id)
	}
	return all
}

func (r *reconciler) planVolumes(services []types.ServiceConfig) error {
	for _, key := range r.volumeKeys(services) {
		want := r.p.Volumes[key]
		have, found := r.obs.Volumes[want.Name]
		switch {
		case bool(want.External):
		case !found:
			r.volumes[key] = r.plan.add(Op{Kind: OpCreateVolume, Key: key, Cause: "not found"}, r.afterPulls()...)
		case have.Labels[LabelProject] != r.p.Name:
			r.warn("the volume %s was not made for project %s: used as it is", want.Name, r.p.Name)
		default:
			hash, err := stack.VolumeHash(want)
			if err != nil {
				return err
			}
			if differs(have.Labels, hash) {
				r.warn("the definition of volume %s changed: kept as it is, for its data (docker volume rm %s to make it anew)", key, want.Name)
			}
		}
	}
	return nil
}

// differs says that a network or volume was made from another definition. Without a hash nobody knows; a hash that another
// version of Compose wrote says nothing.
func differs(labels map[string]string, hash string) bool {
	return labels[LabelHash] != "" && labels[LabelHash] != hash && labels[LabelVersion] == ComposeVersion
}

func (r *reconciler) planNetworks(services []types.ServiceConfig) error {
	for _, key := range r.networkKeys(services) {
		want := r.p.Networks[key]
		have := r.obs.Networks[want.Name]
		for _, n := range r.spareNetworks(key) {
			// Two commands at once can make two on engines before API 1.44.
			r.networks[key] = r.plan.add(Op{Kind: OpRemoveNetwork, Key: key, Network: n.ID, Cause: "a second network of the same name"}, r.networks[key])
		}
		switch {
		case bool(want.External):
		case len(have) == 0:
			r.networks[key] = r.plan.add(Op{Kind: OpCreateNetwork, Key: key, Cause: "not found"}, r.afterPulls()...)
		case have[0].Labels[LabelProject] != r.p.Name:
			r.warn("the network %s was not made for project %s: used as it is", want.Name, r.p.Name)
		default:
			hash, err := stack.NetworkHash(want)
			if err != nil {
				return err
			}
			if differs(have[0].Labels, hash) {
				r.recreateNetwork(key, have[0])
			}
		}
	}
	return nil
}

// spareNetworks are all but the oldest of a name.
func (r *reconciler) spareNetworks(key string) []Network {
	have := r.obs.Networks[r.p.Networks[key].Name]
	return have[min(1, len(have)):]
}

// recreateNetwork stops and detaches the project's containers, makes the network anew and attaches them again.
func (r *reconciler) recreateNetwork(key string, old Network) {
	const cause = "the definition of the network changed"
	var before []int
	type attached struct {
		container *Container
		step      int
	}
	var all []attached
	for i := range r.obs.Containers {
		c := &r.obs.Containers[i]
		if _, on := c.Networks[old.Name]; !on {
			continue
		}
		after := r.afterPulls()
		if running(c.State) {
			after = append(after, r.plan.add(Op{Kind: OpStop, Service: c.Service, Container: c, Cause: cause}, after...))
			r.rewired[c.Service] = append(r.rewired[c.Service], after[len(after)-1])
		}
		step := r.plan.add(Op{Kind: OpDisconnect, Service: c.Service, Container: c, Network: old.ID, Key: key, Cause: cause}, after...)
		all = append(all, attached{c, step})
		before = append(before, step)
	}
	gone := r.plan.add(Op{Kind: OpRemoveNetwork, Key: key, Network: old.ID, Cause: cause}, append(before, r.afterPulls()...)...)
	made := r.plan.add(Op{Kind: OpCreateNetwork, Key: key, Cause: cause}, gone)
	r.networks[key] = made
	for _, a := range all {
		if _, wanted := r.p.Services[a.container.Service].Networks[key]; !wanted {
			continue
		}
		step := r.plan.add(Op{Kind: OpConnect, Service: a.container.Service, Container: a.container, Key: key, Cause: cause}, made)
		r.rewired[a.container.Service] = append(r.rewired[a.container.Service], step)
	}
}

func (r *reconciler) warn(format string, args ...any) {
	r.plan.Warnings = append(r.plan.Warnings, fmt.Sprintf(format, args...))
}

// running says that a container in this state has a process, or will have one without our doing.
func running(state string) bool {
	return state == "running" || state == "restarting" || state == "paused"
}
