package native

import (
	"slices"
	"strconv"
	"strings"
	"syscall"

	"devstack/infra"
)

// kind is a server that the host may have.
type kind string

// The kinds. Valkey is a Redis to its clients, and each can stand in for the other.
const (
	redis    kind = "redis"
	valkey   kind = "valkey"
	postgres kind = "postgres"
)

// family is what the servers of one protocol have in common.
type family struct {
	protocol string         // the word of package infra
	programs []string       // their names
	override string         // the variable that names the only place of the programs
	stop     syscall.Signal // ends the server in order, without waiting for its clients
	pidFile  string         // below the data directory: where the server writes its pid
	farewell string         // in the last line of the log of a server that has ended in order
	own      []string       // settings that are this package's: see options.go
	options  func(argv []string) (all []option, problem string)
}

var (
	redisFamily = family{
		protocol: infra.Redis, programs: []string{"redis-server", "valkey-server"}, override: "DEVSTACK_REDIS_BIN",
		stop: syscall.SIGTERM, pidFile: "redis.pid", farewell: "bye bye", own: ownRedis, options: redisOptions,
	}
	postgresFamily = family{
		protocol: infra.Postgres, programs: []string{"postgres", "postmaster"}, override: "DEVSTACK_PG_BIN",
		stop: syscall.SIGINT, pidFile: "postmaster.pid", farewell: "database system is shut down", own: ownPostgres, options: postgresOptions,
	}
	families = []family{redisFamily, postgresFamily}
)

func (k kind) family() family {
	if k == postgres {
		return postgresFamily
	}
	return redisFamily
}

// ServerOf is the server that runs an image natively: redis, valkey or postgres; empty: only Docker can run it.
func ServerOf(image string) string {
	k, _ := recognise(image)
	return string(k)
}

// recognise reads the name of an official image and the major version of its tag (0: none). Images that only begin with
// the same server, such as postgis, are not recognised: the host's server lacks what they add.
func recognise(image string) (k kind, major int) {
	name, _, _ := strings.Cut(image, "@")
	tag := ""
	if n := strings.LastIndexByte(name, ':'); n > strings.LastIndexByte(name, '/') {
		name, tag = name[:n], name[n+1:]
	}
	parts := strings.Split(name, "/")
	if registry := parts[0]; len(parts) > 1 && (strings.ContainsAny(registry, ".:") || registry == "localhost") {
		parts = parts[1:]
	}
	k = kind(parts[len(parts)-1])
	namespace := strings.Join(parts[:len(parts)-1], "/")
	known := slices.Contains([]kind{redis, valkey, postgres}, k) &&
		(slices.Contains([]string{"", "library", "docker/library"}, namespace) || k == valkey && namespace == "valkey")
	if !known {
		return "", 0
	}
	return k, majorOf(tag)
}

// majorOf is the number before the first dot or other sign; 0: there is none.
func majorOf(version string) int {
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(version)
	}
	n, _ := strconv.Atoi(version[:end])
	return n
}
