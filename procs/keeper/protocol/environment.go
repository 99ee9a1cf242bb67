package protocol

import (
	"slices"
	"strings"
)

// IsServiceVariable says whether a variable is between the service manager and the keeper alone.
func IsServiceVariable(name string) bool {
	return slices.Contains([]string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}, name)
}

// WithoutServiceVariables is env as everything below the keeper gets it.
func WithoutServiceVariables(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return IsServiceVariable(name)
	})
}
