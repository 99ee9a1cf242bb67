package daemon

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
)

// logs streams the last lines of each stream, merged by time, and then, if asked, what is written from then on. Apps
// that come later join, unless names were given.
func (s *server) logs(w http.ResponseWriter, r *http.Request) {
	req, err := api.ParseLogsRequest(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, &api.Error{Exit: api.ExitUsage, Message: err.Error()})
		return
	}
	v, refused := s.d.logView(req)
	if refused != nil {
		refuse(w, http.StatusNotFound, refused)
		return
	}
	out := newStream(w)
	for _, record := range v.history(r.Context()) {
		if out.send(record) != nil {
			return
		}
	}
	if !req.Follow {
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	records := make(chan api.LogRecord)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer cancel()
	readers.Go(func() { v.follow(ctx, records) })
	for {
		select {
		case record := <-records:
			if out.send(record) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// logView is one reader's logs. What was written before now is history, everything else is followed: no line is
// missed between the two, and none comes twice.
type logView struct {
	d        *Daemon
	req      api.LogsRequest
	now      time.Time
	apps     []string
	services []string
	all      bool // apps that come later, too
}

func (d *Daemon) logView(req api.LogsRequest) (*logView, *api.Error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := &logView{d: d, req: req, now: time.Now(), all: len(req.Names) == 0}
	if d.desired == nil {
		return nil, unknownName(nil, "")
	}
	var err *api.Error
	if v.apps, v.services, err = pick(d.desired.Stack, d.procs.Snapshot(), req.Names); err != nil {
		return nil, err
	}
	if v.all {
		for _, s := range d.services() {
			v.services = append(v.services, s.Name)
		}
	}
	return v, nil
}

// sources are the files of apps.
func (d *Daemon) sources(names []string) []procs.LogSource {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.desired == nil {
		return nil
	}
	ids := map[string]*int{}
	for _, p := range d.procs.Snapshot() {
		ids[p.App] = &p.ID
	}
	var out []procs.LogSource
	for _, app := range d.desired.Stack.Apps {
		if slices.Contains(names, app.Name) {
			out = append(out, procs.SourceOf(app, ids[app.Name]))
		}
	}
	return out
}

func (v *logView) history(ctx context.Context) []api.LogRecord {
	return History(ctx, HistoryQuery{
		Request: v.req, Before: v.now, Sources: v.d.sources(v.apps), StateDir: v.d.home.StateDir, Services: v.services, Lines: v.serviceLines,
	})
}

// serviceLines are a container's lines; none where devstack does not run the containers.
func (v *logView) serviceLines(ctx context.Context, service string, tail int, since time.Time, follow bool) (<-chan infra.LogLine, error) {
	engine := v.d.currentEngine()
	if engine == nil {
		none := make(chan infra.LogLine)
		close(none)
		return none, nil
	}
	return engine.Logs(ctx, service, tail, since, follow)
}

// HistoryQuery says which lines History returns.
type HistoryQuery struct {
	Request  api.LogsRequest // its Names are not looked at
	Before   time.Time
	Sources  []procs.LogSource
	StateDir string
	Services []string
	Lines    func(ctx context.Context, service string, tail int, since time.Time, follow bool) (<-chan infra.LogLine, error)
}

// History is what processes and containers have written, merged by time. Lines of unknown time keep their place in
// their stream. What cannot be read is left out.
func History(ctx context.Context, q HistoryQuery) []api.LogRecord {
	var out []api.LogRecord
	add := func(r api.LogRecord) {
		if r.Timestamp.Before(q.Before) && (q.Request.Stream == "" || q.Request.Stream == r.Type) {
			out = append(out, r)
		}
	}
	query := procs.LogQuery{Sources: q.Sources, StateDir: q.StateDir, Lines: q.Request.Lines, Stream: q.Request.Stream, Since: q.Request.Since}
	last := time.Time{}
	for r, err := range procs.ReadLogs(ctx, query) {
		if err != nil {
			continue
		}
		if r.Time.IsZero() {
			r.Time = last
		}
		last = r.Time
		add(processRecord(r))
	}
	for _, name := range q.Services {
		lines, err := q.Lines(ctx, name, q.Request.Lines, q.Request.Since, false)
		if err != nil {
			continue
		}
		for l := range lines {
			add(serviceRecord(name, l))
		}
	}
	slices.SortStableFunc(out, func(a, b api.LogRecord) int { return cmp.Compare(a.Timestamp.UnixNano(), b.Timestamp.UnixNano()) })
	return out
}

// follow sends what is written from v.now on until ctx ends.
func (v *logView) follow(ctx context.Context, out chan<- api.LogRecord) {
	var readers sync.WaitGroup
	defer readers.Wait()
	followed := map[string]bool{}
	for {
		changed := v.d.changed.next()
		if v.all {
			v.apps, v.services = v.d.everything()
		}
		apps := slices.DeleteFunc(slices.Clone(v.apps), func(name string) bool { return followed[name] })
		if sources := v.d.sources(apps); len(sources) > 0 {
			readers.Go(func() { v.followApps(ctx, sources, out) })
		}
		for _, name := range v.services {
			if !followed[name] {
				readers.Go(func() { v.followService(ctx, name, out) })
			}
		}
		for _, name := range slices.Concat(apps, v.services) {
			followed[name] = true
		}
		if !v.all {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (v *logView) followApps(ctx context.Context, sources []procs.LogSource, out chan<- api.LogRecord) {
	q := procs.LogQuery{Sources: sources, StateDir: v.d.home.StateDir, Lines: -1, Stream: v.req.Stream, Follow: true, Since: v.now}
	for r, err := range procs.ReadLogs(ctx, q) {
		if err != nil {
			continue
		}
		select {
		case out <- processRecord(r):
		case <-ctx.Done():
			return
		}
	}
}

func (v *logView) followService(ctx context.Context, name string, out chan<- api.LogRecord) {
	lines, err := v.serviceLines(ctx, name, -1, v.now, true)
	if err != nil {
		return
	}
	for l := range lines {
		r := serviceRecord(name, l)
		if v.req.Stream != "" && v.req.Stream != r.Type {
			continue
		}
		select {
		case out <- r:
		case <-ctx.Done():
			return
		}
	}
}

// everything is the names of all apps and services now.
func (d *Daemon) everything() (apps, services []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.desired == nil {
		return nil, nil
	}
	for _, app := range d.desired.Stack.Apps {
		apps = append(apps, app.Name)
	}
	for _, s := range d.services() {
		services = append(services, s.Name)
	}
	return apps, services
}

func processRecord(r procs.LogRecord) api.LogRecord {
	return api.LogRecord{Timestamp: r.Time, Type: r.Stream, AppName: r.App, ProcessID: r.ID, Instance: r.Instance, Message: r.Message}
}

func serviceRecord(name string, l infra.LogLine) api.LogRecord {
	kind := "out"
	if l.Stream == "stderr" {
		kind = "err"
	}
	return api.LogRecord{Timestamp: l.Time, Type: kind, AppName: name, Message: l.Text}
}

// SourcesOf are the files of the named apps of a stack that nobody runs.
func SourcesOf(st *stack.Stack, names []string) []procs.LogSource {
	var out []procs.LogSource
	for _, app := range st.Apps {
		if slices.Contains(names, app.Name) {
			out = append(out, procs.SourceOf(app, nil))
		}
	}
	return out
}
