package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"devstack/daemon/api"
	"devstack/stack"
	"devstack/view"
)

// will is what commands have decided about apps and no file says: that one stays stopped, or that one with autostart: false
// runs. It is a value: each change makes another.
type will struct {
	Stopped map[string]bool `json:"stopped"` // by stop or delete
	Started map[string]bool `json:"started"` // although autostart is false
	// LeftOut are stopped apps that a resurrect has not started. What needs one of them ran without it before, and does not
	// wait for it now.
	LeftOut map[string]bool `json:"left_out"`
	// Booting says that this daemon's own up is not done yet: the next daemon does it again.
	Booting bool `json:"booting"`
}

// ran is the will after these apps were started.
func (w will) ran(apps ...stack.App) will {
	w.Stopped, w.Started, w.LeftOut = copied(w.Stopped), copied(w.Started), copied(w.LeftOut)
	for _, app := range apps {
		delete(w.Stopped, app.Name)
		delete(w.LeftOut, app.Name)
		if !app.Autostart {
			w.Started[app.Name] = true
		}
	}
	return w
}

// stopped is the will after these apps were stopped or deleted.
func (w will) stopped(names ...string) will {
	w.Stopped, w.Started = copied(w.Stopped), copied(w.Started)
	for _, name := range names {
		w.Stopped[name] = true
		delete(w.Started, name)
	}
	return w
}

// wants says whether an app is to run.
func (w will) wants(app stack.App) bool {
	return !w.Stopped[app.Name] && (app.Autostart || w.Started[app.Name])
}

func copied(m map[string]bool) map[string]bool {
	if m == nil {
		return map[string]bool{}
	}
	return maps.Clone(m)
}

// rememberedVersion is of resurrect.json; a newer one is not read.
const rememberedVersion = 1

// remembered is resurrect.json: of the will what outlives `down` and a reboot. It names apps and holds no environment.
type remembered struct {
	Version   int            `json:"version"`
	SavedAt   time.Time      `json:"saved_at"`
	Stopped   []string       `json:"stopped"`
	Started   []string       `json:"started"`
	Instances map[string]int `json:"instances"` // of apps that were scaled
}

func (d *Daemon) rememberedPath() string { return filepath.Join(d.home.StateDir, "resurrect.json") }

// toRemember is what a desired state leaves behind.
func (d *desired) toRemember(now time.Time) remembered {
	r := remembered{
		Version: rememberedVersion, SavedAt: now, Instances: map[string]int{},
		Stopped: orEmpty(slices.Sorted(maps.Keys(d.Will.Stopped))), Started: orEmpty(slices.Sorted(maps.Keys(d.Will.Started))),
	}
	for _, app := range d.Stack.Apps {
		if d.Scaled[app.Name] {
			r.Instances[app.Name] = app.Count()
		}
	}
	return r
}

// remember writes resurrect.json.
func (d *Daemon) remember(want *desired) (remembered, error) {
	r := want.toRemember(time.Now())
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return r, err
	}
	d.remembering.Lock() // not saving: exits are acked only after a save
	defer d.remembering.Unlock()
	return r, WriteFile(d.rememberedPath(), append(data, '\n'))
}

// recall reads resurrect.json. None is as good as an empty one.
func (d *Daemon) recall() (remembered, error) {
	data, err := os.ReadFile(d.rememberedPath())
	if errors.Is(err, fs.ErrNotExist) {
		return remembered{}, nil
	}
	var r remembered
	if err == nil {
		r, err = parseRemembered(data)
	}
	if err != nil {
		return remembered{}, fmt.Errorf("cannot use %s: %w", d.rememberedPath(), err)
	}
	return r, nil
}

func parseRemembered(data []byte) (remembered, error) {
	var r remembered
	if err := json.Unmarshal(data, &r); err != nil {
		return remembered{}, fmt.Errorf("it is damaged: %w", err)
	}
	if r.Version < 1 || r.Version > rememberedVersion {
		return remembered{}, fmt.Errorf("it has version %d, this devstackd knows %d", r.Version, rememberedVersion)
	}
	return r, nil
}

// will is what was remembered about the apps that there are.
func (r remembered) will(st *stack.Stack) will {
	w := will{Stopped: map[string]bool{}, Started: map[string]bool{}, LeftOut: map[string]bool{}}
	for _, app := range st.Apps {
		switch {
		case slices.Contains(r.Stopped, app.Name):
			w.Stopped[app.Name], w.LeftOut[app.Name] = true, true
		case slices.Contains(r.Started, app.Name) && !app.Autostart:
			w.Started[app.Name] = true
		}
	}
	return w
}

// rescale gives the apps of st the numbers of instances that were remembered, and returns which have another one than the
// file says.
func (r remembered) rescale(st *stack.Stack) map[string]bool {
	scaled := map[string]bool{}
	for i, app := range st.Apps {
		if n := r.Instances[app.Name]; n >= 1 && n <= maxScale && n != app.Count() {
			st.Apps[i].Instances, scaled[app.Name] = n, true
		}
	}
	return scaled
}

// resurrected are the names to run: everything that up would run and what was started beside it, but not what was stopped.
func resurrected(st *stack.Stack, w will) ([]string, error) {
	var roots []string
	for _, n := range st.Graph() {
		i := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == n.Name })
		if n.Service || w.wants(st.Apps[i]) {
			roots = append(roots, n.Name)
		}
	}
	if len(roots) == 0 {
		return nil, nil
	}
	names, err := st.Closure(roots...)
	return slices.DeleteFunc(names, func(name string) bool { return w.Stopped[name] }), err
}

// decision is what an up means before anything is looked at.
type decision struct {
	names  []string
	will   will
	scaled map[string]bool
	notes  []string
}

// decide says what to run. A resurrect goes by what was remembered, which changes the numbers of instances in st; all others
// take back what they start.
func (d *Daemon) decide(st *stack.Stack, req api.UpRequest) (decision, error) {
	past, err := d.recall()
	made := decision{scaled: map[string]bool{}}
	if err != nil && req.Resurrect {
		d.log.Warn("cannot resurrect", "err", err)
		made.notes = []string{err.Error() + ": nothing is known to be stopped or scaled"}
	}
	d.mu.Lock()
	old := d.desired
	d.mu.Unlock()
	made.will = past.will(st)
	if req.Resurrect {
		made.scaled = past.rescale(st)
		made.names, err = resurrected(st, made.will)
	} else {
		made.names, err = wanted(st, req.Names, req.Only)
		made.will.LeftOut = nil
		if old != nil {
			made.will = old.Will
		}
		if len(req.Names) == 0 {
			made.will.Stopped, made.will.LeftOut = nil, nil
		}
		if len(req.Names) == 0 && old == nil {
			made.will.Started = nil
		}
		made.will = made.will.ran(slices.DeleteFunc(slices.Clone(st.Apps), func(a stack.App) bool { return !slices.Contains(made.names, a.Name) })...)
	}
	made.will.Booting = d.booting.Load()
	return made, err
}

// stayStopped notes the apps of which nothing is to run after s was stopped, so that a resurrect leaves them so.
func (d *Daemon) stayStopped(ctx context.Context, s selection) *api.Result {
	next, names, ids := d.desiredCopy(), s.apps(), s.ids()
	for _, p := range d.procs.Snapshot() {
		if !p.Leaving && !slices.Contains(ids, p.ID) && (p.Status != view.Stopped || p.Pid != nil) {
			names = slices.DeleteFunc(names, func(name string) bool { return name == p.Name })
		}
	}
	next.Will = next.Will.stopped(names...)
	return d.adopt(ctx, next)
}

// saveNow is `devstack save`.
func (d *Daemon) saveNow() (api.Saved, *api.Error) {
	d.mu.Lock()
	want := d.desired
	d.mu.Unlock()
	if want == nil {
		return api.Saved{}, unknownName(nil, "")
	}
	r, err := d.remember(want)
	if err != nil {
		return api.Saved{}, &api.Error{Exit: api.ExitBug, Message: "cannot save: " + err.Error()}
	}
	return api.Saved{Path: d.rememberedPath(), SavedAt: r.SavedAt, Stopped: r.Stopped, Started: r.Started, Instances: r.Instances}, nil
}

// gated are the apps with the dependencies that they wait for.
func (d *desired) gated() []stack.App {
	if len(d.Will.LeftOut) == 0 {
		return d.Stack.Apps
	}
	apps := slices.Clone(d.Stack.Apps)
	for i := range apps {
		apps[i].DependsOn = slices.DeleteFunc(slices.Clone(apps[i].DependsOn), func(dep stack.Dependency) bool {
			return !dep.Service && d.Will.LeftOut[dep.Name]
		})
	}
	return apps
}
