package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// serve answers every connection with talk, and is gone when the test ends.
func serve(t *testing.T, talk func(in *bufio.Reader, out net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			talk(bufio.NewReader(conn), conn)
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestRedis(t *testing.T) {
	for _, test := range []struct {
		name, password, answers string
		want                    Result
	}{
		{"ready", "", "+PONG", Result{Ready: true, Alive: true, By: Pong, Detail: "PING -> PONG"}},
		{"ready with a password", "secret", "+OK\r\n+PONG", Result{Ready: true, Alive: true, By: Pong, Detail: "PING -> PONG"}},
		{
			"a password that is not needed", "secret", "-ERR AUTH <password> called without any password configured for the default user.\r\n+PONG",
			Result{Ready: true, Alive: true, By: Pong, Detail: "PING -> PONG"},
		},
		{
			"a password that is missing", "", "-NOAUTH Authentication required.",
			Result{Broken: true, Alive: true, Detail: "redis asks for a password and none is known: NOAUTH Authentication required."},
		},
		{
			"a wrong password", "wrong", "-WRONGPASS invalid username-password pair or user is disabled.",
			Result{Broken: true, Alive: true, Detail: "redis refuses the login: WRONGPASS invalid username-password pair or user is disabled."},
		},
		{"loading", "", "-LOADING Redis is loading the dataset in memory", Result{Alive: true, Detail: "redis is loading its data"}},
		{"loading, with a password", "secret", "-LOADING Redis is loading the dataset in memory", Result{Alive: true, Detail: "redis is loading its data"}},
		{"a replica without its master", "", "-MASTERDOWN Link with MASTER is down", Result{Alive: true, Detail: "redis: MASTERDOWN Link with MASTER is down"}},
		{"something else", "", "HTTP/1.1 400 Bad Request", Result{Detail: `this is not the answer of a redis server: "HTTP/1.1 400 Bad Request"`}},
	} {
		addr := serve(t, func(in *bufio.Reader, out net.Conn) {
			for answer := range strings.SplitSeq(test.answers, "\r\n") {
				if _, err := in.ReadString('\n'); err != nil { // *N, and what follows is read with the next
					return
				}
				fmt.Fprint(out, answer+"\r\n")
			}
			_, _ = in.ReadString(0)
		})
		if got := Redis(addr, "", test.password).Check(t.Context()); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestRedisSendsItsLogin(t *testing.T) {
	got := make(chan string, 1)
	addr := serve(t, func(in *bufio.Reader, out net.Conn) {
		var all strings.Builder
		for range 7 {
			line, _ := in.ReadString('\n')
			all.WriteString(line)
		}
		got <- all.String()
	})
	Redis(addr, "app", "pa ss").Check(t.Context())
	if want := "*3\r\n$4\r\nAUTH\r\n$3\r\napp\r\n$5\r\npa ss\r\n"; <-got != want {
		t.Errorf("it did not send %q", want)
	}
}

// postgresError is an ErrorResponse of the protocol.
func postgresError(code, message string) []byte {
	body := "SFATAL\x00VFATAL\x00C" + code + "\x00M" + message + "\x00\x00"
	return append([]byte{'E', 0, 0, 0, byte(4 + len(body))}, body...)
}

func TestPostgres(t *testing.T) {
	for _, test := range []struct {
		name, code, message string
		broken              bool
		detail              string
	}{
		{"starting", "57P03", "the database system is starting up", false, "postgres: the database system is starting up"},
		{"too many clients", "53300", "sorry, too many clients already", false, "postgres: sorry, too many clients already (53300)"},
		{"wrong password", "28P01", `password authentication failed for user "app"`, true, "empty data directory"},
		{"no such role", "28000", `role "app" does not exist`, true, "empty data directory"},
		{"no such database", "3D000", `database "db" does not exist`, true, `postgres has no database "db"`},
	} {
		addr := serve(t, func(in *bufio.Reader, out net.Conn) {
			_, _ = in.Peek(8)
			_, _ = out.Write(postgresError(test.code, test.message))
		})
		got := Postgres(addr, "app", "secret", "db").Check(t.Context())
		if got.Ready || !got.Alive || got.Broken != test.broken || !strings.Contains(got.Detail, test.detail) {
			t.Errorf("%s: %+v, want broken %t and %q", test.name, got, test.broken, test.detail)
		}
	}
}

func TestPostgresDoesNotReadTheMachinesOwnLogin(t *testing.T) {
	t.Setenv("PGUSER", "somebody")
	t.Setenv("PGPASSWORD", "else")
	t.Setenv("PGDATABASE", "elsewhere")
	t.Setenv("PGSSLMODE", "require")
	t.Setenv("PGTARGETSESSIONATTRS", "standby")
	config, err := postgresConfig("127.0.0.1:1234", "app", "", "db")
	if err != nil {
		t.Fatal(err)
	}
	if config.User != "app" || config.Password != "" || config.Database != "db" || config.TLSConfig != nil || config.ValidateConnect != nil || len(config.Fallbacks) > 0 {
		t.Errorf("the login is %+v", config)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	for name, p := range map[string]Probe{"redis": Redis(addr, "", ""), "postgres": Postgres(addr, "a", "b", "c"), "tcp": TCP(addr, nil), "http": HTTP("http://"+addr, nil)} {
		if r := p.Check(t.Context()); r.Ready || r.Broken || r.Alive || !strings.Contains(r.Detail, "nothing listens on") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestAProxyThatAcceptsForNobodyIsNotReady(t *testing.T) {
	addr := serve(t, func(*bufio.Reader, net.Conn) {})
	for name, p := range map[string]Probe{"redis": Redis(addr, "", ""), "postgres": Postgres(addr, "a", "b", "c"), "http": HTTP("http://"+addr, nil)} {
		if r := p.Check(t.Context()); r.Ready || r.Broken || r.Alive || !strings.Contains(r.Detail, "closed the connection") {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := TCP(addr, nil).Check(t.Context()); !r.Ready {
		t.Errorf("tcp: %+v, want ready: that is all it asks", r)
	}
}

func TestASilentServerRunsIntoTheDeadline(t *testing.T) {
	release := make(chan struct{})
	addr := serve(t, func(*bufio.Reader, net.Conn) { <-release })
	defer close(release)
	for name, p := range map[string]Probe{"redis": Redis(addr, "", ""), "http": HTTP("http://"+addr, nil)} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if r := p.Check(ctx); r.Ready || r.Broken || !strings.Contains(r.Detail, "did not answer in time") {
			t.Errorf("%s: %+v", name, r)
		}
		cancel()
	}
}

func TestHTTP(t *testing.T) {
	for status, ready := range map[int]bool{200: true, 204: true, 302: true, 399: true, 400: false, 404: false, 500: false, 503: false} {
		var keepAlive bool
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			keepAlive = !r.Close
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(status)
		}))
		if r := HTTP(s.URL, nil).Check(t.Context()); r.Ready != ready {
			t.Errorf("status %d: %+v, want ready %t", status, r, ready)
		}
		if keepAlive {
			t.Errorf("status %d: the connection was to be kept", status)
		}
		s.Close()
	}
	if r := HTTP("http://bad host/", nil).Check(t.Context()); !r.Broken {
		t.Errorf("a bad URL: %+v, want broken", r)
	}
}

func TestPollKeepsItsSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var at []time.Duration
		p := Func(func(context.Context) Result {
			at = append(at, time.Since(begin))
			return Result{Ready: len(at) == 5, Detail: fmt.Sprint(len(at))}
		})
		seen := 0
		r := Poll(t.Context(), p, Schedule{
			Steps:   []Step{{Pause: 20 * time.Millisecond, Until: 40 * time.Millisecond}, {Pause: 50 * time.Millisecond, Until: 90 * time.Millisecond}, {Pause: time.Second}},
			Timeout: time.Second,
		}, func(Result) { seen++ })
		if got, want := fmt.Sprint(at), "[0s 20ms 40ms 90ms 1.09s]"; got != want || !r.Ready || seen != 5 {
			t.Errorf("it looked at %s and ended with %+v after %d results; want %s, ready and 5", got, r, seen, want)
		}
	})
}

func TestPollEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Millisecond)
		defer cancel()
		stuck := Func(func(ctx context.Context) Result {
			<-ctx.Done()
			return Result{Detail: errors.Unwrap(fmt.Errorf("%w", ctx.Err())).Error()}
		})
		begin := time.Now()
		r := Poll(ctx, stuck, Schedule{Steps: []Step{{Pause: 10 * time.Millisecond}}, Timeout: 30 * time.Millisecond}, nil)
		if r.Ready || time.Since(begin) != 90*time.Millisecond || r.Detail != context.DeadlineExceeded.Error() {
			t.Errorf("it ended after %v with %+v", time.Since(begin), r)
		}
	})
}
