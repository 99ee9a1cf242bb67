package native

import (
	"bufio"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// say sends a line to the redis and returns the first line of its answer.
func (f *fixture) say(line string) string {
	f.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+f.env["REDIS_PORT"])
	if err != nil {
		f.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(line + "\r\n")); err != nil {
		f.Fatal(err)
	}
	r := bufio.NewReader(c)
	answer, err := r.ReadString('\n')
	if err != nil {
		f.Fatal(err)
	}
	if strings.HasPrefix(answer, "$") && answer != "$-1\r\n" {
		answer, _ = r.ReadString('\n')
	}
	return strings.TrimSpace(answer)
}

// login is a connection to the postgres as the Compose file has it.
func (f *fixture) login(user, database string) *pgconn.PgConn {
	f.Helper()
	config, err := pgconn.ParseConfig("host=127.0.0.1 sslmode=disable port=" + f.env["POSTGRES_PORT"])
	if err != nil {
		f.Fatal(err)
	}
	config.User, config.Password, config.Database = user, f.env["PG_PASSWORD"], database
	c, err := pgconn.ConnectConfig(f.ctx, config)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close(f.ctx) })
	return c
}

// query is the first value that postgres answers.
func (f *fixture) query(user, database, sql string) string {
	f.Helper()
	c := f.login(user, database)
	defer c.Close(f.ctx)
	results, err := c.Exec(f.ctx, sql).ReadAll()
	if err != nil {
		f.Fatal(err)
	}
	if last := results[len(results)-1]; len(last.Rows) > 0 {
		return string(last.Rows[0][0])
	}
	return ""
}
