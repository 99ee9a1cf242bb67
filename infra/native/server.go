package native

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	keeper "devstack/procs/keeper/protocol"
)

// server is one that is to run: what is recorded about it, where its files are, and whom it runs as.
type server struct {
	record
	at   place
	user account
}

func newServer(r record, at place) (*server, error) {
	user, err := accountOf(r.Definition.Kind)
	if err != nil {
		return nil, err
	}
	return &server{r, at, user}, user.open(string(at))
}

// prepare writes what the server reads at its start, and chooses its port.
func (v *server) prepare(ctx context.Context) (keeper.Launch, error) {
	var launch keeper.Launch
	var err error
	if v.Port, err = choosePort(ctx, v.Definition, v.at); err != nil {
		return launch, err
	}
	_ = cut(v.at.log(), maxLog) // its failure must not keep a server from starting
	announce(v.at.log(), fmt.Sprintf("starting %s %s on port %d", v.Program.Kind, v.Program.Version, v.Port))
	if err := os.RemoveAll(v.at.files()); err != nil {
		return launch, err
	}
	if err := v.user.open(v.at.files()); err != nil {
		return launch, err
	}
	options, err := v.placeFiles()
	if err != nil {
		return launch, err
	}
	launch = keeper.Launch{
		Dir: v.at.data(), Env: serverEnv(v.at.data()),
		Server: &keeper.Server{Lock: v.at.lock(), Output: v.at.log(), UID: v.user.uid, GID: v.user.gid},
		Grace:  keeper.Grace{Signal: int(v.Definition.Kind.family().stop), Timeout: v.Definition.Grace},
	}
	if v.Definition.Kind == postgres {
		launch.Argv = v.postgresArgv(options)
		return launch, v.checkDatabase()
	}
	path := filepath.Join(v.at.files(), "redis.conf")
	launch.Argv = []string{v.Program.Path, v.Program.literal(path)}
	return launch, v.user.write(path, strings.NewReader(v.redisConfig(options)))
}

// placeFiles copies the files that options name to where the server's user can read them.
func (v *server) placeFiles() ([]option, error) {
	out := slices.Clone(v.Definition.Options)
	for n, o := range out {
		if !o.File {
			continue
		}
		text, err := os.ReadFile(o.Values[0])
		if err != nil {
			return nil, err
		}
		path := filepath.Join(v.at.files(), fmt.Sprintf("%d-%s", n, filepath.Base(o.Values[0])))
		if o.Name == "" {
			text = []byte(foreign(string(text)))
		}
		if err := v.user.write(path, bytes.NewReader(text)); err != nil {
			return nil, err
		}
		out[n].Values = []string{path}
	}
	return out, nil
}

// execute runs a program to its end as the server's user.
func (v *server) execute(ctx context.Context, dir, input, program string, args ...string) error {
	_, err := execute(ctx, command{argv: append([]string{program}, args...), dir: dir, input: input, user: v.user})
	return err
}
