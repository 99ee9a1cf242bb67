package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"devstack/view"
)

// ErrNotRunning says that nothing listens on the project's socket: no keeper runs.
var ErrNotRunning = errors.New("no stack is running here")

// ErrInterrupted says that the daemon went away in the middle of an action and that its outcome is not known.
var ErrInterrupted = errors.New("the daemon went away before it said how the command ended")

// errAskAgain says that the next daemon answers.
var errAskAgain = errors.New("the daemon is being replaced")

// Client talks to the daemon of one project. The keeper holds the listening socket, so that a connection made while no
// daemon runs waits for the next one; what a dying daemon had already accepted breaks. Reads that break before their
// answer are asked again for up to ReadRetry, streams go on where they broke.
type Client struct {
	// ReadRetry is how long a broken read is asked again; NewClient sets 5 s.
	ReadRetry time.Duration

	http *http.Client
}

// NewClient returns a Client of the daemon behind socket. It connects with the first request.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return dialUnix(ctx, socket) }
	return &Client{
		ReadRetry: 5 * time.Second,
		http:      &http.Client{Transport: &http.Transport{DialContext: dial, DisableCompression: true}},
	}
}

// State is what runs now.
func (c *Client) State(ctx context.Context) (*State, error) {
	var s State
	return &s, c.read(ctx, "/state", &s)
}

// StateOf is State with the processes that words mean, and no services.
func (c *Client) StateOf(ctx context.Context, names []string) (*State, error) {
	var s State
	return &s, c.read(ctx, "/state?"+url.Values{"names": names}.Encode(), &s)
}

// Env is the environment of the processes that a word means. Secrets are masked unless they are asked for.
func (c *Client) Env(ctx context.Context, word string, showSecrets bool) ([]ProcessEnvironment, error) {
	var all []ProcessEnvironment
	return all, c.read(ctx, "/env/"+url.PathEscape(word)+"?show_secrets="+strconv.FormatBool(showSecrets), &all)
}

// Describe is everything known about an app or a service.
func (c *Client) Describe(ctx context.Context, name string) (*Description, error) {
	var d Description
	return &d, c.read(ctx, "/describe/"+url.PathEscape(name), &d)
}

// Events yields the events after since (0: from now on) until ctx ends or the stack is gone. It goes on after a
// restart of the daemon.
func (c *Client) Events(ctx context.Context, since uint64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			resp, err := c.get(ctx, "/events?since="+strconv.FormatUint(since, 10))
			if err != nil {
				yield(Event{}, err)
				return
			}
			for e, err := range stream[Event](resp.Body) {
				if err != nil {
					break // the daemon is gone: ask the next one
				}
				since = e.Seq
				if !yield(e, nil) {
					return
				}
			}
			if ctx.Err() != nil {
				yield(Event{}, ctx.Err())
				return
			}
			pause(ctx)
		}
	}
}

// Logs yields lines of output. With Follow it goes on until ctx ends or the stack is gone, also across a restart of
// the daemon: there, lines of the very last timestamp seen may come twice, none is lost.
func (c *Client) Logs(ctx context.Context, r LogsRequest) iter.Seq2[LogRecord, error] {
	return func(yield func(LogRecord, error) bool) {
		for {
			resp, err := c.get(ctx, "/logs?"+r.Query().Encode())
			if err != nil {
				yield(LogRecord{}, err)
				return
			}
			var broken error
			for record, err := range stream[LogRecord](resp.Body) {
				if broken = err; err != nil {
					break
				}
				r.Since = record.Timestamp
				if !yield(record, nil) {
					return
				}
			}
			switch {
			case ctx.Err() != nil:
				yield(LogRecord{}, ctx.Err())
				return
			case !r.Follow:
				if broken != nil {
					yield(LogRecord{}, fmt.Errorf("cannot read the logs to their end: %w", broken))
				}
				return
			}
			r.Lines = allLines
			pause(ctx)
		}
	}
}

// allLines is more lines than any log holds.
const allLines = 1 << 30

// Up brings the stack to what the files say. each gets every event. It is asked again, once, if the daemon dies on the
// way: up is idempotent.
func (c *Client) Up(ctx context.Context, r UpRequest, each func(Event)) (*Result, error) {
	return c.actTwice(ctx, "/up", r, each)
}

// Down stops everything; the daemon and its keeper leave after the result.
func (c *Client) Down(ctx context.Context, r DownRequest, each func(Event)) (*Result, error) {
	return c.actTwice(ctx, "/down", r, each)
}

// Save writes down what a resurrect goes by. The daemon does so by itself after every action; this says what it is.
func (c *Client) Save(ctx context.Context) (*Saved, error) {
	return ask[Saved](ctx, c, "/save", nil)
}

// Start starts processes.
func (c *Client) Start(ctx context.Context, r ActionRequest, each func(Event)) (*Result, error) {
	return c.actTwice(ctx, "/start", r, each)
}

// Stop stops processes or one container.
func (c *Client) Stop(ctx context.Context, r ActionRequest, each func(Event)) (*Result, error) {
	return c.actTwice(ctx, "/stop", r, each)
}

// Restart restarts processes or one container. It is never asked twice: a broken stream is ErrInterrupted.
func (c *Client) Restart(ctx context.Context, r ActionRequest, each func(Event)) (*Result, error) {
	return c.act(ctx, "/restart", r, each)
}

// Reload replaces processes one after the other. It is never asked twice, like Restart.
func (c *Client) Reload(ctx context.Context, r ActionRequest, each func(Event)) (*Result, error) {
	return c.act(ctx, "/reload", r, each)
}

// Delete stops apps and takes them out of the running stack.
func (c *Client) Delete(ctx context.Context, r ActionRequest, each func(Event)) (*Result, error) {
	return c.act(ctx, "/delete", r, each)
}

// Scale changes the number of instances of an app.
func (c *Client) Scale(ctx context.Context, r ScaleRequest, each func(Event)) (*Result, error) {
	return c.act(ctx, "/scale", r, each)
}

// Reset sets counters to zero.
func (c *Client) Reset(ctx context.Context, r ActionRequest, each func(Event)) (*Result, error) {
	return c.actTwice(ctx, "/reset", r, each)
}

// Signal sends a signal to processes.
func (c *Client) Signal(ctx context.Context, r SignalRequest, each func(Event)) (*Result, error) {
	return c.act(ctx, "/signal", r, each)
}

// Flush empties log files.
func (c *Client) Flush(ctx context.Context, r ActionRequest, each func(Event)) (*Result, error) {
	return c.actTwice(ctx, "/flush", r, each)
}

// RestartDaemon replaces keeper and daemon. It returns when that has begun; State shows the next daemon by its pid.
func (c *Client) RestartDaemon(ctx context.Context, r UpgradeRequest) (*Upgraded, error) {
	return ask[Upgraded](ctx, c, "/daemon/restart", r)
}

// ask posts body and decodes the answer, of which there is one.
func ask[Answer any](ctx context.Context, c *Client, path string, body any) (*Answer, error) {
	resp, err := c.post(ctx, path, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer := new(Answer)
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return nil, ErrInterrupted
	}
	return answer, nil
}

// actTwice is act for actions that may be repeated.
func (c *Client) actTwice(ctx context.Context, path string, body any, each func(Event)) (*Result, error) {
	result, err := c.act(ctx, path, body, each)
	if errors.Is(err, ErrInterrupted) {
		result, err = c.act(ctx, path, body, each)
	}
	return result, err
}

// act posts body and hands the events of the answer to each, the result included.
func (c *Client) act(ctx context.Context, path string, body any, each func(Event)) (*Result, error) {
	resp, err := c.post(ctx, path, body)
	if err != nil {
		return nil, err
	}
	for e, err := range stream[Event](resp.Body) {
		if err != nil {
			break
		}
		each(e)
		if e.Kind == view.KindResult && e.Result != nil {
			return e.Result, nil
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, ErrInterrupted
}

// AskAgain is the header of a daemon that has not looked at a request because the next one is to answer it.
const AskAgain = "Retry-After"

// post sends body. A daemon that is being replaced is followed by one that is asked again.
func (c *Client) post(ctx context.Context, path string, body any) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(c.ReadRetry)
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := c.do(req)
		switch {
		case err == nil:
			return resp, nil
		case errors.Is(err, errAskAgain) && time.Now().Before(deadline):
			pause(ctx)
		case ctx.Err() == nil && broke(err):
			return nil, ErrInterrupted
		default:
			return nil, err
		}
	}
}

// read decodes the answer to a GET into answer.
func (c *Client) read(ctx context.Context, path string, answer any) error {
	deadline := time.Now().Add(c.ReadRetry)
	for {
		resp, err := c.get(ctx, path)
		if err != nil {
			return err
		}
		var data []byte
		data, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil {
			return json.Unmarshal(data, answer)
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("cannot read the daemon's answer: %w", err)
		}
	}
}

// get asks for path and, while daemons die before they answer, asks again.
func (c *Client) get(ctx context.Context, path string) (*http.Response, error) {
	deadline := time.Now().Add(c.ReadRetry)
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		if err != nil {
			return nil, err
		}
		resp, err := c.do(req)
		if err == nil || ctx.Err() != nil || !broke(err) || time.Now().After(deadline) {
			return resp, err
		}
		pause(ctx)
	}
}

// base is the URL of the API; its host means nothing on a unix socket.
const base = "http://devstack/" + Version

// do sends req. An answer that is not 2xx is an *Error; nobody listening is ErrNotRunning.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil, ErrNotRunning
	case err != nil:
		return nil, fmt.Errorf("cannot ask the daemon: %w", err)
	case resp.StatusCode/100 == 2:
		return resp, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get(AskAgain) != "" {
		return nil, errAskAgain
	}
	answer := &Error{}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil || answer.Message == "" {
		return nil, &Error{Exit: ExitBug, Message: "the daemon answered " + resp.Status + " to " + req.URL.Path}
	}
	if answer.Exit == ExitDone {
		answer.Exit = ExitBug
	}
	return nil, answer
}

// dialUnix connects to socket, waiting while its backlog is full.
func dialUnix(ctx context.Context, socket string) (net.Conn, error) {
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "unix", socket)
		if !errors.Is(err, syscall.EAGAIN) || ctx.Err() != nil {
			return conn, err
		}
		pause(ctx)
	}
}

// pause lets the next daemon start.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Millisecond):
	}
}

// broke says whether the connection failed under the request, as it does when a daemon dies.
func broke(err error) bool {
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// stream yields the values of newline-delimited JSON until its end, or an error, and closes body.
func stream[T any](body io.ReadCloser) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		defer body.Close()
		decoder := json.NewDecoder(body)
		for {
			var value T
			err := decoder.Decode(&value)
			if err == io.EOF {
				return
			}
			if !yield(value, err) || err != nil {
				return
			}
		}
	}
}
