package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"devstack/daemon/api"
	"devstack/view"
)

// Once answers, over one connection, what commands ask while no daemon runs, and what is not about a running stack at all.
// Its client cancels the request under way by closing its half of the connection, and still gets the answer.
type Once struct{ mux *http.ServeMux }

// NewOnce knows how to answer State, Logs, Down and preflight of a stack that no daemon runs. Handle adds the rest. home is
// DEVSTACK_HOME; empty: ~/.devstack.
func NewOnce(files api.Files, environ []string, home string) *Once {
	o := &Once{mux: http.NewServeMux()}
	f := &offline{files: files, environ: environ, home: home, log: slog.New(slog.DiscardHandler)}
	o.mux.HandleFunc("GET /v1/state", f.state)
	o.mux.HandleFunc("GET /v1/logs", f.logs)
	handleResult(o, "/down", f.down)
	Handle(o, api.EndpointPreflight, f.preflight)
	o.mux.HandleFunc("/", unknownRequest)
	return o
}

// Handle answers the requests to an endpoint with do. What do returns beside an error is the answer all the same; an
// *api.Error without a message is an exit code alone. do may call tell at any time until it returns, from any goroutine.
func Handle[Request, Answer any](
	o *Once, to api.Endpoint[Request, Answer], do func(ctx context.Context, r Request, tell func(view.Event)) (*Answer, error),
) {
	handleResult(o, string(to), func(ctx context.Context, r Request, tell func(view.Event)) *api.Result {
		answer, err := do(ctx, r, tell)
		result := Refusal(err)
		if answer == nil {
			return result
		}
		data, err := json.Marshal(answer)
		if err != nil {
			return Refusal(err)
		}
		result.Answer = data
		return result
	})
}

// handleResult answers a POST to path with the events that do tells and its result.
func handleResult[Request any](o *Once, path string, do func(context.Context, Request, func(view.Event)) *api.Result) {
	o.mux.HandleFunc("POST /"+api.Version+path, func(w http.ResponseWriter, r *http.Request) {
		req, ok := decode[Request](w, r)
		if !ok {
			return
		}
		var mu sync.Mutex // guards out and seq
		out, seq := newStream(w), uint64(0)
		send := func(e view.Event, result *api.Result) {
			mu.Lock()
			defer mu.Unlock()
			seq++
			e.Seq, e.Time = seq, time.Now()
			_ = out.send(api.Event{Event: e, Result: result}) // a client that has gone cancels ctx
		}
		result := do(r.Context(), req, func(e view.Event) { send(e, nil) })
		withoutNull(result)
		send(view.Event{Kind: view.KindResult}, result)
	})
}

// Serve answers on conn until its client closes it. The end of ctx cancels the request under way, as the client does.
func (o *Once) Serve(ctx context.Context, conn *net.UnixConn) error {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.CloseRead() })() // fails where the client has gone already
	only := &oneConn{conn: conn, closed: make(chan struct{})}
	server := &http.Server{
		Handler: o.mux, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelWarn),
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateClosed {
				close(only.closed)
			}
		},
	}
	if err := server.Serve(only); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// oneConn is a listener with one connection. Its second Accept ends with that connection.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "devstackd once", Net: "unix"} }
func (l *oneConn) Close() error   { return nil }
