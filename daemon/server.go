package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"devstack/daemon/api"
	"devstack/view"
)

// maxBody is the largest request: a caller's whole environment fits.
const maxBody = 4 << 20

// server answers the API. Reads never wait for an action; an action goes on when its client leaves.
type server struct {
	d   *Daemon
	log *slog.Logger
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/state", s.state)
	mux.HandleFunc("GET /v1/events", s.events)
	mux.HandleFunc("GET /v1/logs", s.logs)
	mux.HandleFunc("GET /v1/describe/{name}", s.describe)
	mux.HandleFunc("GET /v1/processes", s.processes)
	mux.HandleFunc("GET /v1/why/{name}", s.why)
	mux.HandleFunc("POST /v1/health", s.health)
	mux.HandleFunc("POST /v1/save", s.save)
	mux.HandleFunc("POST /v1/up", act(s, (*Daemon).up))
	mux.HandleFunc("POST /v1/down", act(s, (*Daemon).down))
	mux.HandleFunc("POST /v1/start", act(s, (*Daemon).start))
	mux.HandleFunc("POST /v1/stop", act(s, (*Daemon).stop))
	mux.HandleFunc("POST /v1/restart", act(s, (*Daemon).restart))
	mux.HandleFunc("POST /v1/reload", act(s, (*Daemon).reload))
	mux.HandleFunc("POST /v1/delete", act(s, (*Daemon).remove))
	mux.HandleFunc("POST /v1/scale", act(s, (*Daemon).scale))
	mux.HandleFunc("POST /v1/reset", act(s, (*Daemon).reset))
	mux.HandleFunc("POST /v1/signal", act(s, (*Daemon).signal))
	mux.HandleFunc("POST /v1/flush", act(s, (*Daemon).flush))
	mux.HandleFunc("GET /v1/env/{name}", s.environments)
	mux.HandleFunc("POST /v1/daemon/restart", s.restartDaemon)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, &api.Error{
			Exit: api.ExitBug, Message: "this daemon has no " + r.Method + " " + r.URL.Path,
			Hint: "devstack and devstackd are of different versions: install them together",
		})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.d.leaving() {
			refuseLeaving(w)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// serve answers on l until ctx ends.
func (s *server) serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close()
		}
	})
	defer stop()
	err := srv.Serve(&sameUser{Listener: l, log: s.log})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// state is everything, or with ?names= the processes that these words mean.
func (s *server) state(w http.ResponseWriter, r *http.Request) {
	state := s.d.state()
	if names := r.URL.Query()["names"]; len(names) > 0 {
		_, picked, refused := s.d.processesOnly(names, "this command")
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

func (s *server) describe(w http.ResponseWriter, r *http.Request) {
	d, refused := s.d.describe(r.PathValue("name"))
	if refused != nil {
		refuse(w, http.StatusNotFound, refused)
		return
	}
	reply(w, d)
}

func (s *server) save(w http.ResponseWriter, _ *http.Request) {
	saved, refused := s.d.saveNow()
	if refused != nil {
		refuse(w, http.StatusNotFound, refused)
		return
	}
	reply(w, saved)
}

// events streams what is published after `since`, for ever.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	since := s.d.bus.now()
	if text := r.URL.Query().Get("since"); text != "" && text != "0" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			refuse(w, http.StatusBadRequest, &api.Error{Exit: api.ExitUsage, Message: "since is no sequence number: " + text})
			return
		}
		since = n
	}
	out := newStream(w)
	for {
		events, more := s.d.bus.after(since)
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

// act answers an action with the events from its beginning to its result.
func act[Request any](s *server, do func(*Daemon, context.Context, Request) *api.Result) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req Request
		body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		if err := body.Decode(&req); err != nil {
			refuse(w, http.StatusBadRequest, &api.Error{Exit: api.ExitBug, Message: "cannot read the request: " + err.Error()})
			return
		}
		if !s.d.enter() {
			if s.d.isReplaced() {
				refuseReplaced(w)
			} else {
				refuseLeaving(w)
			}
			return
		}
		defer s.d.leave()
		since := s.d.bus.now()
		result := make(chan *api.Result, 1)
		go func() { result <- do(s.d, s.d.actionContext(), req) }()
		s.stream(w, r, since, result)
	}
}

// stream sends events until the result is there, and the result. A client that has gone does not end the action, but
// the answer counts as given only when the action has ended.
func (s *server) stream(w http.ResponseWriter, r *http.Request, since uint64, result <-chan *api.Result) {
	out := newStream(w)
	gone := r.Context().Done()
	for {
		events, more := s.d.bus.after(since)
		for _, e := range events {
			since = e.Seq
			_ = out.send(api.Event{Event: e}) // a client that left does not end the action
		}
		select {
		case <-more:
		case <-gone:
			<-result
			return
		case res := <-result:
			events, _ := s.d.bus.after(since)
			for _, e := range events {
				since = e.Seq
				_ = out.send(api.Event{Event: e})
			}
			res.Failures, res.Notes = orEmpty(res.Failures), orEmpty(res.Notes)
			_ = out.send(api.Event{Event: view.Event{Seq: since, Time: time.Now(), Kind: view.KindResult}, Result: res})
			return
		}
	}
}

// stream writes newline-delimited JSON, each value at once.
type stream struct {
	encoder *json.Encoder
	flush   func() error
}

func newStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	s := &stream{encoder: json.NewEncoder(w), flush: http.NewResponseController(w).Flush}
	_ = s.flush() // the client has its answer's head; a broken connection shows at the first send
	return s
}

func (s *stream) send(v any) error {
	if err := s.encoder.Encode(v); err != nil {
		return err
	}
	return s.flush()
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // nobody to tell when the client has gone
}

func refuse(w http.ResponseWriter, status int, e *api.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(e)
}

func refuseLeaving(w http.ResponseWriter) {
	refuse(w, http.StatusServiceUnavailable, &api.Error{
		Exit: api.ExitNotRunning, Message: "the stack is being shut down", Hint: "try again in a moment",
	})
}

// sameUser lets in connections of this user and of root, whatever the socket's permissions say.
type sameUser struct {
	net.Listener
	log *slog.Logger
}

func (l *sameUser) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if err := checkPeer(c); err != nil {
			l.log.Warn("refused a connection", "err", err)
			c.Close()
			continue
		}
		return c, nil
	}
}

func checkPeer(c net.Conn) error {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return fmt.Errorf("not a unix socket: %s", c.RemoteAddr().Network())
	}
	uid, err := peerUID(u)
	if err != nil {
		return fmt.Errorf("cannot tell who connects: %w", err)
	}
	return allowed(uid)
}
