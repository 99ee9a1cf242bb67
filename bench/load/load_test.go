package load

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"pid\":7}"

// serve runs a server on a free port: handle is given every connection, and the number of it, from 0 on.
func serve(t *testing.T, handle func(conn net.Conn, n int)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for n := 0; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go handle(conn, n)
		}
	}()
	return listener.Addr().String()
}

// asked reads one request; false: the client is gone.
func asked(in *bufio.Reader) bool {
	_, err := http.ReadRequest(in)
	return err == nil
}

// says is a server that reads a request and then says text for ever.
func says(text string) func(net.Conn, int) {
	return func(conn net.Conn, _ int) {
		defer conn.Close()
		for in := bufio.NewReader(conn); asked(in); {
			if _, err := conn.Write([]byte(text)); err != nil {
				return
			}
		}
	}
}

// ends is a server that reads a request, says text and closes; abruptly, it resets the connection.
func ends(text string, abruptly bool) func(net.Conn, int) {
	return func(conn net.Conn, _ int) {
		defer conn.Close()
		if asked(bufio.NewReader(conn)) {
			_, _ = conn.Write([]byte(text))
		}
		if abruptly {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
	}
}

func TestEveryRequestIsCountedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		handle func(net.Conn, int)
		want   Report
	}{
		"answers":                  {says(answer), Report{OK: 40}},
		"answers and closes":       {ends(strings.Replace(answer, "\r\n", "\r\nConnection: close\r\n", 1), false), Report{OK: 40}},
		"answers as HTTP/1.0":      {ends(strings.Replace(answer, "1.1", "1.0", 1), false), Report{OK: 40}},
		"closes without an answer": {ends("", false), Report{Reset: 40}},
		"resets":                   {ends("", true), Report{Reset: 40}},
		"closes in the head":       {ends(answer[:20], false), Report{Reset: 40}},
		"closes in the body":       {ends(answer[:len(answer)-2], false), Report{Reset: 40}},
		"no HTTP":                  {ends("SSH-2.0-OpenSSH\r\n", false), Report{Bad: 40}},
		"another status":           {says(strings.Replace(answer, "200 OK", "503 Busy", 1)), Report{Bad: 40}},
		"another body":             {says(strings.Replace(answer, "pid", "pod", 1)), Report{Bad: 40}},
		"no JSON":                  {says(strings.Replace(answer, "{", "[", 1)), Report{Bad: 40}},
	} {
		t.Run(name, func(t *testing.T) {
			l := start(t, Options{Address: serve(t, c.handle), Clients: 4, Requests: 40})
			counts(t, l.Wait(), c.want)
		})
	}
}

// start is Start, with an end.
func start(t *testing.T, o Options) *Load {
	t.Helper()
	l, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Stop() })
	return l
}

// counts compares what became of the requests.
func counts(t *testing.T, got, want Report) {
	t.Helper()
	want.Requests = want.OK + want.Refused + want.Reset + want.Timeout + want.Bad
	type numbers struct{ requests, ok, refused, reset, timeout, bad int }
	a := numbers{got.Requests, got.OK, got.Refused, got.Reset, got.Timeout, got.Bad}
	b := numbers{want.Requests, want.OK, want.Refused, want.Reset, want.Timeout, want.Bad}
	if a != b || got.Failed() != want.Requests-want.OK {
		t.Errorf("got %s %q, want %s", got, got.Failures, want)
	}
	if (got.Failed() == 0) != (len(got.Failures) == 0) {
		t.Errorf("%d failures, described as %q", got.Failed(), got.Failures)
	}
}

func TestNobodyListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	counts(t, start(t, Options{Address: listener.Addr().String(), Requests: 10}).Wait(), Report{Refused: 10})
}

func TestNoAnswerInTime(t *testing.T) {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	silent := func(conn net.Conn, _ int) {
		defer conn.Close()
		<-over
	}
	l := start(t, Options{Address: serve(t, silent), Clients: 3, Requests: 3, Timeout: 20 * time.Millisecond})
	counts(t, l.Wait(), Report{Timeout: 3})
}

// Half of the clients keep their connections, the others never do.
func TestConnections(t *testing.T) {
	var most atomic.Int64 // requests on one connection
	handle := func(conn net.Conn, _ int) {
		defer conn.Close()
		in := bufio.NewReader(conn)
		for n := int64(1); asked(in); n++ {
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			if _, err := conn.Write([]byte(answer)); err != nil {
				return
			}
		}
	}
	address := serve(t, handle)
	if r := start(t, Options{Address: address, Clients: 1, Requests: 20}).Wait(); r.Opened != 20 || most.Load() != 1 {
		t.Errorf("a client that keeps nothing: %s, and %d requests on one connection", r, most.Load())
	}
	r := start(t, Options{Address: address, Clients: 2, Requests: 200}).Wait()
	if r.Opened >= 200 || most.Load() < 2 {
		t.Errorf("with one that does: %s, and at most %d requests on one connection", r, most.Load())
	}
	counts(t, r, Report{OK: 200})
}

// A kept connection that is closed while nothing is under way costs nothing; one that is closed with a request on it does.
func TestKeptConnectionIsClosed(t *testing.T) {
	for name, c := range map[string]struct {
		second func(conn net.Conn, in *bufio.Reader) // what happens on the first connection after its first answer
		state  idleState                             // as the client sees it before its second request
		want   Report
	}{
		"before":     {func(net.Conn, *bufio.Reader) {}, closed, Report{OK: 2}},
		"by a reset": {func(conn net.Conn, _ *bufio.Reader) { _ = conn.(*net.TCPConn).SetLinger(0) }, closed, Report{OK: 2}},
		"after":      {func(_ net.Conn, in *bufio.Reader) { asked(in) }, open, Report{OK: 1, Reset: 1}},
		"speaks":     {func(conn net.Conn, in *bufio.Reader) { _, _ = conn.Write([]byte("more")); asked(in) }, speaking, Report{OK: 1, Bad: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			answered := make(chan struct{})
			address := serve(t, func(conn net.Conn, n int) {
				if n > 0 {
					says(answer)(conn, n)
					return
				}
				defer conn.Close()
				in := bufio.NewReader(conn)
				asked(in)
				_, _ = conn.Write([]byte(answer))
				<-answered
				c.second(conn, in)
			})
			l := &Load{o: Options{Address: address, Server: Pid, Path: "/"}, report: Report{Servers: map[string]int{}, First: map[string]time.Time{}}}
			client := &client{load: l, keep: true}
			t.Cleanup(client.close)
			ask(client)
			close(answered)
			for state := open; state != c.state; { // the network's turn
				var err error
				if state, err = idle(client.conn); err != nil {
					t.Fatal(err)
				}
			}
			ask(client)
			counts(t, l.report, c.want)
			if gone := c.state == closed; (l.report.Closed == 1) != gone || (l.report.Opened == 2) != gone {
				t.Errorf("connections: %s", l.report)
			}
		})
	}
}

func ask(c *client) {
	server, err := c.request(time.Now().Add(10 * time.Second))
	c.load.report.count(server, err, 0, time.Now())
}

// Stop waits for the answers that are under way; who answered, and when first, is on record.
func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	under, answerNow := make(chan struct{}), make(chan struct{})
	address := serve(t, func(conn net.Conn, n int) {
		defer conn.Close()
		if asked(bufio.NewReader(conn)) {
			under <- struct{}{}
			<-answerNow
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{\"pid\":%d}", n+1)
		}
	})
	l := start(t, Options{Address: address, Clients: 3})
	for range 3 {
		<-under
	}
	l.stop()
	close(answerNow)
	r := l.Stop()
	counts(t, r, Report{OK: 3})
	if len(r.Servers) != 3 || len(r.First) != 3 || !slices.Equal(r.Shares(), []float64{100. / 3, 100. / 3, 100. / 3}) {
		t.Errorf("servers %v, first %v, shares %v", r.Servers, r.First, r.Shares())
	}
}

func TestUntil(t *testing.T) {
	l := start(t, Options{Address: serve(t, says(answer)), Requests: 50})
	if err := l.Until(t.Context(), func(r *Report) bool { return r.OK == 50 }); err != nil { // the last one is looked at, too
		t.Error(err)
	}
	if err := l.Until(t.Context(), func(r *Report) bool { return r.OK == 51 }); err == nil {
		t.Error("51 of 50 requests were answered")
	}
}

func TestLatencies(t *testing.T) {
	r := Report{Servers: map[string]int{}, First: map[string]time.Time{}}
	for i := range 200 {
		r.count("1", nil, time.Duration(i+1)*time.Millisecond, time.Now())
	}
	r.count("", &failure{reset, errors.New("x")}, time.Hour, time.Now())
	if r.Max() != 200*time.Millisecond || r.P99() != 198*time.Millisecond || r.Slower(150*time.Millisecond) != 50 {
		t.Errorf("max %s, p99 %s, %d slower than 150 ms", r.Max(), r.P99(), r.Slower(150*time.Millisecond))
	}
}

func TestAdd(t *testing.T) {
	var sum Report
	early, late := time.Unix(1, 0), time.Unix(2, 0)
	for _, at := range []time.Time{late, early} {
		r := Report{Servers: map[string]int{}, First: map[string]time.Time{}}
		r.count("1", nil, time.Second, at)
		for _, k := range []kind{refused, reset, timedOut, bad} {
			r.count("", &failure{k, errors.New("x")}, 0, at)
		}
		sum.Add(r)
	}
	counts(t, sum, Report{OK: 2, Refused: 2, Reset: 2, Timeout: 2, Bad: 2})
	if sum.Servers["1"] != 2 || sum.First["1"] != early || len(sum.took) != 2 || len(sum.Failures) != 8 {
		t.Errorf("%+v", sum)
	}
}

func TestOnlyLoopback(t *testing.T) {
	for _, address := range []string{"192.0.2.1:80", "example.org:80", "127.0.0.1", ""} {
		if _, err := Start(Options{Address: address}); err == nil {
			t.Errorf("%q is asked", address)
		}
	}
}
