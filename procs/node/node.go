// Package node holds what is special about Node.js processes: which programs get an IPC channel and what is said over
// it. It promises what PM2 promises to an app: process.send('ready') is heard, and the message "shutdown" arrives.
package node

import (
	"bytes"
	"path/filepath"
)

// Shutdown is the line that shutdown_with_message sends: process.on('message', m => m === 'shutdown').
const Shutdown = `"shutdown"`

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
