package infra

// The servers that ServerOf knows.
const (
	Redis    = redisServer
	Postgres = postgresServer
)

// Login is what a server asks for, read from its command and environment.
type Login struct {
	Port     int // in the container
	User     string
	Password string
	Database string
}

// LoginOf reads the configuration of Redis or Postgres as the gates do.
func LoginOf(server string, argv []string, env map[string]string) Login {
	l := loginOf(server, argv, env)
	return Login{Port: l.port, User: l.user, Password: l.password, Database: l.database}
}

// Words are a command's words; those of a shell's script with its variables filled in, as far as a shell is not needed.
func Words(argv []string, env map[string]string) []string { return words(argv, env) }
