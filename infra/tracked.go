package infra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/probe"
)

// Words of Service.
const (
	absent     = "absent"
	byDevstack = "devstack"
	byOther    = "other"
)

// tracked is one service as it is kept in memory.
type tracked struct {
	view      Service
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
	v.DependsOn, v.Volumes, v.Networks = nil, nil, nil
	for _, name := range sorted(s.DependsOn) {
		v.DependsOn = append(v.DependsOn, Dependency{name, s.DependsOn[name].Condition})
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
func (t *tracked) snapshot() Service {
	v := t.view
	v.RepairAttempts = t.failures
	if v.StoppedBy == byOther {
		v.StoppedAt = t.decidedAt
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
	v.ID, v.ContainerName, v.State, v.EngineHealth = c.ID, c.Name, c.State, c.EngineHealth
	v.Image, v.StartedAt = c.Image, c.StartedAt
	if len(c.Ports) > 0 {
		v.Ports = c.Ports
	}
}

// down is the verdict about a container that does not run.
func (t *tracked) down(health Health, detail string) {
	t.closeGate()
	t.view.Ready, t.view.Health, t.view.Detail = false, health, detail
}

// gone notes that there is no container.
func (t *tracked) gone() {
	t.container = Container{}
	t.view.ID, t.view.State, t.view.EngineHealth = "", absent, "none"
}

// looked keeps one probe result. A result that only repeats the last one replaces it.
func (t *tracked) looked(r probe.Result, at time.Time) {
	records := t.view.Probes
	if n := len(records); n > 0 && records[n-1].Result == r {
		records = records[:n-1]
	}
	records = append(slices.Clone(records), ProbeRecord{At: at, Result: r})
	t.view.Probes = records[max(0, len(records)-5):]
}

// died keeps one death. A look at the container and the engine's event may both tell of the same one: of the same start.
func (t *tracked) died(e Exit) {
	exits := slices.Clone(t.view.Exits)
	if n := len(exits); n > 0 && e.Uptime > 0 && exits[n-1].began().Equal(e.began()) {
		if len(e.LastLines) == 0 {
			e.LastLines = exits[n-1].LastLines
		}
		exits = exits[:n-1]
	}
	exits = append(exits, e)
	t.view.Exits = exits[max(0, len(exits)-20):]
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
func (i *Infra) tell(e Event) {
	i.telling.Lock()
	defer i.telling.Unlock()
	i.publish(e)
}

func differences(before, after Service) []Event {
	var out []Event
	cause := after.Detail
	if after.StoppedBy != "" {
		cause = "stopped by " + after.StoppedBy
	}
	if before.State != after.State {
		out = append(out, Event{Service: after.Name, Kind: "service", From: before.State, To: after.State, Cause: cause})
	}
	if before.Health != after.Health {
		out = append(out, Event{Service: after.Name, Kind: "service", From: string(before.Health), To: string(after.Health), Cause: cause})
	}
	if before.Ready != after.Ready {
		words := map[bool]string{true: "ready", false: "not ready"}
		out = append(out, Event{Service: after.Name, Kind: "ready", From: words[before.Ready], To: words[after.Ready], Cause: cause})
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
				t.down(Stopped, "the container was removed")
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
			t.view.Health, t.view.Ready, t.view.Detail = Healthy, true, "completed"
		case c.State == "exited" && t.oneShot:
			t.down(Unhealthy, fmt.Sprintf("ended with exit code %d", c.ExitCode))
		case c.State == "paused":
			t.down(Stopped, "paused")
		case c.State == "restarting":
			t.down(Starting, fmt.Sprintf("ended with exit code %d, the engine restarts it", c.ExitCode))
		case t.view.StoppedBy != "":
			t.down(Stopped, "stopped by "+t.view.StoppedBy)
		default:
			t.down(Stopped, fmt.Sprintf("%s, exit code %d", c.State, c.ExitCode))
		}
	})
}

func exitOf(c Container) Exit {
	e := Exit{Code: c.ExitCode, OOM: c.OOMKilled, At: c.FinishedAt}
	if c.FinishedAt.After(c.StartedAt) {
		e.Uptime = c.FinishedAt.Sub(c.StartedAt)
	} else {
		e.At = c.StartedAt // it ended before the engine had noted that it began
	}
	return e
}
