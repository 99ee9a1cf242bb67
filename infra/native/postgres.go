package native

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-shellwords"
	"github.com/shirou/gopsutil/v4/process"

	"devstack/infra"
)

// postgresArgv is the postmaster in the foreground. The last setting of a name wins, so ours come last. It has no socket
// in the file system, whose path could be too long.
func postgresArgv(r record, at place, options []option) []string {
	argv := []string{r.Program.Path, "-D", at.data()}
	set := func(name, value string) { argv = append(argv, "-c", name+"="+value) }
	for _, o := range options {
		set(o.Name, strings.Join(o.Values, ","))
	}
	listen := r.Definition.HostIP
	if listen == "127.0.0.1" {
		listen = "127.0.0.1,::1" // localhost may be either
	}
	set("port", strconv.Itoa(r.Port))
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

// readyForPostgres refuses data of another version, and removes a postmaster.pid that names another program, which postgres
// would take for a server.
func (d *Driver) readyForPostgres(r record, at place) error {
	if have := dataVersion(at); have != r.Program.major() {
		return &infra.Error{
			Kind: infra.Failed, Service: r.Service,
			Message: fmt.Sprintf("service %s: the data in %s are of PostgreSQL %d, which this host has not; it has %s", r.Service, at.data(), have, r.Program.Version),
			Hint:    fmt.Sprintf("install PostgreSQL %d, or delete the data: devstack down -v", have),
		}
	}
	path := filepath.Join(at.data(), postgresPid)
	if pid, _ := pidIn(path); pid != 0 {
		return fmt.Errorf("a postgres (pid %d) that devstack has not started uses %s", pid, at.data())
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// killLeftovers kills what still works in a data directory whose server has ended.
func killLeftovers(ctx context.Context, at place) {
	all, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return
	}
	for _, p := range all {
		if worksIn(p, at.data()) {
			_ = p.KillWithContext(ctx)
		}
	}
}

// findPid looks for the server of a launch that nobody could record: it has written its pid itself.
func (d *Driver) findPid(r *record) {
	at := d.layout.place(r.Project, r.Service)
	name := redisPid
	if r.Definition.Kind == postgres {
		name = postgresPid
	}
	if pid, written := pidIn(filepath.Join(at.data(), name)); pid != 0 && written.UnixNano() >= r.Generation {
		r.found(pid, written)
	}
}

// makeDatabase makes a data directory with the user, the password and the database that the environment asks for. It
// appears in one step, when it is whole.
func (d *Driver) makeDatabase(ctx context.Context, r record, at place, user account) error {
	env, login := r.Definition.Env, r.Definition.Login
	method := env["POSTGRES_HOST_AUTH_METHOD"]
	if login.Password == "" && method != "trust" {
		return &infra.Error{
			Kind: infra.Failed, Service: r.Service, Message: fmt.Sprintf("service %s: POSTGRES_PASSWORD is not set, and a database without a password is open to everybody", r.Service),
			Hint: "set POSTGRES_PASSWORD to a non-empty value, or POSTGRES_HOST_AUTH_METHOD: trust",
		}
	}
	template, err := d.template(ctx, r, user)
	if err != nil {
		return err
	}
	fresh := filepath.Join(string(at), ".new-data")
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := copyTree(template, fresh, user); err != nil {
		return errors.Join(fmt.Errorf("cannot make a database: %w", err), os.RemoveAll(fresh))
	}
	if method == "" {
		method = "scram-sha-256"
	}
	access := fmt.Sprintf("local all all trust\nhost all all all %s\nhost replication all all %s\n", method, method)
	err = user.write(filepath.Join(fresh, "pg_hba.conf"), strings.NewReader(access))
	if err == nil {
		_, err = execute(ctx, command{
			argv: []string{
				r.Program.Path, "--single", "-F", "-D", fresh, "-c", "exit_on_error=on", "-c", "log_min_error_statement=panic",
				"-c", "password_encryption=scram-sha-256", "postgres",
			},
			dir: fresh, user: user, input: firstStatements(login),
		})
	}
	if err == nil && len(r.Definition.Init) > 0 {
		err = runScripts(ctx, r, fresh, user)
	}
	if err == nil {
		err = os.Rename(fresh, at.data())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot make a database: %w", err), os.RemoveAll(fresh))
	}
	d.spawn(func() { d.sync(r, at, user) })
	return nil
}

// sync has a new database on the platter soon, without a start that waits for it: postgres itself only syncs what it changes.
func (d *Driver) sync(r record, at place, user account) {
	argv := []string{filepath.Join(filepath.Dir(r.Program.Path), "initdb"), "--sync-only", "-D", at.data()}
	if _, err := execute(d.ctx, command{argv: argv, dir: at.data(), user: user}); err != nil && d.ctx.Err() == nil {
		d.log.Warn("cannot sync a new database", "service", r.Service, "err", err)
	}
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

// template is a directory that initdb has made, for every user that has the same version and superuser. It appears in one
// step; of two that are made at once, one stays.
func (d *Driver) template(ctx context.Context, r record, user account) (string, error) {
	extra, err := shellwords.Parse(r.Definition.Env["POSTGRES_INITDB_ARGS"])
	if err != nil {
		return "", fmt.Errorf("POSTGRES_INITDB_ARGS: %w", err)
	}
	locale := "C.UTF-8"
	if runtime.GOOS == "darwin" {
		locale = "en_US.UTF-8"
	}
	args := append([]string{"-U", r.Definition.Login.User, "-A", "trust", "-E", "UTF8", "--locale=" + locale, "--no-sync"}, extra...)
	key := sha256.Sum256(fmt.Appendf(nil, "%s\n%q\n%d", r.Program.id(), args, user.uid))
	final := filepath.Join(d.layout.templates(), fmt.Sprintf("postgres-%s-%x", r.Program.Version, key[:6]))
	if whole(final) {
		return final, user.enter(d.layout.templates())
	}
	if err := user.open(d.layout.templates()); err != nil {
		return "", err
	}
	d.sweepTemplates()
	room, err := os.MkdirTemp(d.layout.templates(), ".new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(room)
	if err := user.own(room); err != nil {
		return "", err
	}
	fresh := filepath.Join(room, "data")
	argv := append([]string{filepath.Join(filepath.Dir(r.Program.Path), "initdb"), "-D", fresh}, args...)
	if _, err := execute(ctx, command{argv: argv, dir: room, user: user}); err != nil {
		return "", err
	}
	if !whole(fresh) {
		return "", fmt.Errorf("initdb has not made %s", fresh)
	}
	if err := os.Rename(fresh, final); err != nil {
		if whole(final) {
			return final, nil // somebody else was faster
		}
		return "", err
	}
	return final, nil
}

// whole says whether a template is there. The user who may have made it could have put a link in its place.
func whole(template string) bool {
	info, err := os.Lstat(template)
	if err != nil || !info.IsDir() {
		return false
	}
	_, err = os.Lstat(filepath.Join(template, "PG_VERSION"))
	return err == nil
}

// sweepTemplates removes what a killed initdb has left.
func (d *Driver) sweepTemplates() {
	found, _ := entries(d.layout.templates())
	for _, name := range found {
		if !strings.HasPrefix(name, ".new-") {
			continue
		}
		dir := filepath.Join(d.layout.templates(), name)
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > time.Hour {
			_ = os.RemoveAll(dir)
		}
	}
}
