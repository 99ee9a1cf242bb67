// Package node holds what is special about Node.js processes: which programs get an IPC channel, what is said over it,
// and the shim, a file loaded before the app by which sockets outlive a launch. It promises what PM2 promises to an
// app: process.send('ready') is heard, and the message "shutdown" arrives.
package node

import (
	"bytes"
	"path/filepath"
)

// Lines that are sent to a process.
const (
	Shutdown = `"shutdown"`                            // shutdown_with_message: process.on('message', m => m === 'shutdown')
	Drain    = `{"cmd":"NODE_DEVSTACK","drain":true}`  // to the shim: accept no more, let the clients leave; the app does not see it
	Accept   = `{"cmd":"NODE_DEVSTACK","accept":true}` // to the shim of a successor: take over
)

// Successor is the variable of a launch that listens beside the one that serves, and accepts nothing before Accept.
const Successor = "DEVSTACK_SUCCESSOR=1"

// IsReady reports whether an IPC line is process.send('ready').
func IsReady(line []byte) bool {
	return bytes.Equal(bytes.TrimSpace(line), []byte(`"ready"`))
}

// IsNode reports whether an interpreter is Node.js, whose scripts always get an IPC channel. An open channel keeps a
// script alive only if it listens for messages, as in PM2.
func IsNode(interpreter string) bool {
	name := filepath.Base(interpreter)
	return name == "node" || name == "nodejs"
}
