package keeper

import (
	"bytes"

	"devstack/procs/keeper/protocol"
)

// markerIn finds the launch marker in a block of NUL-separated variables.
func markerIn(env []byte) string {
	name := []byte(protocol.MarkerEnv + "=")
	for len(env) > 0 {
		entry, rest, _ := bytes.Cut(env, []byte{0})
		if v, ok := bytes.CutPrefix(entry, name); ok {
			return string(v)
		}
		env = rest
	}
	return ""
}
