package native

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/shirou/gopsutil/v4/process"

	"devstack/infra"
	"devstack/probe"
	keeper "devstack/procs/keeper/protocol"
)

// Driver is the servers of one project directory, as package infra asks for them. What happens is done by servers.
type Driver struct {
	finder  *finder
	servers *servers
}

var _ infra.Driver = (*Driver)(nil)

// Name is "native".
func (d *Driver) Name() string { return Name }

// Object is "server".
func (d *Driver) Object() string { return "server" }

// Close ends the watching; the servers run on.
func (d *Driver) Close() error {
	d.servers.work.Close()
	return nil
}

// Check names everything in p that the host's servers cannot do.
func (d *Driver) Check(p *types.Project) error { return check(p) }

// Warnings are what p asks for and native services do otherwise, a sentence each, for people.
func (d *Driver) Warnings(p *types.Project) []string {
	var out []string
	for _, name := range infra.Order(p) {
		s := p.Services[name]
		def, refused := define(p, s)
		if len(refused) > 0 {
			continue
		}
		at := d.servers.layout.place(p.Name, name)
		have, err := d.finder.forData(at, def.Kind, def.Major)
		if err != nil {
			continue
		}
		warn := func(format string, args ...any) {
			out = append(out, "service "+name+": "+fmt.Sprintf(format, args...))
		}
		if have.Kind != def.Kind || def.Major != 0 && have.major() != def.Major {
			warn("%s %s of this host runs instead of %s", have.Kind, have.Version, s.Image)
		}
		if limited(s) {
			warn("limits of memory and processors do not apply to native services")
		}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind && (v.Target == "/data" || strings.HasPrefix(v.Target, "/var/lib/postgresql")) {
				warn("its data are in %s, not in %s", at.data(), v.Source)
			}
		}
	}
	return out
}

func limited(s types.ServiceConfig) bool {
	deployed := s.Deploy != nil && s.Deploy.Resources.Limits != nil
	return deployed || s.MemLimit != 0 || s.CPUS != 0 || s.CPUQuota != 0
}

// networkID is the ID of a network: there are none, so one of each name has always been there.
func networkID(name string) string { return "native:" + name }

// Observe reads the records. The networks and volumes that p names count as made; with p nil, the volumes are the data
// directories, by their paths.
func (d *Driver) Observe(ctx context.Context, project string, p *types.Project) (infra.Observed, error) {
	obs := infra.Observed{Networks: map[string][]infra.Network{}, Volumes: map[string]infra.Volume{}, Images: map[string]infra.Image{}}
	all, err := d.servers.all(ctx, project)
	if err != nil {
		return obs, err
	}
	for _, r := range all {
		obs.Containers = append(obs.Containers, r.container(d.servers.layout.of(r).data()))
	}
	labels := map[string]string{infra.LabelProject: project}
	if p == nil {
		places, err := d.servers.layout.services(project)
		for _, at := range places {
			obs.Volumes[string(at)] = infra.Volume{Name: string(at), Labels: labels}
		}
		return obs, err
	}
	for _, n := range p.Networks {
		obs.Networks[n.Name] = []infra.Network{{ID: networkID(n.Name), Name: n.Name, Labels: labels}}
	}
	for _, v := range p.Volumes {
		obs.Volumes[v.Name] = infra.Volume{Name: v.Name, Labels: labels}
	}
	for name, s := range p.Services {
		kind, major := recognise(s.Image)
		if have, err := d.finder.forData(d.servers.layout.place(project, name), kind, major); err == nil {
			obs.Images[infra.ImageName(p.Name, s)] = infra.Image{ID: have.id(), TaggedAt: time.Now()}
		}
	}
	return obs, nil
}

// Inspect is one record.
func (d *Driver) Inspect(ctx context.Context, id string) (infra.Container, error) {
	r, err := d.servers.find(ctx, id)
	if err != nil {
		return infra.Container{}, err
	}
	return r.container(d.servers.layout.of(r).data()), nil
}

// Stats adds up a server and its children. Memory that they share counts once.
func (d *Driver) Stats(ctx context.Context, id string) (infra.Stats, error) {
	r, err := d.servers.layout.load(id)
	if err != nil {
		return infra.Stats{}, err
	}
	root, err := process.NewProcessWithContext(ctx, int32(r.Pid))
	if err != nil || !d.servers.layout.alive(r) {
		return infra.Stats{}, infra.ErrNotFound
	}
	children, _ := root.ChildrenWithContext(ctx) // an error also says that there are none
	out := infra.Stats{At: time.Now()}
	var largest int64
	for _, p := range append(children, root) {
		own, shared, spent := usage(int(p.Pid))
		out.Memory += own
		out.CPU += spent
		largest = max(largest, shared)
	}
	out.Memory += largest
	return out, nil
}

// Pull finds the program: nothing can be fetched.
func (d *Driver) Pull(_ context.Context, s types.ServiceConfig, _ func(current, total int64)) error {
	_, err := d.finder.find(recognise(s.Image))
	return err
}

// CreateNetwork does nothing: all servers are on the host's loopback.
func (d *Driver) CreateNetwork(_ context.Context, p *types.Project, key string) (string, error) {
	return networkID(p.Networks[key].Name), nil
}

// RemoveNetwork does nothing.
func (d *Driver) RemoveNetwork(context.Context, string) error { return nil }

// Connect does nothing.
func (d *Driver) Connect(context.Context, *types.Project, types.ServiceConfig, string, string, string) error {
	return nil
}

// Disconnect does nothing.
func (d *Driver) Disconnect(context.Context, string, string) error { return nil }

// CreateVolume does nothing: a service's data directory is made with its container.
func (d *Driver) CreateVolume(context.Context, *types.Project, string) error { return nil }

// RemoveVolume deletes what a service keeps, by the name that Observe gave it; an absent one is no error.
func (d *Driver) RemoveVolume(_ context.Context, name string) error {
	return d.servers.layout.remove(place(name))
}

// CreateContainer records a server and makes its data directory, if there is none.
func (d *Driver) CreateContainer(ctx context.Context, c infra.Create) (string, error) {
	def, refused := define(c.Project, c.Service)
	if len(refused) > 0 {
		return "", errors.New(refused[0])
	}
	labels, err := infra.ContainerLabels(c)
	if err != nil {
		return "", err
	}
	r := record{
		ID: newID(), Name: c.Name, Project: c.Project.Name, Service: c.Service.Name, Image: infra.ImageName(c.Project.Name, c.Service),
		Labels: labels, Created: time.Now(), Definition: def, State: created, Port: def.Port,
	}
	if r.Program, err = d.finder.forData(d.servers.layout.place(r.Project, r.Service), def.Kind, def.Major); err != nil {
		return "", err
	}
	return r.ID, d.servers.create(ctx, r)
}

// StartContainer launches the server. One that runs is no error.
func (d *Driver) StartContainer(ctx context.Context, id string) error {
	return d.servers.start(ctx, id)
}

// StopContainer asks the server to end, kills it after the grace period, and returns when nothing of it runs any more.
func (d *Driver) StopContainer(ctx context.Context, id string) error {
	return d.servers.stop(ctx, id, true)
}

// RemoveContainer kills the server if it runs, and forgets it. Its data stay.
func (d *Driver) RemoveContainer(ctx context.Context, id string, _ bool) error {
	return d.servers.remove(ctx, id)
}

// RenameContainer changes the record's name.
func (d *Driver) RenameContainer(_ context.Context, id, name string) error {
	return d.servers.change(id, func(r *record) { r.Name = name })
}

// Exec always fails: there is no container to run a command in. The gates of native services need it for nothing.
func (d *Driver) Exec(context.Context, string, []string) (probe.Execution, error) {
	return probe.Execution{}, errors.New("cannot run a command: a native service has no container")
}

// Events tells from the records what was the last to happen, and then, without until, what happens.
func (d *Driver) Events(ctx context.Context, project string, since, until time.Time) (<-chan infra.EngineEvent, error) {
	return d.servers.tellEvents(ctx, project, since, until.IsZero())
}

// Logs are the lines of the server's output since the container was made. Their times are the server's own; a line without
// one has that of the line before.
func (d *Driver) Logs(ctx context.Context, id string, o infra.LogOptions) (<-chan infra.LogLine, error) {
	return d.servers.logs.lines(ctx, id, o)
}

// Exited takes the keeper's word that a server has ended, and acks it; false: the launch is none of a server. An end that
// this driver does not follow stays with the keeper until somebody looks at the service.
func (d *Driver) Exited(e keeper.Exit) bool { return d.servers.lives.exited(e) }

// EndAdopted stops a project's servers that an earlier keeper has launched. The present one's own are left to it.
func (d *Driver) EndAdopted(ctx context.Context, project string) error {
	return d.servers.endAdopted(ctx, project)
}
