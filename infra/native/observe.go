package native

import (
	"context"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
	"devstack/procs/keeper"
	"devstack/view"
)

// networkID: there are no networks, so one of each name has always been there.
func networkID(name string) string { return "native:" + name }

// Observe reads the records. The networks and volumes that p names count as made; with p nil, the volumes are the data
// directories, by their paths.
func (d *Driver) Observe(ctx context.Context, project string, p *types.Project) (infra.Observed, error) {
	obs := infra.Observed{Networks: map[string][]infra.Network{}, Volumes: map[string]infra.Volume{}, Images: map[string]infra.Image{}}
	all, err := d.records(ctx, project)
	if err != nil {
		return obs, err
	}
	for _, r := range all {
		obs.Containers = append(obs.Containers, d.settled(ctx, r).container(d.layout.place(r.Project, r.Service).data()))
	}
	labels := map[string]string{infra.LabelProject: project}
	if p == nil {
		places, err := d.layout.services(project)
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
		if have, err := d.programFor(d.layout.place(project, name), kind, major); err == nil {
			obs.Images[infra.ImageName(p.Name, s)] = infra.Image{ID: have.id(), TaggedAt: time.Now()}
		}
	}
	return obs, nil
}

// programFor is the host's program for a service. Data that are there already decide about the version of postgres, as long
// as the host has it.
func (d *Driver) programFor(at place, k kind, major int) (program, error) {
	have, err := d.finder.find(k, major)
	if err != nil || k != postgres {
		return have, err
	}
	if of := dataVersion(at); of != 0 && of != have.major() {
		if other, err := d.finder.find(k, of); err == nil && other.major() == of {
			return other, nil
		}
	}
	return have, nil
}

// Inspect is one record.
func (d *Driver) Inspect(ctx context.Context, id string) (infra.Container, error) {
	r, err := d.layout.load(id)
	if err != nil {
		return infra.Container{}, err
	}
	return d.settled(ctx, r).container(d.layout.place(r.Project, r.Service).data()), nil
}

// container is a record in the words of an engine.
func (r record) container(data string) infra.Container {
	def := r.Definition
	c := infra.Container{
		ID: r.ID, Name: r.Name, Service: r.Service, Labels: r.Labels, Image: r.Image, State: r.State,
		ExitCode: r.ExitCode, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt, EngineHealth: "none",
		Argv: def.Argv, Networks: def.Networks, Mounts: def.Mounts, Data: data,
		Ports: []view.PublishedPort{{HostIP: def.HostIP, HostPort: r.Port, ContainerPort: def.Login.Port, Protocol: "tcp"}},
	}
	if c.State == starting {
		c.State = created
	}
	for key, value := range def.Env {
		c.Env = append(c.Env, key+"="+value)
	}
	slices.Sort(c.Env)
	return c
}

// alive says that the recorded process is the server still. Its lock tells it from another one after a reboot.
func (d *Driver) alive(r record) bool {
	return r.State == running && r.Pid != 0 && keeper.Runs(r.Pid, r.Start) && locked(d.layout.place(r.Project, r.Service).lock())
}

// locked says whether any process of a server lives.
func locked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err {
		case syscall.EINTR:
		default:
			return err == syscall.EWOULDBLOCK
		}
	}
}

// settled is a record after a look at its process: what ended while nobody watched has ended.
func (d *Driver) settled(ctx context.Context, r record) record {
	if r.State != starting && r.State != running || d.watched(r) {
		return r
	}
	d.acting.Lock()
	defer d.acting.Unlock()
	now, err := d.layout.load(r.ID)
	if err != nil || now.Generation != r.Generation || now.State != starting && now.State != running || d.watched(now) {
		if err == nil {
			r = now
		}
		return r
	}
	row, known := d.row(ctx, now.key())
	switch {
	case now.State == starting && known && row.Exit == nil:
		now.began(row.Launched)
	case now.State == starting:
		d.findPid(&now)
	}
	if d.alive(now) {
		if now.Pid != r.Pid && d.keeper != nil {
			d.keep(now)
		}
		return now
	}
	exit := row.Exit
	if exit == nil {
		exit = d.orderly(now)
	}
	now.ended(exit, false)
	if d.keeper == nil {
		return now // whoever has the keeper may know more
	}
	d.keep(now)
	d.ack(now.key())
	return now
}

// began notes a launch.
func (r *record) began(l keeper.Launched) {
	r.State, r.Pid, r.Start, r.StartedAt = running, l.Pid, l.StartTime, l.At
	r.FinishedAt, r.ExitCode, r.Asked, r.Stopped = time.Time{}, 0, false, false
}

// found notes a launch whose process was found by the pid that it has written itself.
func (r *record) found(pid int, at time.Time) {
	r.began(keeper.Launched{Pid: pid, StartTime: keeper.StartTime(pid), At: at})
}

// ended notes a death. A server that ends with 0 by itself was asked to: by redis-cli shutdown, pg_ctl stop or kill -TERM.
func (r *record) ended(e *keeper.Exit, byUs bool) {
	r.State, r.Pid, r.Stopped = exited, 0, byUs
	r.FinishedAt, r.ExitCode = time.Now(), -1
	if e != nil {
		r.FinishedAt, r.ExitCode = e.At, e.Code
		if e.Signal != 0 {
			r.ExitCode = 128 + e.Signal
		}
	}
	r.Asked = !byUs && r.ExitCode == 0
}

// keep saves a record where there is nobody to tell of a failure: the truth is looked up again next time.
func (d *Driver) keep(r record) {
	if err := d.layout.save(r); err != nil {
		d.log.Warn("cannot record what became of a service", "service", r.Service, "err", err)
	}
}

// row is what the keeper knows about a launch.
func (d *Driver) row(ctx context.Context, key keeper.Key) (keeper.Running, bool) {
	if d.keeper == nil {
		return keeper.Running{}, false
	}
	list, err := d.keeper.List(ctx)
	if err != nil {
		d.log.Warn("cannot ask the keeper for its servers", "err", err)
	}
	n := slices.IndexFunc(list, func(r keeper.Running) bool { return r.Key == key })
	if n < 0 {
		return keeper.Running{}, false
	}
	return list[n], true
}

func (d *Driver) ack(key keeper.Key) {
	if err := d.keeper.Ack(d.ctx, key); err != nil && d.ctx.Err() == nil {
		d.log.Warn("cannot ack the end of a server", "service", key.App, "err", err)
	}
}
