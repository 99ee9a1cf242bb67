package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
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
	l := looks{s.d}
	mux.HandleFunc("GET /v1/state", l.state)
	mux.HandleFunc("GET /v1/events", l.events)
	mux.HandleFunc("GET /v1/logs", l.logs)
	mux.HandleFunc("GET /v1/describe/{name}", l.describe)
	mux.HandleFunc("GET /v1/processes", l.processes)
	mux.HandleFunc("GET /v1/why/{name}", l.why)
	mux.HandleFunc("GET /v1/env/{name}", l.environments)
	mux.HandleFunc("POST /v1/health", l.health)
	mux.HandleFunc("POST /v1/save", s.save)
	mux.HandleFunc("POST /v1/up", act(s, func(r api.UpRequest) action { return &up{d: s.d, req: r} }))
	mux.HandleFunc("POST /v1/down", act(s, func(r api.DownRequest) action { return &down{s.d, r} }))
	mux.HandleFunc("POST /v1/start", act(s, func(r api.ActionRequest) action { return &rerun{d: s.d, req: r} }))
	mux.HandleFunc("POST /v1/stop", act(s, func(r api.ActionRequest) action { return &stop{s.d, r} }))
	mux.HandleFunc("POST /v1/restart", act(s, func(r api.ActionRequest) action { return &rerun{d: s.d, req: r, restart: true} }))
	mux.HandleFunc("POST /v1/reload", act(s, func(r api.ActionRequest) action { return &reload{s.d, r} }))
	mux.HandleFunc("POST /v1/delete", act(s, func(r api.ActionRequest) action { return &remove{s.d, r} }))
	mux.HandleFunc("POST /v1/scale", act(s, func(r api.ScaleRequest) action { return &scale{s.d, r} }))
	mux.HandleFunc("POST /v1/reset", act(s, func(r api.ActionRequest) action { return &reset{s.d, r} }))
	mux.HandleFunc("POST /v1/signal", act(s, func(r api.SignalRequest) action { return &sendSignal{s.d, r} }))
	mux.HandleFunc("POST /v1/flush", act(s, func(r api.ActionRequest) action { return &flush{s.d, r} }))
	mux.HandleFunc("POST /v1/daemon/restart", s.restartDaemon)
	mux.HandleFunc("/", unknownRequest)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if gone, _ := s.d.leaving(); gone {
			refuseLeaving(w)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func unknownRequest(w http.ResponseWriter, r *http.Request) {
	refuse(w, http.StatusNotFound, &api.Error{
		Exit: api.ExitBug, Message: "this daemon has no " + r.Method + " " + r.URL.Path,
		Hint: "devstack and devstackd are of different versions: install them together",
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

// action is a request that may change the stack. It runs in the background, and is run once.
type action interface {
	run(ctx context.Context) *api.Result
}

// onNames is an action that needs nothing but names.
type onNames struct {
	d   *Daemon
	req api.ActionRequest
}

// act answers an action with the events from its beginning to its result.
func act[Request any](s *server, to func(Request) action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req, ok := decode[Request](w, r)
		if !ok {
			return
		}
		if !s.d.enter() {
			if _, replaced := s.d.leaving(); replaced {
				refuseReplaced(w)
			} else {
				refuseLeaving(w)
			}
			return
		}
		defer s.d.leave()
		since := s.d.bus.now()
		result := make(chan *api.Result, 1)
		if !s.d.spawn(func() { result <- to(req).run(s.d.actionContext()) }) {
			refuseLeaving(w)
			return
		}
		streamResult(w, r, s.d.bus, since, result)
	}
}

// streamResult sends events until the result is there, and the result. A client that has gone does not end the action, but
// the answer counts as given only when the action has ended.
func streamResult(w http.ResponseWriter, r *http.Request, bus *bus, since uint64, result <-chan *api.Result) {
	out := newStream(w)
	gone := r.Context().Done()
	for {
		events, more := bus.after(since)
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
			events, _ := bus.after(since)
			for _, e := range events {
				since = e.Seq
				_ = out.send(api.Event{Event: e})
			}
			withoutNull(res)
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

// decode reads a request; false: it was refused.
func decode[Request any](w http.ResponseWriter, r *http.Request) (req Request, ok bool) {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req)
	if err != nil {
		refuse(w, http.StatusBadRequest, &api.Error{Exit: api.ExitBug, Message: "cannot read the request: " + err.Error()})
	}
	return req, err == nil
}

// answer is v, or the refusal if there is one.
func answer(w http.ResponseWriter, v any, refused *api.Error) {
	if refused != nil {
		refuse(w, http.StatusNotFound, refused)
		return
	}
	reply(w, v)
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
