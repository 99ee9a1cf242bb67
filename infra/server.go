package infra

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/mattn/go-shellwords"

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

// LoginOf reads the configuration of Redis or Postgres: --requirepass and --port of redis, POSTGRES_* of postgres, and the names
// that Bitnami's images have for them. A password in a file that only the container can see is not known.
func LoginOf(server string, argv []string, env map[string]string) Login {
	argv = Words(argv, env)
	l := Login{Port: standardPort(server)}
	if port := portSaid(server, argv, env); port != 0 {
		l.Port = port
	}
	if server == Redis {
		l.Password = first(option(argv, "--requirepass"), env["REDIS_PASSWORD"], env["VALKEY_PASSWORD"])
		return l
	}
	l.User = first(env["POSTGRES_USER"], env["POSTGRESQL_USERNAME"], "postgres")
	l.Password = first(env["POSTGRES_PASSWORD"], env["POSTGRESQL_PASSWORD"])
	l.Database = first(env["POSTGRES_DB"], env["POSTGRESQL_DATABASE"], l.User)
	return l
}

// loginSaid says that the login is the service's own, and not a guess. The password of a redis may be in a file, and a user of
// postgres may have another name than the usual one.
func loginSaid(server string, argv []string, env map[string]string) bool {
	if server == Redis {
		return LoginOf(server, argv, env).Password != ""
	}
	for _, key := range []string{"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_HOST_AUTH_METHOD", "POSTGRESQL_USERNAME", "POSTGRESQL_PASSWORD"} {
		if env[key] != "" {
			return true
		}
	}
	return false
}

// portSaid is the port that a server's words or environment tell; 0: they do not.
func portSaid(server string, words []string, env map[string]string) int {
	if server == Redis {
		return atoi(option(words, "--port"), 0)
	}
	return atoi(first(env["PGPORT"], env["POSTGRESQL_PORT_NUMBER"], option(words, "-p"), setting(words, "port")), 0)
}

// environment is a list of KEY=VALUE as a map.
func environment(list []string) map[string]string {
	env := map[string]string{}
	for _, e := range list {
		key, value, _ := strings.Cut(e, "=")
		env[key] = value
	}
	return env
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
