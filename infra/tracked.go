package infra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/probe"
	"devstack/view"
)

// tracked is one service as it is kept in memory.
type tracked struct {
	view      view.ServiceDetails
	container Container // as last seen; its ID is empty while there is none
	oneShot   bool

	wanted bool            // it shall run; false after Stop
	ours   map[string]bool // containers that a plan is stopping or removing: their events mean nothing
	busy   bool            // a plan is about to start it: no repair meanwhile

	events    []EngineEvent // of the container since its last start
	decidedAt time.Time     // when somebody else stopped it
	gate      *openGate     // of the running container; nil while it does not run
	done      bool          // a one-shot that ended with 0
	repairing bool
	failures  int // repairs and quick deaths in a row
}

// openGate is the probing of one start of a container.
type openGate struct {
	id      string
	started time.Time
	cancel  context.CancelFunc
	passed  bool
}

// define fills what the Compose file says.
func (t *tracked) define(driver string, p *types.Project, s types.ServiceConfig) {
	t.oneShot = OneShot(p, s)
	v := &t.view
	v.Name, v.Driver, v.Image, v.ContainerName = s.Name, driver, ImageName(p.Name, s), ContainerName(p.Name, s)
	v.DependsOn, v.Volumes, v.Networks = []view.DependsOn{}, []string{}, []string{}
	for _, name := range sorted(s.DependsOn) {
		v.DependsOn = append(v.DependsOn, view.DependsOn{Name: name, Condition: s.DependsOn[name].Condition})
	}
	for _, mount := range s.Volumes {
		v.Volumes = append(v.Volumes, first(mount.Source, "(anonymous)")+":"+mount.Target)
	}
	for _, key := range sorted(s.Networks) {
		v.Networks = append(v.Networks, first(p.Networks[key].Name, key))
	}
	if t.container.ID == "" {
		v.Ports = DeclaredPorts(s)
	}
}

// snapshot is a copy that shares nothing that changes.
func (t *tracked) snapshot() view.ServiceDetails {
	v := t.view
	v.RepairAttempts = t.failures
	if v.StoppedBy == view.ByOther {
		v.StoppedAt = orNull(t.decidedAt)
	}
	v.Ports, v.Probes, v.Exits = slices.Clone(v.Ports), slices.Clone(v.Probes), slices.Clone(v.Exits)
	v.DependsOn, v.Volumes, v.Networks = slices.Clone(v.DependsOn), slices.Clone(v.Volumes), slices.Clone(v.Networks)
	return v
}

func (t *tracked) closeGate() {
	if t.gate != nil {
		t.gate.cancel()
		t.gate = nil
	}
}

// fill takes over what the engine says about the container.
func (t *tracked) fill(c Container) {
	if c.ID == t.container.ID && c.Restarts > t.container.Restarts {
		t.view.Restarts += c.Restarts - t.container.Restarts
	}
	t.container = c
	v := &t.view
	v.ID, v.ContainerName, v.State, v.EngineHealth = view.Text(c.ID), c.Name, c.State, c.EngineHealth
	v.Image, v.StartedAt = c.Image, orNull(c.StartedAt)
	if len(c.Ports) > 0 {
		v.Ports = c.Ports
	}
}

// down is the verdict about a container that does not run.
func (t *tracked) down(health view.Health, detail string) {
	t.closeGate()
	t.view.Ready, t.view.Health, t.view.Detail = false, health, detail
}

// gone notes that there is no container.
func (t *tracked) gone() {
	t.container = Container{}
	t.view.ID, t.view.State, t.view.EngineHealth = "", view.Absent, "none"
}

// looked keeps one probe result. A result that only repeats the last one replaces it.
func (t *tracked) looked(r probe.Result, at time.Time) {
	records := t.view.Probes
	if n := len(records); n > 0 && records[n-1].Ready == r.Ready && records[n-1].Detail == r.Detail {
		records = records[:n-1]
	}
	records = append(slices.Clone(records), view.Probe{At: at, Ready: r.Ready, Detail: r.Detail})
	t.view.Probes = records[max(0, len(records)-5):]
}

// died keeps one death. A look at the container and the engine's event may both tell of the same one: of the same start, which
// milliseconds do not tell exactly.
func (t *tracked) died(e view.ExitRecord) {
	exits := slices.Clone(t.view.Exits)
	if n := len(exits); n > 0 && e.UptimeMS > 0 && began(exits[n-1]).Sub(began(e)).Abs() <= time.Millisecond {
		if len(e.LastLines) == 0 {
			e.LastLines = exits[n-1].LastLines
		}
		exits = exits[:n-1]
	}
	exits = append(exits, e)
	t.view.Exits = exits[max(0, len(exits)-20):]
}

// began is when the run had started.
func began(e view.ExitRecord) time.Time {
	return e.At.Add(-time.Duration(e.UptimeMS) * time.Millisecond)
}

// orNull is nil for zero.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// change applies f to one service and publishes what became different. It says whether the service is known.
func (i *Infra) change(service string, f func(*tracked)) bool {
	i.telling.Lock()
	defer i.telling.Unlock()
	i.mu.Lock()
	t := i.tracked[service]
	if t == nil {
		i.mu.Unlock()
		return false
	}
	before := t.view
	f(t)
	events := differences(before, t.view)
	close(i.changed)
	i.changed = make(chan struct{})
	i.mu.Unlock()
	for _, e := range events {
		i.publish(e)
	}
	return true
}

func (i *Infra) changeAll(f func(*tracked)) {
	for _, name := range i.names() {
		i.change(name, f)
	}
}

// tell publishes an event that changes no service.
func (i *Infra) tell(e view.Event) {
	i.telling.Lock()
	defer i.telling.Unlock()
	i.publish(e)
}

func differences(before, after view.ServiceDetails) []view.Event {
	var out []view.Event
	cause := after.Detail
	if after.StoppedBy != "" {
		cause = "stopped by " + string(after.StoppedBy)
	}
	if before.State != after.State {
		out = append(out, view.Event{Resource: after.Name, Kind: view.KindService, From: before.State, To: after.State, Cause: cause})
	}
	if before.Health != after.Health {
		out = append(out, view.Event{Resource: after.Name, Kind: view.KindService, From: string(before.Health), To: string(after.Health), Cause: cause})
	}
	if before.Ready != after.Ready {
		out = append(out, view.Event{Resource: after.Name, Kind: view.KindReady, From: view.ReadyWord(before.Ready), To: view.ReadyWord(after.Ready), Cause: cause})
	}
	return out
}

// refresh looks at a container again.
func (i *Infra) refresh(ctx context.Context, service, id string) {
	c, err := i.driver.Inspect(ctx, id)
	if errors.Is(err, ErrNotFound) {
		i.change(service, func(t *tracked) {
			if t.container.ID == id {
				t.gone()
				t.down(view.HealthStopped, "the container was removed")
			}
		})
		return
	}
	if err != nil {
		i.log.Debug("cannot look at a container", "service", service, "err", err)
		return
	}
	i.see(c)
}

// see takes over the present state of a container, and arms its gate if it runs and was not seen running before.
func (i *Infra) see(c Container) {
	i.change(c.Service, func(t *tracked) {
		t.fill(c)
		switch {
		case c.State == "running":
			i.arm(t, c)
		case c.State == "exited" && t.oneShot && c.ExitCode == 0:
			if len(t.view.Exits) == 0 {
				t.died(exitOf(c))
			}
			t.closeGate()
			t.done = true
			t.view.Health, t.view.Ready, t.view.Detail = view.HealthHealthy, true, "completed"
		case c.State == "exited" && t.oneShot:
			t.down(view.HealthUnhealthy, fmt.Sprintf("ended with exit code %d", c.ExitCode))
		case c.State == "paused":
			t.down(view.HealthStopped, "paused")
		case c.State == "restarting":
			t.down(view.HealthStarting, fmt.Sprintf("ended with exit code %d, the engine restarts it", c.ExitCode))
		case t.view.StoppedBy != "":
			t.down(view.HealthStopped, "stopped by "+string(t.view.StoppedBy))
		default:
			t.down(view.HealthStopped, fmt.Sprintf("%s, exit code %d", c.State, c.ExitCode))
		}
	})
}

func exitOf(c Container) view.ExitRecord {
	at, uptime := c.FinishedAt, c.FinishedAt.Sub(c.StartedAt)
	if uptime <= 0 {
		at, uptime = c.StartedAt, 0 // it ended before the engine had noted that it began
	}
	return exited(c.ExitCode, c.OOMKilled, at, uptime)
}

// exited is an exit that nobody is known to have asked for; code -1: nobody knows it.
func exited(code int, outOfMemory bool, at time.Time, uptime time.Duration) view.ExitRecord {
	e := view.ExitRecord{Exit: view.Exit{Reason: view.Crash, At: at}, UptimeMS: uptime.Milliseconds(), LastLines: []string{}}
	if code >= 0 {
		e.Code = &code
	}
	if outOfMemory {
		e.Reason = view.Memory
	}
	return e
}
