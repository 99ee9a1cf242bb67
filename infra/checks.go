package infra

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"devstack/probe"
	"devstack/view"
)

// check is one way to ask a running container whether it is ready. It is asked once at a time, whoever asks.
type check struct {
	ask      func(context.Context) probe.Result
	schedule probe.Schedule
	outside  bool          // over a published port, which costs the container nothing
	turn     chan struct{} // holds one token
}

func newCheck(p probe.Probe, s probe.Schedule) *check {
	return &check{ask: p.Check, schedule: s, turn: make(chan struct{}, 1)}
}

// by is the check whose successes rest on this kind.
func (c *check) by(kind probe.Kind) *check {
	ask := c.ask
	c.ask = func(ctx context.Context) probe.Result {
		r := ask(ctx)
		if r.Ready {
			r.By = kind
		}
		return r
	}
	return c
}

// once asks in its turn, for at most the schedule's timeout.
func (c *check) once(ctx context.Context) probe.Result {
	ctx, cancel := context.WithTimeout(ctx, c.schedule.Timeout)
	defer cancel()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
		return c.ask(ctx)
	case <-ctx.Done():
		return probe.Result{Detail: "the check before it has not ended yet"}
	}
}

// wait asks by the schedule until it is ready, or ctx ends: then it is not.
func (c *check) wait(ctx context.Context, seen func(probe.Result)) probe.Result {
	return probe.Poll(ctx, probe.Func(c.once), c.schedule, seen)
}

// checks are all that a container is asked; it is ready when all are content. Nil ones ask nothing.
type checks struct {
	server *check // that the server answers
	own    *check // the service's own healthcheck
}

// any says that there is something to ask.
func (c checks) any() bool { return c.server != nil || c.own != nil }

// wait returns when all are ready, or not before ctx ends. The healthcheck begins when the server has spoken for the first
// time: before that it would take the processor away from a server that boots, and tell nothing, because the check of a
// server that only listens on its own socket yet may well pass.
func (c checks) wait(ctx context.Context, seen func(probe.Result)) probe.Result {
	server, own := probe.Result{Ready: true}, probe.Result{Ready: true}
	var work sync.WaitGroup
	alive, speak := context.WithCancel(ctx)
	defer speak()
	if c.server == nil {
		speak()
	} else {
		work.Go(func() {
			server = c.server.wait(ctx, func(r probe.Result) {
				if r.Alive {
					speak()
				}
				seen(r)
			})
		})
	}
	if c.own != nil {
		work.Go(func() {
			<-alive.Done()
			own = c.own.wait(ctx, seen)
		})
	}
	work.Wait()
	return both(server, own)
}

// once asks all at the same time, once.
func (c checks) once(ctx context.Context) probe.Result {
	server, own := probe.Result{Ready: true}, probe.Result{Ready: true}
	var work sync.WaitGroup
	if c.server != nil {
		work.Go(func() { server = c.server.once(ctx) })
	}
	if c.own != nil {
		work.Go(func() { own = c.own.once(ctx) })
	}
	work.Wait()
	return both(server, own)
}

// both is the answer of both. The one that is not ready has the word.
func both(server, own probe.Result) probe.Result {
	switch {
	case !server.Ready:
		return server
	case !own.Ready:
		return own
	}
	return probe.Result{Ready: true, Alive: true, By: cmp.Or(server.By, own.By), Detail: cmp.Or(own.Detail, server.Detail)}
}

// checksOf reads a running container and chooses what it is asked. run runs a command in it.
func checksOf(c Container, run probe.Run) checks {
	out := checks{own: healthcheck(c, run)}
	if out.server = serverCheck(c, run); out.server == nil && out.own == nil {
		out.server = listensOn(c.Ports)
	}
	return out
}

// serverCheck asks a server that devstack knows in its own protocol: over its published port, or inside. Nil: it is another
// server, or what it has to be asked would only be guessed while its own healthcheck knows it.
func serverCheck(c Container, run probe.Run) *check {
	server := serverOf(c.Image, c.Argv)
	if server == "" || slices.ContainsFunc(c.Argv, func(w string) bool { return strings.Contains(w, "--tls-port") }) {
		return nil
	}
	env := environment(c.Env)
	l, said := LoginOf(server, c.Argv, env), loginSaid(server, c.Argv, env)
	test := testArgv(c)
	port, known := serverPort(server, portSaid(server, Words(c.Argv, env), env), c.Ports, test)
	l.Port = port
	addr := published(c.Ports, l.Port)
	if addr != "" && env["POSTGRES_PASSWORD_FILE"] == "" {
		return overPort(server, l, addr, c.Data).forgiving(said, port)
	}
	if test != nil && !known {
		return nil
	}
	// Inside, over TCP: the unix socket also answers while postgres is still being set up.
	command := probe.Command{Name: "the check of " + server, Argv: loopbackCheck(server, l)}
	by := probe.ListensOn(l.Port)
	if server == Redis {
		command.Answer, by = probe.Ponged, probe.Pong
	}
	return newCheck(probe.Exec(command, run), probe.Containers()).by(by).forgiving(said, port)
}

// overPort asks over a published port.
func overPort(server string, l Login, addr, data string) *check {
	c := newCheck(probe.Redis(addr, "", l.Password), probe.Containers())
	if server == Postgres {
		c = newCheck(probe.Postgres(addr, l.User, l.Password, l.Database), probe.Containers())
	}
	c.outside = true
	if data != "" {
		ask := c.ask
		c.ask = func(ctx context.Context) probe.Result {
			r := ask(ctx)
			if r.Broken {
				r.Detail += "; they are in " + data
			}
			return r
		}
	}
	return c
}

// forgiving takes the refusal of a login that was only guessed for what it is: an answer.
func (c *check) forgiving(said bool, port int) *check {
	if said {
		return c
	}
	ask := c.ask
	c.ask = func(ctx context.Context) probe.Result {
		r := ask(ctx)
		if r.Broken && r.Alive {
			return probe.Result{Ready: true, Alive: true, By: probe.ListensOn(port), Detail: "answers, and asks for a login that the Compose file does not tell"}
		}
		return r
	}
	return c
}

// serverPort is where a server listens in its container, and whether anybody tells: its command or environment (said, unless
// 0), its healthcheck, or the port that is published. Otherwise it is the standard one.
func serverPort(server string, said int, ports []view.PublishedPort, test []string) (port int, known bool) {
	standard := standardPort(server)
	words := strings.Fields(strings.Join(test, " "))
	client := slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"redis-cli", "valkey-cli", "pg_isready", "psql"}, base(w))
	})
	if said != 0 {
		return said, true
	}
	if port := atoi(option(words, "-p"), 0); client && port != 0 {
		return port, true
	}
	if client || published(ports, standard) != "" {
		return standard, true
	}
	if inside := tcpPorts(ports); len(inside) == 1 {
		return inside[0], true
	}
	return standard, false
}

func standardPort(server string) int {
	if server == Postgres {
		return 5432
	}
	return 6379
}

// tcpPorts are the container's TCP ports that are published, in order, once each.
func tcpPorts(ports []view.PublishedPort) []int {
	var out []int
	for _, p := range ports {
		if p.Protocol == "tcp" && p.HostPort != 0 && !slices.Contains(out, p.ContainerPort) {
			out = append(out, p.ContainerPort)
		}
	}
	slices.Sort(out)
	return out
}

// listensOn asks whether anybody listens on any of the published TCP ports; nil: there is none.
func listensOn(ports []view.PublishedPort) *check {
	inside := tcpPorts(ports)
	if len(inside) == 0 {
		return nil
	}
	c := newCheck(probe.Func(func(ctx context.Context) probe.Result {
		results := make([]probe.Result, len(inside))
		var work sync.WaitGroup
		for n, port := range inside {
			work.Go(func() { results[n] = probe.Listens(published(ports, port)).Check(ctx) })
		}
		work.Wait()
		for n, r := range results {
			if r.Ready {
				r.By = probe.ListensOn(inside[n])
				r.Detail = string(r.By)
				return r
			}
		}
		return results[0]
	}), probe.Containers())
	c.outside = true
	return c
}

// healthcheck runs the container's own healthcheck; nil: it has none. redis-cli ends with 0 also while redis loads its data or
// refuses the login, so of its ping the answer counts.
func healthcheck(c Container, run probe.Run) *check {
	argv := testArgv(c)
	if argv == nil {
		return nil
	}
	timeout := c.HealthWait
	if timeout <= 0 {
		timeout = 30 * time.Second
	}
	command := probe.Command{Name: "the healthcheck", Argv: argv}
	line := strings.ToLower(strings.Join(argv, " "))
	asksPing := strings.Contains(line, "ping") && (strings.Contains(line, "redis-cli") || strings.Contains(line, "valkey-cli"))
	if serverOf(c.Image, c.Argv) == Redis && asksPing && !strings.ContainsAny(line, "|;&>") {
		command.Answer = probe.Ponged
	}
	ask := probe.Exec(command, run)
	return newCheck(probe.Func(func(ctx context.Context) probe.Result {
		r := ask.Check(ctx)
		if !r.Ready && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			r.Detail = fmt.Sprintf("the healthcheck gives no answer within %s", timeout)
		}
		return r
	}), probe.Schedule{
		Steps:   []probe.Step{{Pause: 100 * time.Millisecond, Until: 10 * time.Second}, {Pause: 500 * time.Millisecond}},
		Timeout: timeout,
	}).by(probe.Healthcheck)
}

// testArgv is the argv of a container's effective healthcheck, or nil.
func testArgv(c Container) []string {
	if len(c.HealthTest) < 2 {
		return nil
	}
	switch c.HealthTest[0] {
	case "CMD":
		return c.HealthTest[1:]
	case "CMD-SHELL":
		shell := c.Shell
		if len(shell) == 0 {
			shell = []string{"/bin/sh", "-c"}
		}
		return append(slices.Clone(shell), c.HealthTest[1:]...)
	}
	return nil
}

// loopbackCheck asks the server inside its container, over TCP.
func loopbackCheck(server string, l Login) []string {
	port := strconv.Itoa(l.Port)
	if server == Postgres {
		return []string{"pg_isready", "-h", "127.0.0.1", "-p", port, "-U", l.User, "-d", l.Database}
	}
	argv := []string{"redis-cli", "-p", port}
	if l.Password != "" {
		argv = append(argv, "-a", l.Password, "--no-auth-warning")
	}
	return append(argv, "ping")
}

// published is the address on this host where a container's TCP port answers; empty: it is not published.
func published(ports []view.PublishedPort, container int) string {
	for _, p := range ports {
		if p.ContainerPort != container || p.Protocol != "tcp" || p.HostPort == 0 {
			continue
		}
		host := p.HostIP
		switch host {
		case "", "0.0.0.0":
			host = "127.0.0.1"
		case "::":
			host = "::1"
		}
		return net.JoinHostPort(host, strconv.Itoa(p.HostPort))
	}
	return ""
}
