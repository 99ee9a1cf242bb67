package native

import (
	"slices"
	"strconv"
	"strings"

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

// protocol is the server's word in package infra.
func (k kind) protocol() string {
	if k == postgres {
		return infra.Postgres
	}
	return infra.Redis
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
