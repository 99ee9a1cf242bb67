package daemon

import (
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// looks answers what changes nothing, from snapshots: it waits for no action.
type looks struct{ d *Daemon }

// all is what the files say and what is there; a nil stack is an idle daemon. A service that nobody has seen, because
// the engine does not answer, is absent.
func (l looks) all() (st *stack.Stack, services []view.ServiceDetails, processes []procs.Process) {
	want := l.d.wanted()
	if want.Stack == nil {
		return nil, nil, nil
	}
	services, processes = l.d.snapshot()
	return want.Stack, withUnseen(services, want.Services), processes
}

// withUnseen adds the services that are to run and that nothing is known about.
func withUnseen(seen []view.ServiceDetails, wanted []string) []view.ServiceDetails {
	for _, name := range wanted {
		if !slices.ContainsFunc(seen, func(s view.ServiceDetails) bool { return s.Name == name }) {
			s := view.NewService(name)
			s.State, s.Health, s.Detail = "unknown", view.HealthUnhealthy, "no engine answers"
			seen = append(seen, s)
		}
	}
	return seen
}

// now is the answer to GET /v1/state.
func (l looks) now() *api.State { return l.with(l.d.procs.SnapshotWithPorts()) }

// with is the state with these processes.
func (l looks) with(processes []procs.Process) *api.State {
	want := l.d.wanted()
	self := &api.Daemon{Pid: os.Getpid(), Version: api.BuildVersion()}
	if want.Stack == nil {
		return stateOf(nil, "", self, nil, nil, time.Now())
	}
	return stateOf(want.Stack, want.driver(), self, l.d.containers.watched(), processes, time.Now())
}

// state is everything, or with ?names= the processes that these words mean.
func (l looks) state(w http.ResponseWriter, r *http.Request) {
	state := l.now()
	if names := r.URL.Query()["names"]; len(names) > 0 {
		_, picked, refused := l.d.processesOnly(names, "this command")
		if refused != nil {
			refuse(w, http.StatusNotFound, &api.Error{Exit: refused.Exit, Message: refused.Error, Hint: refused.Hint})
			return
		}
		ids := picked.ids()
		state.Services = []view.Service{}
		state.Processes = slices.DeleteFunc(state.Processes, func(p view.Process) bool { return !slices.Contains(ids, p.ID) })
	}
	reply(w, state)
}

// describe is everything known about what a word means.
func (l looks) describe(w http.ResponseWriter, r *http.Request) {
	word, st := r.PathValue("name"), l.d.wanted().Stack
	if st == nil {
		refuse(w, http.StatusNotFound, unknownName(nil, word))
		return
	}
	description, refused := describe(st, word, l.d.gates.list(), l.d.containers.watched(), l.d.procs.SnapshotWithPortsNow(), time.Now())
	if refused == nil {
		addLinks(r.Context(), st, description)
	}
	answer(w, description, refused)
}

// events streams what is published after `since`, for ever.
func (l looks) events(w http.ResponseWriter, r *http.Request) {
	since := l.d.bus.now()
	if text := r.URL.Query().Get("since"); text != "" && text != "0" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			refuse(w, http.StatusBadRequest, &api.Error{Exit: api.ExitUsage, Message: "cannot read since, which is no sequence number: " + text})
			return
		}
		since = n
	}
	out := newStream(w)
	for {
		events, more := l.d.bus.after(since)
		for _, e := range events {
			if out.send(api.Event{Event: e}) != nil {
				return
			}
			since = e.Seq
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
	}
}
