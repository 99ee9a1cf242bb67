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
func (l looks) logs(w http.ResponseWriter, r *http.Request) {
	req, err := api.ParseLogsRequest(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, &api.Error{Exit: api.ExitUsage, Message: err.Error()})
		return
	}
	v, refused := newLogView(l.d, req)
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
	d       *Daemon
	req     api.LogsRequest
	now     time.Time
	picked  selection // as last looked at
	sources []procs.LogSource
}

func newLogView(d *Daemon, req api.LogsRequest) (*logView, *api.Error) {
	v := &logView{d: d, req: req, now: time.Now()}
	if err := v.look(); err != nil {
		return nil, err
	}
	return v, nil
}

// look finds what the words mean now; no words are everything.
func (v *logView) look() *api.Error {
	st := v.d.wanted().Stack
	if st == nil {
		return unknownName(nil, "")
	}
	picked, err := pick(st, v.d.procs.Snapshot(), v.req.Names)
	if err != nil {
		return err
	}
	if len(v.req.Names) == 0 {
		for _, s := range v.d.containers.snapshot() {
			picked.services = append(picked.services, s.Name)
		}
	}
	v.picked, v.sources = picked, nil
	for _, p := range picked.processes {
		if i := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == p.Name }); i >= 0 {
			v.sources = append(v.sources, procs.SourceOf(st.Apps[i], p.Instance, &p.ID))
		}
	}
	return nil
}

func (v *logView) history(ctx context.Context) []api.LogRecord {
	return pastRecords(ctx, historyQuery{
		Request: v.req, Before: v.now, Sources: v.sources, StateDir: v.d.home.StateDir, Services: v.picked.services, Lines: v.serviceLines,
	})
}

// serviceLines are a container's lines; none where devstack does not run the containers.
func (v *logView) serviceLines(ctx context.Context, service string, tail int, since time.Time, follow bool) (<-chan infra.LogLine, error) {
	engine := v.d.containers.engine()
	if engine == nil {
		none := make(chan infra.LogLine)
		close(none)
		return none, nil
	}
	return engine.Logs(ctx, service, tail, since, follow)
}

// historyQuery says which lines history returns.
type historyQuery struct {
	Request  api.LogsRequest // its Names are not looked at
	Before   time.Time
	Sources  []procs.LogSource
	StateDir string
	Services []string
	Lines    func(ctx context.Context, service string, tail int, since time.Time, follow bool) (<-chan infra.LogLine, error)
}

// pastRecords are what processes and containers have written, merged by time. Lines of unknown time keep their place in
// their stream. What cannot be read is left out.
func pastRecords(ctx context.Context, q historyQuery) []api.LogRecord {
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

// follow sends what is written from v.now on until ctx ends. What the words come to mean later joins: new apps and new
// instances. What has gone is followed on, it may come back.
func (v *logView) follow(ctx context.Context, out chan<- api.LogRecord) {
	var readers sync.WaitGroup
	defer readers.Wait()
	followed := map[string]bool{}
	isNew := func(key string) bool {
		was := followed[key]
		followed[key] = true
		return !was
	}
	for {
		changed := v.d.changed.next()
		_ = v.look() // words that mean nothing any more bring nothing new
		sources := slices.DeleteFunc(slices.Clone(v.sources), func(s procs.LogSource) bool { return !isNew(s.Out + "\n" + s.Err) })
		if len(sources) > 0 {
			readers.Go(func() { v.followApps(ctx, sources, out) })
		}
		for _, name := range v.picked.services {
			if isNew(name) {
				readers.Go(func() { v.followService(ctx, name, out) })
			}
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
