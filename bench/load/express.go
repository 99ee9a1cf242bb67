package load

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
)

// Express is the script of an Express app that knows nothing of who runs it. It listens on PORT and tells in every
// answer its pid and its BUILD.
//
//go:embed express.js
var Express string

// Pid names a server of Express by its process id.
func Pid(status int, body []byte) (string, error) {
	pid, _, err := identity(status, body)
	return fmt.Sprint(pid), err
}

// Build names a server of Express by its BUILD.
func Build(status int, body []byte) (string, error) {
	_, build, err := identity(status, body)
	return build, err
}

func identity(status int, body []byte) (int, string, error) {
	var said struct {
		Pid   int
		Build string
	}
	if status != http.StatusOK {
		return 0, "", fmt.Errorf("status %d", status)
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return 0, "", fmt.Errorf("the body %q: %w", body, err)
	}
	if said.Pid <= 0 {
		return 0, "", fmt.Errorf("the body %q has no pid", body)
	}
	return said.Pid, said.Build, nil
}
