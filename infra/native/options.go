package native

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Where a server listens, and where its data and its output are, is this package's to say: what the command says of it is
// about the container and does not apply.
var (
	ownRedis = []string{
		"port", "bind", "dir", "daemonize", "pidfile", "supervised", "logfile", "syslog-enabled", "unixsocket", "unixsocketperm", "protected-mode",
	}
	ownPostgres = []string{
		"port", "listen_addresses", "data_directory", "unix_socket_directories", "unix_socket_permissions", "unix_socket_group",
		"external_pid_file", "logging_collector", "log_destination", "log_directory", "log_filename", "log_line_prefix", "log_timezone",
	}
)

// redisOptions reads "redis-server [FILE] --NAME VALUE... ". The file comes as an option without a name.
func redisOptions(argv []string, files files) (out []option, problem string) {
	if len(argv) > 0 && slices.Contains([]string{"redis-server", "valkey-server"}, filepath.Base(argv[0])) {
		argv = argv[1:]
	}
	if len(argv) > 0 && !strings.HasPrefix(argv[0], "-") {
		if !strings.HasSuffix(argv[0], ".conf") {
			return nil, argv[0] + " is no server"
		}
		host, ok := files.onHost(argv[0])
		if !ok {
			return nil, argv[0] + " is only in the image"
		}
		out, argv = append(out, option{Values: []string{host}, File: true}), argv[1:]
	}
	for len(argv) > 0 {
		name, ok := strings.CutPrefix(argv[0], "--")
		if !ok {
			return nil, "cannot read " + argv[0]
		}
		end := slices.IndexFunc(argv[1:], func(w string) bool { return strings.HasPrefix(w, "--") }) + 1
		if end == 0 {
			end = len(argv)
		}
		o := option{Name: strings.ToLower(name), Values: argv[1:end]}
		argv = argv[end:]
		if slices.Contains(ownRedis, o.Name) {
			continue
		}
		if problem := o.locate(files); problem != "" {
			return nil, problem
		}
		out = append(out, o)
	}
	return out, ""
}

// postgresOptions reads "postgres -c NAME=VALUE ...", with the short forms of the most common settings.
func postgresOptions(argv []string, files files) (out []option, problem string) {
	if len(argv) > 0 && slices.Contains([]string{"postgres", "postmaster"}, filepath.Base(argv[0])) {
		argv = argv[1:]
	}
	short := map[string]string{
		"-N": "max_connections", "-B": "shared_buffers", "-S": "work_mem", "-p": "port", "-D": "data_directory", "-k": "unix_socket_directories", "-h": "listen_addresses",
	}
	for len(argv) > 0 {
		w, setting := argv[0], ""
		argv = argv[1:]
		value := ""
		switch name, known := short[w]; {
		case (w == "-c" || known) && len(argv) > 0:
			value, argv = argv[0], argv[1:]
			setting = value
			if known {
				setting = name + "=" + value
			}
		case strings.HasPrefix(w, "--"):
			setting = w[2:]
		case strings.HasPrefix(w, "-c"):
			setting = w[2:]
		case w == "-F":
			setting = "fsync=off"
		case w == "-l":
			setting = "ssl=on"
		case w == "-i":
			continue
		default:
			return nil, "cannot read " + w
		}
		name, value, ok := strings.Cut(setting, "=")
		if !ok {
			return nil, fmt.Sprintf("cannot read %s", setting)
		}
		o := option{Name: strings.ToLower(strings.ReplaceAll(name, "-", "_")), Values: []string{value}}
		if slices.Contains(ownPostgres, o.Name) {
			continue
		}
		if problem := o.locate(files); problem != "" {
			return nil, problem
		}
		out = append(out, o)
	}
	return out, ""
}

// locate makes the host's path of a container's.
func (o *option) locate(files files) (problem string) {
	if len(o.Values) != 1 || !filepath.IsAbs(o.Values[0]) {
		return ""
	}
	host, ok := files.onHost(o.Values[0])
	if !ok {
		return fmt.Sprintf("%s: %s is only in the image", o.Name, o.Values[0])
	}
	o.Values, o.File = []string{host}, true
	return ""
}
