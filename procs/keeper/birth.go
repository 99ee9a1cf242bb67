package keeper

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"devstack/procs/keeper/protocol"
	"devstack/procs/keeper/sockets"
)

// launchEnv is the launch's environment with the keeper's own variables; whatever Node or systemd put into the
// environment of the shell that ran `devstack up` must not reach it.
func launchEnv(req protocol.Launch, project string, born []*sockets.Held) []string {
	env := slices.DeleteFunc(slices.Clone(req.Env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return protocol.IsServiceVariable(name) || slices.Contains([]string{
			protocol.MarkerEnv, protocol.HeldEnv, "NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE",
			"LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "LISTEN_PIDFDID",
		}, name)
	})
	env = append(env, protocol.MarkerEnv+"="+req.Key.Marker(project))
	if req.IPC {
		env = append(env, fmt.Sprintf("NODE_CHANNEL_FD=%d", sockets.FirstFD+len(born)), "NODE_CHANNEL_SERIALIZATION_MODE=json")
	}
	return append(env, sockets.HeldEnv(req, born)...)
}

// explainExec names what was missing: exec and chdir fail with the same number.
func explainExec(req protocol.Launch, err error) error {
	if req.Dir != "" {
		fi, dirErr := os.Stat(req.Dir)
		if dirErr != nil {
			return fmt.Errorf("cannot start %s in %s: %w", req.Key.App, req.Dir, dirErr)
		}
		if !fi.IsDir() {
			return fmt.Errorf("cannot start %s in %s: %w", req.Key.App, req.Dir, syscall.ENOTDIR)
		}
	}
	return fmt.Errorf("cannot start %s: %s: %w", req.Key.App, req.Argv[0], err)
}
