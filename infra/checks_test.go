package infra

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"devstack/probe"
	"devstack/view"
)

// commands runs nothing: it notes what it is asked to run, and answers.
type commands struct {
	ran    [][]string
	answer probe.Execution
	err    error
}

func (c *commands) run(_ context.Context, argv []string) (probe.Execution, error) {
	c.ran = append(c.ran, argv)
	return c.answer, c.err
}

func tcp(host, container int) view.PublishedPort {
	return view.PublishedPort{HostIP: "127.0.0.1", HostPort: host, ContainerPort: container, Protocol: "tcp"}
}

func TestWhatAContainerIsAsked(t *testing.T) {
	ports := []view.PublishedPort{tcp(1, 6379), tcp(1, 5432)}
	for _, test := range []struct {
		name   string
		c      Container
		server []string // the command that asks the server; nil: it is asked over a published port, unless alone
		own    []string // the healthcheck; nil: there is none
		alone  bool     // nobody asks the server
	}{
		{"a server without healthcheck", Container{Image: "redis", Ports: ports}, nil, nil, false},
		{"its own healthcheck as well", Container{Image: "redis", Ports: ports, HealthTest: []string{"CMD", "redis-cli", "ping"}}, nil, []string{"redis-cli", "ping"}, false},
		{"a healthcheck for the shell", Container{Image: "postgres", Ports: ports, HealthTest: []string{"CMD-SHELL", "pg_isready"}}, nil, []string{"/bin/sh", "-c", "pg_isready"}, false},
		{"an image with a shell of its own", Container{Image: "postgres", Ports: ports, HealthTest: []string{"CMD-SHELL", "x"}, Shell: []string{"/bin/bash", "-ec"}}, nil, []string{"/bin/bash", "-ec", "x"}, false},
		{
			"postgres that publishes nothing is asked over TCP inside, whatever its healthcheck says",
			Container{Image: "postgres", Env: []string{"POSTGRES_USER=a", "POSTGRES_DB=b"}, HealthTest: []string{"CMD-SHELL", "pg_isready -p 5555"}},
			[]string{"pg_isready", "-h", "127.0.0.1", "-p", "5555", "-U", "a", "-d", "b"},
			[]string{"/bin/sh", "-c", "pg_isready -p 5555"},
			false,
		},
		{
			"postgres whose password only the container knows",
			Container{Image: "postgres", Ports: ports, Env: []string{"POSTGRES_PASSWORD_FILE=/run/secrets/p"}},
			[]string{"pg_isready", "-h", "127.0.0.1", "-p", "5432", "-U", "postgres", "-d", "postgres"},
			nil, false,
		},
		{
			"redis that publishes nothing",
			Container{Image: "redis", Argv: []string{"redis-server", "--requirepass", "x"}},
			[]string{"redis-cli", "-p", "6379", "-a", "x", "--no-auth-warning", "ping"},
			nil, false,
		},
		{
			"redis with a configuration file, whose healthcheck knows the port",
			Container{Image: "redis", Argv: []string{"redis-server", "/etc/redis.conf"}, HealthTest: []string{"CMD-SHELL", "redis-cli -p 6380 PING"}},
			[]string{"redis-cli", "-p", "6380", "ping"},
			[]string{"/bin/sh", "-c", "redis-cli -p 6380 PING"},
			false,
		},
		{
			"redis of which only its healthcheck knows anything",
			Container{Image: "redis", Argv: []string{"redis-server", "/etc/redis.conf"}, HealthTest: []string{"CMD", "/healthcheck"}},
			nil,
			[]string{"/healthcheck"},
			true,
		},
		{"redis that speaks TLS", Container{Image: "redis", Ports: ports, Argv: []string{"redis-server", "--tls-port", "6379"}, HealthTest: []string{"CMD", "x"}}, nil, []string{"x"}, true},
		{"another image", Container{Image: "nginx"}, nil, nil, true},
		{"another image that publishes a port", Container{Image: "nginx", Ports: []view.PublishedPort{tcp(2, 80)}}, nil, nil, false},
		{"another image with a healthcheck, whatever it publishes", Container{Image: "nginx", Ports: ports, HealthTest: []string{"CMD", "true"}}, nil, []string{"true"}, true},
		{"a healthcheck that was switched off", Container{Image: "nginx", HealthTest: []string{"NONE"}}, nil, nil, true},
	} {
		var c commands
		all := checksOf(test.c, c.run)
		if all.any() == (test.alone && test.own == nil) || (all.server == nil) != test.alone {
			t.Errorf("%s: it is asked %+v", test.name, all)
			continue
		}
		if all.server != nil && all.server.outside == (test.server != nil) {
			t.Errorf("%s: it is asked from outside: %t", test.name, all.server.outside)
		}
		for _, asked := range []struct {
			check *check
			want  []string
		}{{all.server, test.server}, {all.own, test.own}} {
			c.ran = nil
			if asked.want == nil {
				continue
			}
			if asked.check.once(t.Context()); len(c.ran) != 1 || !slices.Equal(c.ran[0], asked.want) {
				t.Errorf("%s: it runs %q, want %q", test.name, c.ran, asked.want)
			}
		}
	}
}

func TestWhereAServerListens(t *testing.T) {
	for _, test := range []struct {
		name  string
		said  int
		ports []view.PublishedPort
		test  []string
		want  int
		known bool
	}{
		{"nobody tells", 0, nil, nil, 6379, false},
		{"its command tells", 7000, []view.PublishedPort{tcp(1, 6379)}, []string{"redis-cli", "-p", "8000", "ping"}, 7000, true},
		{"its healthcheck tells", 0, []view.PublishedPort{tcp(1, 6380)}, []string{"sh", "-c", "redis-cli -p 6380 PING | grep PONG"}, 6380, true},
		{"its healthcheck asks at the usual port", 0, nil, []string{"redis-cli", "ping"}, 6379, true},
		{"it publishes the usual port", 0, []view.PublishedPort{tcp(1, 6379), tcp(2, 8001)}, nil, 6379, true},
		{"it publishes another port", 0, []view.PublishedPort{tcp(1, 6380)}, nil, 6380, true},
		{"it publishes several others", 0, []view.PublishedPort{tcp(1, 6380), tcp(2, 8001)}, nil, 6379, false},
		{"-p is another program's", 0, nil, []string{"/healthcheck", "-p", "9"}, 6379, false},
	} {
		if got, known := serverPort(Redis, test.said, test.ports, test.test); got != test.want || known != test.known {
			t.Errorf("%s: %d (known: %t), want %d (%t)", test.name, got, known, test.want, test.known)
		}
	}
}

// speak answers every connection with a line, and ends with the test.
func speak(t *testing.T, line string) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(line))
			_, _ = conn.Read(make([]byte, 100))
			conn.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func TestWhatReadinessRestsOn(t *testing.T) {
	for _, test := range []struct {
		name string
		line string // what the server says; of another program nothing
		c    Container
		want string
	}{
		{"PONG", "+PONG\r\n", Container{Image: "redis"}, "PONG"},
		{"a password that is in a file", "-NOAUTH Authentication required.\r\n", Container{Image: "redis"}, "listens :6379"},
		{"a password that is wrong", "-WRONGPASS no\r\n", Container{Image: "redis", Argv: []string{"redis-server", "--requirepass", "x"}}, ""},
		{"a redis on another port", "+PONG\r\n", Container{Image: "redis", Argv: []string{"redis-server", "--port", "6380"}}, "PONG"},
		{"a program that says nothing", "", Container{Image: "minio"}, "listens :9000"},
		{"a program that greets", "220 hello\r\n", Container{Image: "mail"}, "listens :9000"},
		{"its own healthcheck", "", Container{Image: "minio", HealthTest: []string{"CMD", "x"}}, "healthcheck"},
	} {
		inside := map[bool]int{true: 6379, false: 9000}[test.c.Image == "redis"]
		if strings.Contains(strings.Join(test.c.Argv, " "), "6380") {
			inside = 6380
		}
		test.c.Ports = []view.PublishedPort{tcp(speak(t, test.line), inside)}
		var c commands
		r := checksOf(test.c, c.run).once(t.Context())
		if r.Ready != (test.want != "") || string(r.By) != test.want {
			t.Errorf("%s: %+v, want %q", test.name, r, test.want)
		}
	}
}

func TestTheAnswerOfRedisCliCountsNotItsExitCode(t *testing.T) {
	for _, test := range []struct {
		name, image string
		argv        []string
		answer      probe.Execution
		err         error
		ready       bool
		broken      bool
	}{
		{"pong", "redis", []string{"redis-cli", "ping"}, probe.Execution{Stdout: "PONG\n"}, nil, true, false},
		{"loading", "redis", []string{"redis-cli", "ping"}, probe.Execution{Stdout: "LOADING Redis is loading the dataset in memory\n"}, nil, false, false},
		{"no password", "redis", []string{"redis-cli", "ping"}, probe.Execution{Stdout: "NOAUTH Authentication required.\n"}, nil, false, true},
		{"refused", "redis", []string{"redis-cli", "ping"}, probe.Execution{Code: 1, Stderr: "Connection refused"}, nil, false, false},
		{"the shell judges the answer itself", "redis", []string{"/bin/sh", "-c", "redis-cli ping | grep -q PONG"}, probe.Execution{}, nil, true, false},
		{"another command", "redis", []string{"/healthcheck"}, probe.Execution{}, nil, true, false},
		{"another server", "nginx", []string{"redis-cli", "ping"}, probe.Execution{}, nil, true, false},
		{"cannot run", "nginx", []string{"nothing"}, probe.Execution{}, errors.New("the engine is away"), false, false},
		{"there is no such program", "nginx", []string{"nothing"}, probe.Execution{}, probe.ErrNoCommand, false, true},
	} {
		c := commands{answer: test.answer, err: test.err}
		r := healthcheck(Container{Image: test.image, HealthTest: append([]string{"CMD"}, test.argv...)}, c.run).once(t.Context())
		if r.Ready != test.ready || r.Broken != test.broken || r.Detail == "" {
			t.Errorf("%s: %+v, want ready %t, broken %t", test.name, r, test.ready, test.broken)
		}
	}
}

// A healthcheck that hangs is asked once at a time, whoever asks, and what it says is that it gives no answer.
func TestAHealthcheckThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		hangs := func(ctx context.Context, _ []string) (probe.Execution, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			<-ctx.Done()
			return probe.Execution{}, ctx.Err()
		}
		all := checksOf(Container{Image: "x", HealthTest: []string{"CMD", "sleep", "1000"}, HealthWait: 2 * time.Second}, hangs)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		said := make(chan probe.Result, 100)
		done := make(chan struct{})
		go func() {
			defer close(done)
			all.wait(ctx, func(r probe.Result) { said <- r })
		}()
		<-time.After(time.Second)
		if r := all.once(ctx); r.Ready {
			t.Errorf("another one who asks: %+v", r)
		}
		<-done
		if n := len(said); n < 20 || most.Load() != 1 {
			t.Errorf("%d answers, %d at a time", n, most.Load())
		}
		if r := <-said; r.Detail != "the healthcheck gives no answer within 2s" {
			t.Errorf("it says %q", r.Detail)
		}
	})
}

func TestOneLook(t *testing.T) {
	says := func(ready bool, detail string) *check {
		return newCheck(probe.Func(func(context.Context) probe.Result { return probe.Result{Ready: ready, Detail: detail} }), probe.Containers()).by(probe.Kind(detail))
	}
	for _, test := range []struct {
		name       string
		all        checks
		ready      bool
		detail, by string
	}{
		{"only the server", checks{server: says(true, "PONG")}, true, "PONG", "PONG"},
		{"both", checks{server: says(true, "PONG"), own: says(true, "passed")}, true, "passed", "PONG"},
		{"only its own", checks{own: says(true, "passed")}, true, "passed", "passed"},
		{"the server does not", checks{server: says(false, "refused"), own: says(true, "passed")}, false, "refused", ""},
		{"its own does not", checks{server: says(true, "PONG"), own: says(false, "failed")}, false, "failed", ""},
	} {
		if r := test.all.once(t.Context()); r.Ready != test.ready || r.Detail != test.detail || r.Ready && string(r.By) != test.by {
			t.Errorf("%s: %+v", test.name, r)
		}
	}
}
