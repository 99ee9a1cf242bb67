package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"devstack/daemon/api"
	"devstack/view"
)

// serve answers on a unix socket and returns a Client of it.
func serve(t *testing.T, handler http.HandlerFunc) *api.Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}}
	server.Start()
	t.Cleanup(server.Close)
	return api.NewClient(socket)
}

// die breaks the connection of a request as a killed daemon does.
func die(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func send(w http.ResponseWriter, values ...any) {
	for _, v := range values {
		_ = json.NewEncoder(w).Encode(v)
	}
	_ = http.NewResponseController(w).Flush()
}

func TestStateIsAskedAgainWhenTheDaemonDies(t *testing.T) {
	var asked atomic.Int32
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/state" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		switch asked.Add(1) {
		case 1:
			die(w)
		case 2: // dies in the middle of the answer
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"project":`)
			die(w)
		default:
			send(w, api.State{Project: "shop"})
		}
	})
	state, err := client.State(t.Context())
	if err != nil || state.Project != "shop" {
		t.Errorf("got %+v, %v", state, err)
	}
	if asked.Load() != 3 {
		t.Errorf("asked %d times, not 3", asked.Load())
	}
}

func TestReadGivesUpAfterReadRetry(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) { die(w) })
	client.ReadRetry = time.Millisecond
	if _, err := client.State(t.Context()); err == nil || errors.Is(err, api.ErrNotRunning) {
		t.Errorf("got %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	if _, err := api.NewClient(socket).State(t.Context()); !errors.Is(err, api.ErrNotRunning) {
		t.Errorf("without a socket: %v", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false) // as a killed keeper leaves it
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := api.NewClient(socket).Restart(t.Context(), api.ActionRequest{}, nil); !errors.Is(err, api.ErrNotRunning) {
		t.Errorf("with a dead socket: %v", err)
	}
}

func TestErrorsAreTyped(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/describe/a b" {
			w.WriteHeader(http.StatusNotFound)
			send(w, api.Error{Exit: api.ExitUsage, Message: "no app is called a b", Hint: "devstack ps"})
			return
		}
		http.Error(w, "no JSON", http.StatusBadGateway)
	})
	_, err := client.Describe(t.Context(), "a b")
	var e *api.Error
	if !errors.As(err, &e) || e.Exit != api.ExitUsage || e.Hint != "devstack ps" || e.Error() != "no app is called a b" {
		t.Errorf("got %#v", err)
	}
	if _, err := client.Describe(t.Context(), "c"); !errors.As(err, &e) || e.Exit != api.ExitBug {
		t.Errorf("a foreign answer: %#v", err)
	}
}

func TestUpIsRepeatedOnceAndRestartNever(t *testing.T) {
	var asked atomic.Int32
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var body api.UpRequest
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("body: %v", err)
		}
		send(w, api.Event{Event: view.Event{Seq: uint64(asked.Add(1)), Kind: view.KindWaiting, To: "redis"}})
		if asked.Load()%2 == 1 {
			die(w)
			return
		}
		send(w, api.Event{Event: view.Event{Seq: 9, Kind: view.KindResult}, Result: &api.Result{Exit: api.ExitProcess}})
	})
	var seen []uint64
	each := func(e api.Event) { seen = append(seen, e.Seq) }
	result, err := client.Up(t.Context(), api.UpRequest{Names: []string{"web"}}, each)
	if err != nil || result.Exit != api.ExitProcess {
		t.Errorf("up: %+v, %v", result, err)
	}
	if want := []uint64{1, 2, 9}; !reflect.DeepEqual(seen, want) {
		t.Errorf("events %v, not %v", seen, want)
	}
	if _, err := client.Restart(t.Context(), api.ActionRequest{}, each); !errors.Is(err, api.ErrInterrupted) {
		t.Errorf("restart: %v", err)
	}
	if asked.Load() != 3 {
		t.Errorf("asked %d times, not 3", asked.Load())
	}
}

func TestEventsGoOnAfterARestart(t *testing.T) {
	var asked atomic.Int32
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		if want := []string{"5", "7"}[n-1]; r.URL.Query().Get("since") != want {
			t.Errorf("since=%s, not %s", r.URL.Query().Get("since"), want)
		}
		if n == 1 {
			send(w, api.Event{Event: view.Event{Seq: 6}}, api.Event{Event: view.Event{Seq: 7}})
			die(w)
			return
		}
		send(w, api.Event{Event: view.Event{Seq: 8}})
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	var got []uint64
	for e, err := range client.Events(ctx, 5) {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			break
		}
		got = append(got, e.Seq)
		if e.Seq == 8 {
			cancel()
		}
	}
	cancel()
	if want := []uint64{6, 7, 8}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, not %v", got, want)
	}
}

func TestFollowedLogsGoOnAfterARestart(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	var asked atomic.Int32
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		request, err := api.ParseLogsRequest(r.URL.Query())
		if err != nil {
			t.Error(err)
		}
		if asked.Add(1) == 1 {
			send(w, api.LogRecord{Timestamp: at, Message: "one"})
			die(w)
			return
		}
		if !request.Since.Equal(at) || request.Lines < 1e6 {
			t.Errorf("asked again with %+v", request)
		}
		send(w, api.LogRecord{Timestamp: at.Add(1), Message: "two"})
	})
	var got []string
	for record, err := range client.Logs(t.Context(), api.LogsRequest{Lines: 1, Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, record.Message); len(got) == 2 {
			break
		}
	}
	if want := []string{"one", "two"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, not %v", got, want)
	}
}

func TestBrokenLogsAreReported(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		send(w, api.LogRecord{Message: "one"})
		die(w)
	})
	var last error
	for _, err := range client.Logs(t.Context(), api.LogsRequest{}) {
		last = err
	}
	if last == nil {
		t.Error("a stream that broke in the middle ended like a whole one")
	}
}

func TestLogsRequestSurvivesItsQuery(t *testing.T) {
	for _, want := range []api.LogsRequest{
		{},
		{Names: []string{"a", "b"}, Lines: 15, Stream: "err", Follow: true, Since: time.Unix(1, 5).UTC()},
	} {
		got, err := api.ParseLogsRequest(want.Query())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v came back as %+v, %v", want, got, err)
		}
	}
}
