package infra

import (
	"context"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/mattn/go-shellwords"

	"devstack/probe"
	"devstack/view"
)

// The servers whose protocol devstack speaks.
const (
	Redis    = "redis"
	Postgres = "postgres"
)

// serverOf is which of them a container is, by what it runs and by the name of its image; empty: another one. argv may be
// only what the Compose file says of it. An image of redis that runs something else, like a client, is no server.
func serverOf(image string, argv []string) string {
	program, rest := "", argv
	for len(rest) > 0 && strings.Contains(base(rest[0]), "entrypoint") {
		rest = rest[1:]
	}
	if len(rest) > 0 {
		program, rest = base(rest[0]), rest[1:]
	}
	switch {
	case program == "", program == "run.sh", strings.HasPrefix(program, "-"), strings.HasSuffix(program, ".conf"):
		return serverOfImage(image) // the image's own command, perhaps with options
	case isShell(program):
		words := strings.Fields(strings.Join(rest, " "))
		for i, w := range words {
			if server := serverOfProgram(base(w)); server != "" && (i == 0 || !strings.HasPrefix(words[i-1], "-") || words[i-1] == "-c") {
				return server
			}
		}
		return ""
	}
	return serverOfProgram(program)
}

func serverOfProgram(name string) string {
	switch name {
	case "redis-server", "valkey-server", "keydb-server":
		return Redis
	case "postgres", "postmaster":
		return Postgres
	}
	return ""
}

func serverOfImage(image string) string {
	name, _, _ := strings.Cut(base(image), "@")
	name, _, _ = strings.Cut(name, ":")
	for _, other := range []string{"exporter", "insight", "commander", "sentinel", "backup", "operator", "postgrest"} {
		if strings.Contains(name, other) {
			return ""
		}
	}
	for prefix, server := range map[string]string{
		"redis": Redis, "valkey": Redis, "keydb": Redis,
		"postgres": Postgres, "postgis": Postgres, "pgvector": Postgres, "timescale": Postgres,
	} {
		if strings.HasPrefix(name, prefix) {
			return server
		}
	}
	return ""
}

// base is the last part of a path.
func base(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// Login is what a server asks for, read from its command and environment. Redis has neither user nor database.
type Login struct {
	Port     int // in the container
	User     string
	Password string // empty: none, or not known
	Database string
}

// LoginOf reads the configuration of Redis or Postgres: --requirepass and --port of redis, POSTGRES_* of postgres. A password in a
// file that only the container can see is not known.
func LoginOf(server string, argv []string, env map[string]string) Login {
	argv = Words(argv, env)
	if server == Redis {
		return Login{
			Port:     atoi(option(argv, "--port"), 6379),
			Password: first(option(argv, "--requirepass"), env["REDIS_PASSWORD"], env["VALKEY_PASSWORD"]),
		}
	}
	user := first(env["POSTGRES_USER"], "postgres")
	return Login{
		Port: atoi(first(env["PGPORT"], option(argv, "-p"), setting(argv, "port")), 5432),
		User: user, Password: env["POSTGRES_PASSWORD"], Database: first(env["POSTGRES_DB"], user),
	}
}

// wire is the probe that speaks to the server at addr.
func (l Login) wire(server, addr string) probe.Probe {
	if server == Redis {
		return probe.Redis(addr, "", l.Password)
	}
	return probe.Postgres(addr, l.User, l.Password, l.Database)
}

// Words are the command's words; those of a shell's script with its variables filled in, as far as a shell is not needed.
func Words(argv []string, env map[string]string) []string {
	n := slices.IndexFunc(argv, func(w string) bool { return isShell(base(w)) })
	if n < 0 || n+2 >= len(argv) || !strings.HasPrefix(argv[n+1], "-") {
		return argv
	}
	script := os.Expand(argv[n+2], func(name string) string { return env[name] })
	out, err := shellwords.Parse(script)
	if err != nil {
		return strings.Fields(script)
	}
	return out
}

func isShell(program string) bool { return program == "sh" || program == "bash" || program == "ash" }

// option is the word after name, or after "name=".
func option(words []string, name string) string {
	for i, w := range words {
		if w == name && i+1 < len(words) {
			return words[i+1]
		}
		if value, ok := strings.CutPrefix(w, name+"="); ok {
			return value
		}
	}
	return ""
}

// setting is postgres's -c name=value.
func setting(argv []string, name string) string {
	for _, w := range argv {
		if value, ok := strings.CutPrefix(strings.TrimPrefix(w, "-c"), name+"="); ok {
			return value
		}
	}
	return ""
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func atoi(s string, otherwise int) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return otherwise
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

// WireOnly are the probes of the published ports of the servers that devstack knows, for stacks whose containers it does
// not start. Ports that the engine picks are not known.
func WireOnly(p *types.Project) map[string]probe.Probe {
	out := map[string]probe.Probe{}
	for name, s := range p.Services {
		argv := slices.Concat(s.Entrypoint, s.Command)
		server := serverOf(s.Image, argv)
		if server == "" {
			continue
		}
		env := map[string]string{}
		for key, value := range s.Environment {
			if value != nil {
				env[key] = *value
			}
		}
		l := LoginOf(server, argv, env)
		if addr := published(DeclaredPorts(s), l.Port); addr != "" {
			out[name] = l.wire(server, addr)
		}
	}
	return out
}

// DeclaredPorts are the fixed ports that the Compose file publishes.
func DeclaredPorts(s types.ServiceConfig) []view.PublishedPort {
	var out []view.PublishedPort
	for _, port := range s.Ports {
		if n, err := strconv.Atoi(port.Published); err == nil {
			out = append(out, view.PublishedPort{HostIP: port.HostIP, HostPort: n, ContainerPort: int(port.Target), Protocol: first(port.Protocol, "tcp")})
		}
	}
	return out
}

// gate is how devstack finds out whether one running container is ready. Nil parts ask nothing.
type gate struct {
	wire      probe.Probe // in the server's own protocol
	published bool        // wire goes over the published port; else through exec
	check     probe.Probe // the service's own healthcheck, through exec
}

// gateOf reads a running container and chooses its probes. exec runs a command in it.
func gateOf(c Container, exec func(ctx context.Context, argv []string) (Execution, error)) gate {
	var g gate
	var l Login
	env := map[string]string{}
	for _, e := range c.Env {
		key, value, _ := strings.Cut(e, "=")
		env[key] = value
	}
	server := serverOf(c.Image, c.Argv)
	if server != "" {
		l = LoginOf(server, c.Argv, env)
		addr := published(c.Ports, l.Port)
		secret := server == Postgres && env["POSTGRES_PASSWORD_FILE"] != ""
		if addr != "" && !secret {
			g.wire, g.published = l.wire(server, addr), true
		} else {
			// Inside, over TCP: the unix socket also answers while postgres is still being set up.
			g.wire = execProbe(exec, loopbackCheck(server, l), server)
		}
	}
	if g.wire != nil && c.Data != "" {
		g.wire = namingData(g.wire, c.Data)
	}
	if test := testArgv(c); test != nil {
		g.check = execProbe(exec, test, server)
		if server == Redis && l.Password == "" {
			g.wire = anyAnswer(g.wire)
		}
	}
	return g
}

// namingData says where the data are that a server refuses the login for.
func namingData(p probe.Probe, data string) probe.Probe {
	return probe.Func(func(ctx context.Context) probe.Result {
		r := p.Check(ctx)
		if r.Broken {
			r.Detail += "; they are in " + data
		}
		return r
	})
}

// anyAnswer is for a redis whose password only the container knows, from a file: that it asks for one shows that it is up,
// and its own healthcheck tells the rest.
func anyAnswer(p probe.Probe) probe.Probe {
	return probe.Func(func(ctx context.Context) probe.Result {
		r := p.Check(ctx)
		if r.Broken && strings.Contains(r.Detail, "NOAUTH") {
			return probe.Result{Ready: true, Alive: true, Detail: "redis answers and asks for a password"}
		}
		return r
	})
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

// execProbe is ready when the command ends with 0. redis-cli does so also while redis loads its data or refuses the
// login, so for its ping the answer itself counts.
func execProbe(exec func(context.Context, []string) (Execution, error), argv []string, server string) probe.Probe {
	line := strings.ToLower(strings.Join(argv, " "))
	pong := server == Redis && strings.Contains(line, "ping") && (strings.Contains(line, "redis-cli") || strings.Contains(line, "valkey-cli")) &&
		!strings.ContainsAny(line, "|;&>")
	return probe.Func(func(ctx context.Context) probe.Result {
		x, err := exec(ctx, argv)
		if err != nil {
			return probe.Result{Detail: "cannot run the healthcheck: " + err.Error()}
		}
		output := strings.TrimSpace(first(strings.TrimSpace(x.Stdout), x.Stderr))
		switch {
		case x.Code != 0:
			return probe.Result{Detail: strings.TrimSuffix("the healthcheck ended with "+strconv.Itoa(x.Code)+": "+output, ": ")}
		case pong && !strings.Contains(x.Stdout, "PONG"):
			broken := strings.Contains(output, "NOAUTH") || strings.Contains(output, "WRONGPASS")
			return probe.Result{Broken: broken, Detail: "the healthcheck got no PONG: " + output}
		}
		return probe.Result{Ready: true, Alive: true, Detail: "the healthcheck passed"}
	})
}
