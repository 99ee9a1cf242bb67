package native

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// redisConfig is the whole configuration of a server. It is a file so that passwords are in no command line.
func (v *server) redisConfig(options []option) string {
	var b strings.Builder
	line := func(name string, values ...string) {
		b.WriteString(name)
		for _, v := range values {
			b.WriteString(" " + redisQuoted(v))
		}
		b.WriteByte('\n')
	}
	for _, o := range options {
		if o.Name == "" {
			line("include", v.Program.literal(o.Values[0]))
		} else {
			line(o.Name, o.Values...)
		}
	}
	def := v.Definition
	line("port", strconv.Itoa(v.Port))
	if def.HostIP == "127.0.0.1" && v.Program.major() >= 7 {
		line("bind", "127.0.0.1", "-::1") // localhost may be either
	} else {
		line("bind", def.HostIP)
		line("protected-mode", "no") // as in the image: the Compose file has opened it
	}
	line("dir", v.at.data())
	line("daemonize", "no")
	line("pidfile", filepath.Join(v.at.data(), redisFamily.pidFile))
	line("logfile", "")
	return b.String()
}

// literal is the path of a configuration as a server takes it, for whom it is a pattern since version 7: one that matches
// nothing is no error, and the server would run without its password.
func (p program) literal(path string) string {
	if p.Kind == redis && p.major() < 7 || !strings.ContainsAny(path, "*?[") {
		return path
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// foreign is a user's redis.conf without what is ours to say.
func foreign(text string) string {
	var out []string
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || !slices.Contains(ownRedis, strings.ToLower(words[0])) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// redisQuoted is a word as Redis reads it back.
func redisQuoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
