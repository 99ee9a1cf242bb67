package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"devstack/daemon/api"
	"devstack/daemon/preflight"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// offline is a stack that no daemon runs: what its files name, what an earlier daemon has left on disk, and the services that
// go on without one. It starts nothing.
type offline struct {
	files   api.Files
	environ []string
	home    string // DEVSTACK_HOME; empty: ~/.devstack
	log     *slog.Logger
}

// load reads the files, and finds what ran the services last.
func (o *offline) load(ctx context.Context) (*stack.Stack, Drivers, error) {
	st, err := stack.Load(ctx, stack.Options{File: o.files.File, Project: o.files.Project, Profile: o.files.Profile, Environment: o.environ})
	if err != nil {
		return nil, Drivers{}, err
	}
	at, err := api.Locate(filepath.Dir(st.File), o.home)
	return st, Drivers{ID: at.ID, StateDir: at.StateDir, Environ: o.environ, Log: o.log}, err
}

// connect is the driver that ran the services last; nil where there are none, or their engine does not answer: then none of
// them runs.
func (o *offline) connect(ctx context.Context, st *stack.Stack, drivers Drivers) (infra.Driver, error) {
	if st.Compose == nil {
		return nil, nil
	}
	driver, err := drivers.Connect(ctx, drivers.Last())
	var e *infra.Error
	if errors.As(err, &e) && e.Kind == infra.NoEngine {
		return nil, nil
	}
	return driver, err
}

// state answers with what the files name, its processes stopped, and its services as they are seen.
func (o *offline) state(w http.ResponseWriter, r *http.Request) {
	state, err := o.look(r.Context())
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, refusalError(err))
		return
	}
	reply(w, state)
}

func (o *offline) look(ctx context.Context) (*api.State, error) {
	st, drivers, err := o.load(ctx)
	if err != nil {
		return nil, err
	}
	driver, err := o.connect(ctx, st, drivers)
	if err != nil {
		return nil, err
	}
	var services []view.ServiceDetails
	if driver != nil {
		defer driver.Close()
		if services, err = infra.Look(ctx, driver, infra.Of(st, st.Compose)); err != nil {
			return nil, err
		}
	}
	return stateOf(st, drivers.Last(), nil, services, stopped(st), time.Now()), nil
}

func stopped(st *stack.Stack) []procs.Process {
	var out []procs.Process
	for _, app := range st.Apps {
		for n := range app.Count() {
			out = append(out, procs.Idle(app.Instance(n), n, len(out)))
		}
	}
	return out
}

// logs answers with what processes and containers have left, and ends.
func (o *offline) logs(w http.ResponseWriter, r *http.Request) {
	req, err := api.ParseLogsRequest(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, &api.Error{Exit: api.ExitUsage, Message: err.Error()})
		return
	}
	records, err := o.history(r.Context(), req)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, refusalError(err))
		return
	}
	out := newStream(w)
	for _, record := range records {
		if out.send(record) != nil {
			return
		}
	}
}

// history is what the words of a request mean: apps as in devstack logs, containers by exact name. No words are everything.
// What a container wrote is gone with its engine.
func (o *offline) history(ctx context.Context, req api.LogsRequest) ([]api.LogRecord, error) {
	st, drivers, err := o.load(ctx)
	if err != nil {
		return nil, err
	}
	picked, refused := pick(st, stopped(st), req.Names)
	if refused != nil {
		return nil, refused
	}
	q := historyQuery{Request: req, Before: time.Now(), StateDir: drivers.StateDir, Services: picked.services}
	if len(req.Names) == 0 {
		q.Services = serviceNames(st)
	}
	for _, p := range picked.processes {
		for _, app := range st.Apps {
			if app.Name == p.Name {
				q.Sources = append(q.Sources, procs.SourceOf(app, p.Instance, nil))
			}
		}
	}
	if len(q.Services) == 0 {
		return pastRecords(ctx, q), nil
	}
	driver, err := drivers.Connect(ctx, drivers.Last())
	if err != nil {
		q.Services = nil
		return pastRecords(ctx, q), nil
	}
	defer driver.Close()
	seen, err := driver.Observe(ctx, st.Project, st.Compose)
	if err != nil {
		return nil, err
	}
	q.Lines = func(ctx context.Context, service string, tail int, since time.Time, _ bool) (<-chan infra.LogLine, error) {
		for _, container := range seen.Containers {
			if container.Service == service {
				return driver.Logs(ctx, container.ID, infra.LogOptions{Tail: tail, Since: since})
			}
		}
		return nil, infra.ErrNotFound
	}
	return pastRecords(ctx, q), nil
}

func serviceNames(st *stack.Stack) []string {
	if st.Compose == nil {
		return nil
	}
	return st.Compose.ServiceNames()
}

// down ends the services that a keeper has left. Nothing there is no error.
func (o *offline) down(ctx context.Context, req api.DownRequest, tell func(view.Event)) *api.Result {
	nothing := &api.Result{Notes: []string{"nothing is running"}}
	st, drivers, err := o.load(ctx)
	if err != nil {
		return Refusal(err)
	}
	if req.KeepInfra {
		return nothing
	}
	driver, err := o.connect(ctx, st, drivers)
	switch {
	case err != nil:
		return Refusal(err)
	case driver == nil:
		return nothing
	}
	defer driver.Close()
	steps := 0
	engine := infra.New(driver, o.log, func(e view.Event) {
		if e.Kind == view.KindOp {
			steps++
		}
		tell(e)
	})
	defer engine.Close()
	if err := engine.Down(ctx, st.Compose, st.Project, req.Volumes); err != nil {
		return Refusal(err)
	}
	if req.Volumes {
		if err := forgetDriver(drivers.StateDir); err != nil {
			return Refusal(fmt.Errorf("the services and their data are gone, but devstack cannot forget what ran them: %w", err))
		}
	}
	if steps == 0 {
		return nothing
	}
	return &api.Result{}
}

// preflight is every check of up, all at once.
func (o *offline) preflight(ctx context.Context, _ api.PreflightRequest, _ func(view.Event)) (*api.Preflight, error) {
	checks, err := o.checks(ctx)
	if err != nil {
		return nil, err
	}
	var codes []api.Code
	for _, check := range preflight.Failures(checks) {
		codes = append(codes, check.Exit)
	}
	answer := api.Preflight(checks)
	if code := api.First(codes...); code != api.ExitDone {
		return &answer, &api.Error{Exit: code}
	}
	return &answer, nil
}

func (o *offline) checks(ctx context.Context) ([]api.Check, error) {
	st, drivers, err := o.load(ctx)
	if err != nil {
		if problems := fileChecks(err); problems != nil {
			return problems, nil
		}
		return nil, err
	}
	checks := []api.Check{{
		Name: "files", Status: preflight.OK,
		Detail: fmt.Sprintf("%s, profile %s: %d services, %d apps", st.Rel(st.File), st.Profile, len(serviceNames(st)), len(st.Apps)),
	}}
	for _, warning := range st.Warnings {
		checks = append(checks, api.Check{Name: "files", Status: preflight.Warning, Detail: warning})
	}
	checks = append(checks, preflight.All(ctx, preflight.Subject{Stack: st, Apps: started(st), StateDir: drivers.StateDir})...)
	return append(checks, o.serviceChecks(ctx, st, drivers)...), nil
}

// started are the apps that an up without names starts: those of autostart, and what they need.
func started(st *stack.Stack) (apps []stack.App) {
	var names []string
	for _, app := range st.Apps {
		if app.Autostart {
			names = append(names, app.Name)
		}
	}
	if len(names) == 0 {
		return nil // Closure takes no names for all
	}
	needed, err := st.Closure(names...)
	for _, app := range st.Apps {
		if err == nil && slices.Contains(needed, app.Name) {
			apps = append(apps, app)
		}
	}
	return apps
}

// fileChecks is one row per problem in the files; nil if err is about something else.
func fileChecks(err error) []api.Check {
	var all stack.Errors
	var single *stack.Error
	if errors.As(err, &single) && !errors.As(err, &all) {
		all = stack.Errors{single}
	}
	var checks []api.Check
	for _, e := range all {
		checks = append(checks, api.Check{Name: "files", Status: preflight.Failed, Detail: e.Error(), Fix: e.Hint, Exit: api.ExitFiles})
	}
	return checks
}

// serviceChecks asks what would run the services: is it there, can it do what the Compose file asks, are the ports free.
func (o *offline) serviceChecks(ctx context.Context, st *stack.Stack, drivers Drivers) []api.Check {
	engine := api.Check{Name: "engine", Status: preflight.OK, Detail: "not needed: no containers"}
	if st.Compose == nil {
		return []api.Check{engine}
	}
	driver, notes, err := drivers.Choose(ctx, st.Compose, driverAuto, "")
	if err != nil {
		return []api.Check{infraCheck(engine.Name, err)}
	}
	defer driver.Close()
	engine.Detail = map[string]string{driverDocker: "docker answers", driverNative: "not needed: the services run natively"}[driver.Name()]
	checks := []api.Check{engine}
	for _, note := range notes {
		checks = append(checks, api.Check{Name: engine.Name, Status: preflight.Warning, Detail: note})
	}
	planner := infra.New(driver, o.log, func(view.Event) {}) // it plans, as up would, and executes nothing
	defer planner.Close()
	row := api.Check{Name: "services and ports", Status: preflight.OK, Detail: "nothing is in the way"}
	plan, err := planner.Plan(ctx, infra.Of(st, st.Compose))
	if err != nil {
		return append(checks, infraCheck(row.Name, err))
	}
	if plan.Empty() {
		row.Detail = "all run as the Compose file wants them"
	}
	checks = append(checks, row)
	for _, warning := range plan.Warnings {
		checks = append(checks, api.Check{Name: row.Name, Status: preflight.Warning, Detail: warning})
	}
	return checks
}

func infraCheck(name string, err error) api.Check {
	r := Refusal(err)
	if r.Exit == api.ExitBug {
		r.Exit = api.ExitEngine
	}
	return api.Check{Name: name, Status: preflight.Failed, Detail: err.Error(), Fix: r.Hint, Exit: r.Exit}
}
