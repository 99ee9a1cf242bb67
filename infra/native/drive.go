package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
	"devstack/probe"
	"devstack/procs/keeper"
)

// Pull finds the program: nothing can be fetched.
func (d *Driver) Pull(_ context.Context, s types.ServiceConfig, _ func(current, total int64)) error {
	kind, major := recognise(s.Image)
	_, err := d.finder.find(kind, major)
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
	project := filepath.Dir(filepath.Dir(name))
	if string(d.layout.place(filepath.Base(project), filepath.Base(name))) != name {
		return fmt.Errorf("%s is not the data directory of a service", name)
	}
	if locked(place(name).lock()) {
		return fmt.Errorf("a server still uses %s", name)
	}
	if err := os.RemoveAll(name); err != nil {
		return err
	}
	// With the last service go the directories above, if nothing else is in them.
	for _, dir := range []string{filepath.Dir(name), filepath.Join(project, "records"), project, filepath.Dir(project)} {
		_ = os.Remove(dir)
	}
	return nil
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
	at := d.layout.place(r.Project, r.Service)
	if r.Program, err = d.programFor(at, def.Kind, def.Major); err != nil {
		return "", err
	}
	user, err := accountOf(def.Kind)
	if err != nil {
		return "", err
	}
	if err := user.open(string(at)); err != nil {
		return "", err
	}
	if err := d.makeData(ctx, r, user); err != nil {
		return "", err
	}
	return r.ID, d.layout.save(r)
}

// makeData makes the data directory of a service that has none yet.
func (d *Driver) makeData(ctx context.Context, r record, user account) error {
	at := d.layout.place(r.Project, r.Service)
	if isDir(at.data()) {
		return nil
	}
	if r.Definition.Kind == postgres {
		return d.makeDatabase(ctx, r, at, user)
	}
	return user.private(at.data())
}

// Waiting for what is left of an earlier server: gently, then with force.
const (
	lockTime  = 5 * time.Second
	lockAgain = 20 * time.Millisecond
)

// StartContainer launches the server. One that runs is no error.
func (d *Driver) StartContainer(ctx context.Context, id string) error {
	r, err := d.layout.load(id)
	if err != nil {
		return err
	}
	if r = d.settled(ctx, r); r.State == running {
		return nil
	}
	if d.keeper == nil {
		return errors.New("native services are started by the daemon alone")
	}
	at := d.layout.place(r.Project, r.Service)
	if err := d.waitUnlocked(ctx, at); err != nil {
		return err
	}
	user, err := accountOf(r.Definition.Kind)
	if err != nil {
		return err
	}
	launch, err := d.prepare(ctx, &r, at, user)
	if err != nil {
		return err
	}
	r.State, r.Generation, r.Pid = starting, time.Now().UnixNano(), 0
	launch.Key = r.key()
	if err := d.layout.save(r); err != nil {
		return err // the disk is full: nobody would find the server again
	}
	life := d.newRun(r, true)
	// Whoever gives up now would not know whether it runs.
	launched, err := d.keeper.Launch(context.WithoutCancel(ctx), launch)
	if errors.Is(err, keeper.ErrGone) {
		d.forget(r, life)
		return err // nor do we: it stays "starting" until somebody looks
	}
	if err != nil {
		d.forget(r, life)
		r.ended(nil, true)
		d.keep(r)
		return err
	}
	r.began(launched)
	if err := d.layout.save(r); err != nil {
		keeper.SignalServer(r.Pid, r.Start, syscall.SIGKILL)
		d.watch(r, life)
		return err
	}
	d.tell(r.Project, r.history()...)
	d.watch(r, life)
	return nil
}

// prepare writes what the server reads at its start and chooses its port.
func (d *Driver) prepare(ctx context.Context, r *record, at place, user account) (keeper.Launch, error) {
	var launch keeper.Launch
	if err := user.open(string(at)); err != nil {
		return launch, err
	}
	if err := d.makeData(ctx, *r, user); err != nil {
		return launch, err
	}
	if err := d.choosePort(ctx, r, at); err != nil {
		return launch, err
	}
	rotate(at.log())
	announce(at.log(), fmt.Sprintf("starting %s %s on port %d", r.Program.Kind, r.Program.Version, r.Port))
	_ = os.RemoveAll(at.files())
	if err := user.open(at.files()); err != nil {
		return launch, err
	}
	options, err := placeFiles(r.Definition.Options, at, user)
	if err != nil {
		return launch, err
	}
	launch = keeper.Launch{
		Dir: at.data(), Env: serverEnv(at.data()),
		Server: &keeper.Server{Lock: at.lock(), Output: at.log(), UID: user.uid, GID: user.gid},
		Grace:  keeper.Grace{Signal: int(r.stopSignal()), Timeout: r.Definition.Grace},
	}
	if r.Definition.Kind == postgres {
		if err := d.readyForPostgres(*r, at); err != nil {
			return launch, err
		}
		launch.Argv = postgresArgv(*r, at, options)
		return launch, nil
	}
	path := filepath.Join(at.files(), "redis.conf")
	launch.Argv = []string{r.Program.Path, r.Program.literal(path)}
	return launch, user.write(path, strings.NewReader(redisConfig(*r, at, options)))
}

// placeFiles copies the files that options name to where the server's user can read them.
func placeFiles(options []option, at place, user account) ([]option, error) {
	out := slices.Clone(options)
	for n, o := range out {
		if !o.File {
			continue
		}
		text, err := os.ReadFile(o.Values[0])
		if err != nil {
			return nil, err
		}
		path := filepath.Join(at.files(), fmt.Sprintf("%d-%s", n, filepath.Base(o.Values[0])))
		if o.Name == "" {
			text = []byte(foreign(string(text)))
		}
		if err := user.write(path, bytes.NewReader(text)); err != nil {
			return nil, err
		}
		out[n].Values = []string{path}
	}
	return out, nil
}

// stopSignal is the gentle one that does not wait for clients.
func (r record) stopSignal() syscall.Signal {
	if r.Definition.Kind == postgres {
		return syscall.SIGINT
	}
	return syscall.SIGTERM
}

// StopContainer asks the server to end, kills it after the grace period, and returns when nothing of it runs any more.
func (d *Driver) StopContainer(ctx context.Context, id string) error {
	return d.stop(ctx, id, true)
}

func (d *Driver) stop(ctx context.Context, id string, gently bool) error {
	r, err := d.layout.load(id)
	if errors.Is(err, infra.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	at := d.layout.place(r.Project, r.Service)
	if r = d.settled(ctx, r); r.State != running {
		return nil
	}
	life := d.follow(ctx, r)
	d.mu.Lock()
	life.stopped = true
	d.mu.Unlock()
	if gently {
		keeper.SignalServer(r.Pid, r.Start, r.stopSignal())
		select {
		case <-life.over:
			return d.waitUnlocked(ctx, at)
		case <-time.After(r.Definition.Grace):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	keeper.SignalServer(r.Pid, r.Start, syscall.SIGKILL)
	select {
	case <-life.over:
		return d.waitUnlocked(ctx, at)
	case <-time.After(lockTime):
		return fmt.Errorf("the server (pid %d) does not end", r.Pid)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// EndAdopted stops a project's servers that an earlier keeper has launched. The present one's own are left to it.
func (d *Driver) EndAdopted(ctx context.Context, project string) error {
	all, err := d.records(ctx, project)
	for _, r := range slices.Backward(all) {
		if _, own := d.row(ctx, r.key()); !own {
			err = errors.Join(err, d.StopContainer(ctx, r.ID))
		}
	}
	return err
}

// waitUnlocked returns when no process of the server lives. What a killed postmaster has left behind would have died with
// its container: after half of the time it is killed. A server that nobody knew of is asked to end before.
func (d *Driver) waitUnlocked(ctx context.Context, at place) error {
	began, killed := time.Now(), false
	if locked(at.lock()) {
		askToEnd(at)
	}
	again := time.NewTicker(lockAgain)
	defer again.Stop()
	for locked(at.lock()) {
		switch waited := time.Since(began); {
		case waited > lockTime:
			return fmt.Errorf("processes of an earlier server still use %s", at.data())
		case waited > lockTime/2 && !killed:
			killed = true
			killLeftovers(ctx, at)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// askToEnd signals a server that its own file names. For each kind SIGINT is an end in order.
func askToEnd(at place) {
	for _, name := range []string{redisPid, postgresPid} {
		if pid, _ := pidIn(filepath.Join(at.data(), name)); pid != 0 {
			keeper.SignalServer(pid, keeper.StartTime(pid), syscall.SIGINT)
		}
	}
}

// RemoveContainer kills the server if it runs, and forgets it. Its data stay.
func (d *Driver) RemoveContainer(ctx context.Context, id string, _ bool) error {
	if err := d.stop(ctx, id, false); err != nil {
		return err
	}
	d.acting.Lock()
	defer d.acting.Unlock()
	r, err := d.layout.load(id)
	if errors.Is(err, infra.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Remove(d.layout.recordPath(r.Project, id)); err != nil {
		return err
	}
	d.tell(r.Project, infra.EngineEvent{At: time.Now(), Container: id, Service: r.Service, Action: "destroy"})
	return nil
}

// RenameContainer changes the record's name.
func (d *Driver) RenameContainer(_ context.Context, id, name string) error {
	d.acting.Lock()
	defer d.acting.Unlock()
	r, err := d.layout.load(id)
	if err != nil {
		return err
	}
	r.Name = name
	return d.layout.save(r)
}

// Exec has nothing to run in. The gates of native services need it for nothing.
func (d *Driver) Exec(context.Context, string, []string) (probe.Execution, error) {
	return probe.Execution{}, errors.New("a native service has no container to run commands in")
}
