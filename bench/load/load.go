// Package load asks one HTTP server on this machine for the same thing over and over, by several clients at once, and
// accounts for every single request: it was answered as it should be, or refused, or reset, or it took too long, or the
// answer was wrong. Every other client opens a connection for each request; the rest keep theirs as long as the server
// does. No request is ever sent twice, so nothing that a server does to a client goes unseen.
//
// What it promises not to call a failure is what no client suffers from: a kept connection that the server has closed
// before anything was sent on it, and an answer that says Connection: close.
package load

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// Options say what is asked, how often, and when to end at the latest.
type Options struct {
	Address  string        // host:port of a loopback address
	Path     string        // default /
	Clients  int           // default 8
	Pause    time.Duration // of each client between two requests; default none
	Timeout  time.Duration // of one request, connecting included; default 30 s
	Requests int           // that are sent at most; default a million
	Span     time.Duration // in which requests are sent at most; default 10 minutes
	// Server names who gave an answer, or says what is wrong with it. Default: Pid.
	Server func(status int, body []byte) (string, error)
}

// Load is a run of clients. Its methods may be called by several goroutines.
type Load struct {
	o    Options
	end  context.Context
	stop context.CancelFunc

	clients sync.WaitGroup

	mu      sync.Mutex
	begun   int
	report  Report
	changed chan struct{} // closed when a request has been counted
}

// Start starts the clients. They go on until Stop, or until one of the limits is reached.
func Start(o Options) (*Load, error) {
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot ask %s: %w", o.Address, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("cannot ask %s: it is not a loopback address", o.Address)
	}
	o = o.withDefaults()
	l := &Load{o: o, changed: make(chan struct{}), report: Report{Servers: map[string]int{}, First: map[string]time.Time{}}}
	l.end, l.stop = context.WithTimeout(context.Background(), o.Span)
	for i := range o.Clients {
		c := &client{load: l, keep: i%2 == 1}
		l.clients.Go(func() { c.run(o.Pause * time.Duration(i) / time.Duration(o.Clients)) })
	}
	go func() {
		l.clients.Wait()
		l.stop()
	}()
	return l, nil
}

func (o Options) withDefaults() Options {
	if o.Path == "" {
		o.Path = "/"
	}
	if o.Clients == 0 {
		o.Clients = 8
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Requests == 0 {
		o.Requests = 1_000_000
	}
	if o.Span == 0 {
		o.Span = 10 * time.Minute
	}
	if o.Server == nil {
		o.Server = Pid
	}
	return o
}

// Stop lets the clients finish the requests that are under way, which are counted as all others, and reports.
func (l *Load) Stop() Report {
	l.stop()
	return l.Wait()
}

// Wait reports when a limit is reached.
func (l *Load) Wait() Report {
	l.clients.Wait()
	return l.Report()
}

// Report is what has been counted so far.
func (l *Load) Report() Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.report.clone()
}

// Until looks at what has been counted, after each request, until done; done must not keep the report. It fails when
// ctx ends before, or when no more requests are sent.
func (l *Load) Until(ctx context.Context, done func(*Report) bool) error {
	for {
		over := l.end.Err() != nil // what is counted by now is looked at once more
		l.mu.Lock()
		ok, changed := done(&l.report), l.changed
		l.mu.Unlock()
		switch {
		case ok:
			return nil
		case over:
			return fmt.Errorf("the load ended before (%s)", l.Report())
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting under load (%s): %w", l.Report(), context.Cause(ctx))
		case <-l.end.Done():
		}
	}
}

// Answered waits until each of the given number of further requests has been answered as it should be.
func (l *Load) Answered(ctx context.Context, more int) error {
	want := l.Report().OK + more
	return l.Until(ctx, func(r *Report) bool { return r.OK >= want })
}

// begin says whether another request may be sent, and counts it as sent.
func (l *Load) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end.Err() != nil || l.begun >= l.o.Requests {
		return false
	}
	l.begun++
	return true
}

// ended counts a request.
func (l *Load) ended(server string, err error, took time.Duration) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.count(server, err, took, now)
	close(l.changed)
	l.changed = make(chan struct{})
}

// connected counts connections: opened ones, and kept ones that the server had closed while nothing was asked.
func (l *Load) connected(opened, closed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Opened += opened
	l.report.Closed += closed
}
