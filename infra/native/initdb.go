package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// runScripts runs the files of /docker-entrypoint-initdb.d as the image does: in the new database, as its superuser, by a
// server that only they can reach.
func runScripts(ctx context.Context, r record, data string, user account) (err error) {
	sockets, err := os.MkdirTemp("", "devstack-") // short: the path of a socket is limited to about 100 bytes
	if err != nil {
		return err
	}
	defer os.RemoveAll(sockets)
	if err := user.own(sockets); err != nil {
		return err
	}
	bin := filepath.Dir(r.Program.Path)
	control := func(args ...string) error {
		argv := append([]string{filepath.Join(bin, "pg_ctl"), "-D", data, "-w", "-s"}, args...)
		_, err := execute(ctx, command{argv: argv, dir: data, user: user})
		return err
	}
	psql := filepath.Join(bin, "psql")
	options := "-F -c listen_addresses='' -c unix_socket_directories='" + sockets + "'"
	if err := control("-o", options, "-l", filepath.Join(sockets, "log"), "start"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, control("-m", "fast", "stop")) }()
	l := r.Definition.Login
	for _, file := range r.Definition.Init {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		argv := []string{psql, "-v", "ON_ERROR_STOP=1", "--no-psqlrc", "-q", "-h", sockets, "-U", l.User, "-d", l.Database, "-f", "-"}
		if _, err := execute(ctx, command{argv: argv, dir: data, user: user, input: string(text)}); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
	}
	return nil
}
