package native

import (
	"path/filepath"
	"slices"
	"strings"
)

// option is one line of a server's configuration.
type option struct {
	Name   string // empty: the value is a configuration file
	Values []string
	File   bool // the value is a file of the host that the server must be able to read
}

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

// readOptions reads the command of a container: the program's name, which may be absent, and its options. Values that are
// files become the host's.
func (f family) readOptions(argv []string, mounted files) (out []option, problem string) {
	if len(argv) > 0 && slices.Contains(f.programs, filepath.Base(argv[0])) {
		argv = argv[1:]
	}
	all, problem := f.options(argv)
	if problem != "" {
		return nil, problem
	}
	for _, o := range all {
		if slices.Contains(f.own, o.Name) {
			continue
		}
		if len(o.Values) == 1 && filepath.IsAbs(o.Values[0]) || o.Name == "" {
			host, ok := mounted.onHost(o.Values[0])
			if !ok {
				return nil, strings.TrimPrefix(o.Name+": ", ": ") + o.Values[0] + " is only in the image"
			}
			o.Values, o.File = []string{host}, true
		}
		out = append(out, o)
	}
	return out, ""
}

// redisOptions reads "[FILE] --NAME VALUE... ".
func redisOptions(argv []string) (out []option, problem string) {
	if len(argv) > 0 && !strings.HasPrefix(argv[0], "-") {
		if !strings.HasSuffix(argv[0], ".conf") {
			return nil, argv[0] + " is not a server"
		}
		out, argv = append(out, option{Values: argv[:1]}), argv[1:]
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
		out, argv = append(out, option{Name: strings.ToLower(name), Values: argv[1:end]}), argv[end:]
	}
	return out, ""
}

// shortPostgres are the short forms of the most common settings of postgres: those with a value, and whole settings.
var (
	shortPostgres = map[string]string{
		"-c": "", "-N": "max_connections=", "-B": "shared_buffers=", "-S": "work_mem=", "-p": "port=", "-D": "data_directory=",
		"-k": "unix_socket_directories=", "-h": "listen_addresses=",
	}
	flagsOfPostgres = map[string]string{"-F": "fsync=off", "-l": "ssl=on", "-i": "listen_addresses=*"}
)

// postgresOptions reads "-c NAME=VALUE --NAME=VALUE ...".
func postgresOptions(argv []string) (out []option, problem string) {
	for len(argv) > 0 {
		word, setting := argv[0], ""
		argv = argv[1:]
		short, takesValue := shortPostgres[word]
		switch {
		case takesValue && len(argv) > 0:
			setting, argv = short+argv[0], argv[1:]
		case flagsOfPostgres[word] != "":
			setting = flagsOfPostgres[word]
		case strings.HasPrefix(word, "--"), strings.HasPrefix(word, "-c"):
			setting = word[2:]
		default:
			return nil, "cannot read " + word
		}
		name, value, ok := strings.Cut(setting, "=")
		if !ok {
			return nil, "cannot read " + setting
		}
		out = append(out, option{Name: strings.ToLower(strings.ReplaceAll(name, "-", "_")), Values: []string{value}})
	}
	return out, ""
}
