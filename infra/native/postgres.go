package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"devstack/infra"
)

// postgresArgv is the postmaster in the foreground. The last setting of a name wins, so ours come last. It has no socket
// in the file system, whose path could be too long.
func (v *server) postgresArgv(options []option) []string {
	argv := []string{v.Program.Path, "-D", v.at.data()}
	set := func(name, value string) { argv = append(argv, "-c", name+"="+value) }
	for _, o := range options {
		set(o.Name, strings.Join(o.Values, ","))
	}
	listen := v.Definition.HostIP
	if listen == "127.0.0.1" {
		listen = "127.0.0.1,::1" // localhost may be either
	}
	set("port", strconv.Itoa(v.Port))
	set("listen_addresses", listen)
	set("unix_socket_directories", "")
	set("logging_collector", "off")
	set("log_destination", "stderr")
	set("log_line_prefix", "%m [%p] ")
	set("log_timezone", "UTC")
	return argv
}

// dataVersion is the major version that a data directory was made with; 0: there is none.
func dataVersion(at place) int {
	text, _, _ := firstLine(filepath.Join(at.data(), "PG_VERSION"))
	return majorOf(text)
}

// checkDatabase refuses data of another version, and removes a postmaster.pid that names another program, which postgres
// would take for a server.
func (v *server) checkDatabase() error {
	if have := dataVersion(v.at); have != v.Program.major() {
		return v.refuse(fmt.Sprintf("PostgreSQL %d has made the data in %s, and this host has only PostgreSQL %s", have, v.at.data(), v.Program.Version),
			fmt.Sprintf("install PostgreSQL %d, or delete the data: devstack down -v", have))
	}
	if pid, _ := v.at.pid(postgresFamily); pid != 0 {
		return fmt.Errorf("a postgres (pid %d) that devstack has not started uses %s", pid, v.at.data())
	}
	if err := os.Remove(filepath.Join(v.at.data(), postgresFamily.pidFile)); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

func (v *server) refuse(why, hint string) error {
	return &infra.Error{Kind: infra.Failed, Service: v.Service, Message: "service " + v.Service + ": " + why, Hint: hint}
}

// makeDatabase makes a data directory with the user, the password and the database that the environment asks for. It
// appears in one step, when it is whole.
func (v *server) makeDatabase(ctx context.Context, t templates) error {
	if v.Definition.Login.Password == "" && v.Definition.Env["POSTGRES_HOST_AUTH_METHOD"] != "trust" {
		return v.refuse("POSTGRES_PASSWORD is not set, and a database without a password is open to everybody",
			"set POSTGRES_PASSWORD to a non-empty value, or POSTGRES_HOST_AUTH_METHOD: trust")
	}
	template, err := t.get(ctx, v)
	if err != nil {
		return err
	}
	fresh := filepath.Join(string(v.at), ".new-data")
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	err = copyTree(template, fresh, v.user)
	if err == nil {
		err = v.fill(ctx, fresh)
	}
	if err == nil {
		err = os.Rename(fresh, v.at.data())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot make a database: %w", err), os.RemoveAll(fresh))
	}
	return nil
}

// fill makes of a copied template what the environment and the init scripts ask for.
func (v *server) fill(ctx context.Context, data string) error {
	method := v.Definition.Env["POSTGRES_HOST_AUTH_METHOD"]
	if method == "" {
		method = "scram-sha-256"
	}
	access := fmt.Sprintf("local all all trust\nhost all all all %s\nhost replication all all %s\n", method, method)
	if err := v.user.write(filepath.Join(data, "pg_hba.conf"), strings.NewReader(access)); err != nil {
		return err
	}
	err := v.execute(ctx, data, firstStatements(v.Definition.Login), v.Program.Path, "--single", "-F", "-D", data,
		"-c", "exit_on_error=on", "-c", "log_min_error_statement=panic", "-c", "password_encryption=scram-sha-256", "postgres")
	if err != nil || len(v.Definition.Init) == 0 {
		return err
	}
	return v.runScripts(ctx, data)
}

// firstStatements are for postgres --single, where each line is one.
func firstStatements(l infra.Login) string {
	name := strings.NewReplacer(`"`, `""`, `\`, `\\`, "\n", `\000a`)
	text := strings.NewReplacer(`'`, `''`, `\`, `\\`, "\n", `\n`)
	var b strings.Builder
	if l.Password != "" {
		fmt.Fprintf(&b, "ALTER USER U&\"%s\" WITH PASSWORD E'%s'\n", name.Replace(l.User), text.Replace(l.Password))
	}
	if l.Database != "postgres" {
		fmt.Fprintf(&b, "CREATE DATABASE U&\"%s\"\n", name.Replace(l.Database))
	}
	return b.String()
}

// runScripts runs the files of /docker-entrypoint-initdb.d as the image does: in the new database, as its superuser, by a
// server that only they can reach.
func (v *server) runScripts(ctx context.Context, data string) (err error) {
	sockets, err := os.MkdirTemp("", "devstack-") // short: the path of a socket is limited to about 100 bytes
	if err != nil {
		return err
	}
	defer os.RemoveAll(sockets)
	if err := v.user.own(sockets); err != nil {
		return err
	}
	control := func(args ...string) error {
		return v.execute(ctx, data, "", v.Program.tool("pg_ctl"), append([]string{"-D", data, "-w", "-s"}, args...)...)
	}
	options := "-F -c listen_addresses='' -c unix_socket_directories='" + sockets + "'"
	if err := control("-o", options, "-l", filepath.Join(sockets, "log"), "start"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, control("-m", "fast", "stop")) }()
	l := v.Definition.Login
	for _, file := range v.Definition.Init {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := v.execute(ctx, data, string(text), v.Program.tool("psql"),
			"-v", "ON_ERROR_STOP=1", "--no-psqlrc", "-q", "-h", sockets, "-U", l.User, "-d", l.Database, "-f", "-"); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
	}
	return nil
}

// sync has a new database on the platter soon, without a start that waits for it: postgres itself only syncs what it changes.
func (v *server) sync(ctx context.Context) error {
	return v.execute(ctx, v.at.data(), "", v.Program.tool("initdb"), "--sync-only", "-D", v.at.data())
}
