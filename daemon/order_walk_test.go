package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/procs"
	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
)

// A random walk over random graphs, in virtual time: whatever commands, changed files and deaths come, no app is launched
// while something that it depends on is not as far as it asks, or is about to be run anew by a command. DEVSTACK_ROUNDS says
// how many walks; the default takes a second or two.
func TestOrderInRandomWalks(t *testing.T) {
	rounds := 12
	if text := os.Getenv("DEVSTACK_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	for seed := range uint64(rounds) {
		passed := t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) { walk(t, dir, seed) })
		})
		if !passed {
			return
		}
	}
}

func walk(t *testing.T, dir string, seed uint64) {
	w := newWorld(t, dir, seed)
	defer func() { w.end() }() // of the last daemon
	for range 25 {
		if w.happen(); t.Failed() {
			return
		}
	}
	w.comeToRest()
}

// world is a project with its files, the keeper and the engine that run it, and a daemon.
type world struct {
	t      *testing.T
	r      *rand.Rand // of the walk alone
	seed   uint64
	dir    string
	d      *Daemon
	stop   context.CancelFunc
	began  time.Time
	all    sync.WaitGroup // commands, and what supervises
	apps   []stack.App    // as the file names them
	made   map[string]int // by name of an app or a service: which definition the file has now
	has    map[string]int // and which one the stack has
	docker *fakeEngine

	mu     sync.Mutex // guards what follows
	calm   bool       // nothing dies any more
	blob   []byte
	runs   map[string]*worldRun
	floors map[string]time.Time // of services: a run that began before it is about to end
	begun  int
}

func newWorld(t *testing.T, dir string, seed uint64) *world {
	w := &world{
		t: t, began: time.Now(), r: rand.New(rand.NewPCG(seed, 2)), seed: seed, dir: dir,
		made: map[string]int{}, has: map[string]int{}, runs: map[string]*worldRun{}, floors: map[string]time.Time{},
	}
	var names []string
	services := w.r.IntN(4)
	for n := range 3 + w.r.IntN(9) {
		name, service := fmt.Sprintf("n%d", n), n < services
		app := stack.App{Name: name, Instances: 1, OneShot: w.r.IntN(3) == 0}
		if !app.OneShot && w.r.IntN(4) == 0 {
			app.Instances = 2
		}
		for m, other := range names {
			if w.r.IntN(3) > 0 || service {
				continue
			}
			dep := stack.Dependency{Name: other, Service: m < services, Condition: stack.Healthy}
			if m >= services && w.app(other).OneShot {
				dep.Condition = stack.Completed
			} else if w.r.IntN(4) == 0 {
				dep.Condition = stack.Started
			}
			app.DependsOn = append(app.DependsOn, dep)
		}
		names = append(names, name)
		if !service {
			w.apps = append(w.apps, app)
		}
		w.made[name] = 1
	}
	w.docker = &fakeEngine{w: w, events: make(chan infra.EngineEvent, 10000)}
	w.write(names[:services])
	w.begin()
	if services > 0 {
		st, refused := load(t.Context(), api.Files{File: w.file()}, nil, nil)
		if refused != nil {
			t.Fatal(refused)
		}
		st.Apps = nil
		w.d.mu.Lock()
		w.d.intent = intent{Stack: st, Services: names[:services], lasting: lasting{Driver: driverDocker}}
		w.d.mu.Unlock()
		w.d.containers.set(w.d.containers.newEngine(w.docker))
	}
	return w
}

func (w *world) file() string { return filepath.Join(w.dir, "ecosystem.yaml") }

func (w *world) app(name string) stack.App {
	return w.apps[slices.IndexFunc(w.apps, func(a stack.App) bool { return a.Name == name })]
}

// write writes the files with the definitions as they are now.
func (w *world) write(services []string) {
	var b, c strings.Builder
	if len(services) > 0 {
		b.WriteString("compose: compose.yaml\n")
	}
	b.WriteString("apps:\n")
	for _, app := range w.apps {
		fmt.Fprintf(&b, "  - name: %s\n    command: [/bin/sh]\n    instances: %d\n    env: {MADE: \"%d\"}\n    restart_delay: 2s\n", app.Name, app.Count(), w.made[app.Name])
		if app.OneShot {
			b.WriteString("    one_shot: true\n")
		} else {
			b.WriteString("    wait_ready: true\n    listen_timeout: 20s\n")
		}
		if len(app.DependsOn) > 0 {
			b.WriteString("    depends_on:\n")
		}
		for _, dep := range app.DependsOn {
			fmt.Fprintf(&b, "      %s: {condition: %s}\n", dep.Name, dep.Condition)
		}
	}
	c.WriteString("services:\n")
	for _, name := range services {
		fmt.Fprintf(&c, "  %s: {image: %s, network_mode: none, volumes: ['.:/data'], environment: {MADE: \"%d\"}, healthcheck: {test: [CMD, check], interval: 1s}}\n", name, name, w.made[name])
	}
	w.must(os.WriteFile(w.file(), []byte(b.String()), 0o600))
	if len(services) > 0 {
		w.must(os.WriteFile(filepath.Join(w.dir, "compose.yaml"), []byte(c.String()), 0o600))
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// begin is the start of a daemon, the first one or the next.
func (w *world) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	d := &Daemon{ctx: ctx, log: log, keeper: w, bus: newBus(time.Now()), changed: newBroadcast(), turn: make(turn, 1)}
	d.home = keeper.Identity{StateDir: w.dir}
	d.work, d.stopWork = context.WithCancelCause(ctx)
	d.file = newIntentFile(w.dir, func(message string) { w.t.Error(message) })
	d.history = &historyFile{path: filepath.Join(w.dir, "state.json"), log: log, warn: func(message string) { w.t.Error(message) }}
	d.containers = &containers{log: log, publish: d.publish, changed: d.changed}
	d.procs = procs.NewManager(procs.Options{Keeper: w, Publish: d.publish, Save: d.saveHistory})
	d.gates = &gates{wanted: d.wanted, containers: d.containers, procs: d.procs, publish: d.bus.publish}
	w.mu.Lock()
	w.d, w.stop = d, cancel
	w.mu.Unlock()
	w.must(d.takeOver(ctx))
	w.all.Go(func() { d.supervise(ctx) })
	w.all.Go(func() { d.file.run(ctx) })
}

// end is the end of the daemon; what it runs goes on.
func (w *world) end() {
	w.stop()
	w.d.endBackground()
	w.all.Wait()
	w.d.procs.Close()
	w.d.containers.set(nil)
}

// happen is one thing that happens.
func (w *world) happen() {
	pass(time.Duration(1+w.r.IntN(4000)) * time.Millisecond)
	synctest.Wait()
	if len(w.d.turn) > 0 {
		return // a command has not got to its processes yet
	}
	defer synctest.Wait()
	defer w.check()
	some, what := w.some(), w.r.IntN(12)
	w.t.Logf("%s: %d with %v", time.Since(w.began), what, some)
	switch what {
	case 0, 1, 2:
		w.up()
	case 3, 4:
		w.rerun(true, some)
	case 5:
		w.rerun(true, nil)
	case 6:
		w.rerun(false, some)
	case 7:
		w.command(func(ctx context.Context) *api.Result { return (&stop{w.d, api.ActionRequest{Names: some}}).run(ctx) })
	case 8:
		w.edit()
	case 9:
		if apps := w.only(some, false); len(apps) > 0 {
			for _, name := range apps { // where it succeeds
				w.has[name] = w.made[name]
			}
			w.command(func(ctx context.Context) *api.Result {
				return (&reload{w.d, api.ActionRequest{Names: apps}}).run(ctx)
			})
		}
	case 10:
		if apps := w.only(some, false); len(apps) > 0 {
			n := 1 + w.r.IntN(3)
			w.command(func(ctx context.Context) *api.Result {
				return (&scale{d: w.d, req: api.ScaleRequest{Name: apps[0], Instances: n}}).run(ctx)
			})
		}
	case 11:
		if len(w.services()) == 0 && w.d.wanted().Stack != nil {
			w.end()
			w.begin()
			return
		}
		w.docker.kill(w.r.IntN(10))
	}
}

// some are names of one to three apps or services.
func (w *world) some() (names []string) {
	for _, n := range w.r.Perm(len(w.made))[:1+w.r.IntN(min(3, len(w.made)))] {
		names = append(names, fmt.Sprintf("n%d", n))
	}
	return names
}

// only are those that are services, or those that are apps.
func (w *world) only(names []string, services bool) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return services == slices.ContainsFunc(w.apps, func(a stack.App) bool { return a.Name == name })
	})
}

func (w *world) services() []string {
	var all []string
	for n := range w.made {
		all = append(all, n)
	}
	slices.Sort(all)
	return w.only(all, true)
}

func (w *world) edit() {
	for _, name := range w.some() {
		w.made[name]++
	}
	w.write(w.services())
}

// command runs one, and does not wait for its end.
func (w *world) command(run func(context.Context) *api.Result) {
	ctx := w.d.actionContext()
	w.all.Go(func() {
		r := run(ctx)
		w.t.Logf("%s: exit %d %s", time.Since(w.began), r.Exit, allReasons(r))
	})
	synctest.Wait()
}

func (w *world) up() {
	w.mu.Lock()
	for _, app := range w.apps {
		changed := w.has[app.Name] != w.made[app.Name]
		for n := range app.Count() {
			r := w.runs[instanceName(app.Name, n)]
			if r != nil && (changed || !r.alive && !r.completed) {
				r.floor = r.Key.Generation
			}
		}
	}
	for _, name := range w.services() {
		if w.has[name] != w.made[name] {
			w.floors[name] = time.Now()
		}
	}
	w.mu.Unlock()
	for name := range w.made {
		w.has[name] = w.made[name]
	}
	w.command(func(ctx context.Context) *api.Result {
		return (&up{d: w.d, req: api.UpRequest{Files: api.Files{File: w.file()}, Timeout: 20 * time.Second}}).run(ctx)
	})
}

func (w *world) rerun(restart bool, names []string) {
	if w.d.wanted().Stack == nil {
		return
	}
	apps := w.only(names, false)
	if names == nil {
		for _, app := range w.apps {
			apps = append(apps, app.Name)
		}
	}
	known := w.d.procs.Snapshot()
	if slices.ContainsFunc(apps, func(name string) bool {
		return !slices.ContainsFunc(known, func(p procs.Process) bool { return p.Name == name })
	}) {
		return // there was no up yet
	}
	w.mu.Lock()
	for key, r := range w.runs {
		name, _, _ := strings.Cut(key, "/")
		if slices.Contains(apps, name) && (restart || w.has[name] != w.made[name] || !r.alive) {
			r.floor = r.Key.Generation
		}
	}
	for _, name := range w.only(names, true) {
		if restart {
			w.floors[name] = time.Now()
		}
	}
	w.mu.Unlock()
	for _, name := range apps {
		w.has[name] = w.made[name]
	}
	w.command(func(ctx context.Context) *api.Result {
		return (&rerun{d: w.d, restart: restart, req: api.ActionRequest{Names: names, Timeout: 20 * time.Second}}).run(ctx)
	})
}

// check holds what the daemon thinks of every gate against what is so.
func (w *world) check() {
	synctest.Wait()
	want := w.d.wanted()
	if want.Stack == nil || len(w.d.turn) > 0 {
		return
	}
	for _, app := range want.Stack.Apps {
		closed := w.d.gates.list()[app.Name]
		for _, dep := range app.DependsOn {
			if why := w.missing(dep, want); why != "" && !slices.Contains(closed, dep.Name) {
				w.t.Errorf("the gate of %s is open, but %s %s", app.Name, dep.Name, why)
			}
		}
	}
}

// comeToRest lets nothing die any more, and brings everything up: nothing waits for ever.
func (w *world) comeToRest() {
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	pass(10 * time.Minute)
	synctest.Wait()
	w.up()
	pass(10 * time.Minute)
	synctest.Wait()
	for _, s := range w.d.containers.snapshot() {
		if !s.Ready {
			w.t.Errorf("at the end %s is %s, %s: %s", s.Name, s.State, s.Health, s.Detail)
		}
	}
	for _, p := range w.d.procs.Snapshot() {
		if !p.Ready {
			w.t.Errorf("at the end %s is %s and waits for %v", p.Name, p.Status, p.WaitingFor)
		}
	}
	if n := len(w.d.procs.Snapshot()); n < len(w.apps) {
		w.t.Errorf("%d processes of %d apps", n, len(w.apps))
	}
}

// pass lets virtual time go on.
func pass(d time.Duration) { <-time.After(d) }
