package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Postgres is ready when a login at addr (host:port) succeeds and SELECT 1 is answered. A server that starts, stops or
// recovers is waited for. One that refuses the user, the password or the database is Broken.
func Postgres(addr, user, password, database string) Probe {
	config, err := postgresConfig(addr, user, password, database)
	if err != nil {
		return Func(func(context.Context) Result { return Result{Broken: true, Detail: err.Error()} })
	}
	return Func(func(ctx context.Context) Result {
		conn, err := pgconn.ConnectConfig(ctx, config)
		if err != nil {
			return postgresResult(ctx, addr, user, database, err)
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, "SELECT 1").ReadAll(); err != nil {
			return postgresResult(ctx, addr, user, database, err)
		}
		return Result{Ready: true, Alive: true, By: Select, Detail: "SELECT 1 as " + user}
	})
}

// postgresConfig does not look at PG* variables, .pgpass or a service file of the machine: the login is the service's.
func postgresConfig(addr, user, password, database string) (*pgconn.Config, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("cannot use the address: %w", err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("cannot use the port: %w", err)
	}
	config, err := pgconn.ParseConfig("host=localhost sslmode=disable passfile=/dev/null servicefile=/dev/null")
	if err != nil {
		return nil, fmt.Errorf("cannot make a Postgres login: %w", err)
	}
	config.Host, config.Port, config.User, config.Password, config.Database = host, uint16(port), user, password, database
	config.Fallbacks, config.TLSConfig, config.ValidateConnect = nil, nil, nil
	config.RuntimeParams = map[string]string{"application_name": "devstack"}
	return config, nil
}

// onlyEmpty is why a changed login does not help.
const onlyEmpty = "POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB act only on an empty data directory: old data keep the " +
	"old login (delete them with devstack down -v, or change the login in the database)"

func postgresResult(ctx context.Context, addr, user, database string, err error) Result {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return failed(ctx, addr, err)
	}
	switch {
	case answer.Code == "57P03":
		return Result{Alive: true, Detail: "postgres: " + answer.Message}
	case strings.HasPrefix(answer.Code, "28"):
		return Result{Broken: true, Alive: true, Detail: fmt.Sprintf("postgres refuses the login of %q: %s; %s", user, answer.Message, onlyEmpty)}
	case answer.Code == "3D000":
		return Result{Broken: true, Alive: true, Detail: fmt.Sprintf("postgres has no database %q; %s", database, onlyEmpty)}
	}
	return Result{Alive: true, Detail: fmt.Sprintf("postgres: %s (%s)", answer.Message, answer.Code)}
}
