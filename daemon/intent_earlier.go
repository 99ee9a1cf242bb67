package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"devstack/daemon/api"
	"devstack/stack"
)

// What devstackd wrote before it had intents, in the keeper's memory and in two files. It is read once.

// stash was in the keeper's memory.
type stash struct {
	Stack       json.RawMessage `json:"stack"`
	Files       api.Files       `json:"files"`
	Environment []string        `json:"environment"`
	Services    []string        `json:"services"`
	NoInfra     bool            `json:"no_infra"`
	Infra       string          `json:"infra"`
	Loose       map[string]bool `json:"loose"`
	Scaled      map[string]bool `json:"scaled"`
	Will        struct {
		Stopped map[string]bool `json:"stopped"`
		Started map[string]bool `json:"started"`
		LeftOut map[string]bool `json:"left_out"`
		Booting bool            `json:"booting"`
	} `json:"will"`
}

func decodeStash(data []byte) (intent, error) {
	var s stash
	if err := json.Unmarshal(data, &s); err != nil {
		return intent{}, err
	}
	st, err := stack.Decode(s.Stack)
	if err != nil {
		return intent{}, err
	}
	i := intent{
		Stack: st, Files: s.Files, Environment: s.Environment, Services: s.Services, NoInfra: s.NoInfra, Loose: s.Loose,
		LeftOut: s.Will.LeftOut, Booting: s.Will.Booting,
		lasting: lasting{Stopped: s.Will.Stopped, Started: s.Will.Started, Instances: map[string]int{}, Driver: s.Infra},
	}
	for _, app := range st.Apps {
		if s.Scaled[app.Name] {
			i.Instances[app.Name] = app.Count()
		}
	}
	return i, nil
}

// resurrectJSON was the file of what a resurrect leaves stopped and scaled.
type resurrectJSON struct {
	SavedAt   time.Time      `json:"saved_at"`
	Stopped   []string       `json:"stopped"`
	Started   []string       `json:"started"`
	Instances map[string]int `json:"instances"`
}

// earlierOf are the two files: the one above, and the name of the driver that services had run with.
func earlierOf(stateDir string) [2]string {
	return [2]string{filepath.Join(stateDir, "resurrect.json"), filepath.Join(stateDir, "infra")}
}

// readEarlier is what the files of an earlier devstackd say.
func readEarlier(stateDir string) (lasting, error) {
	path, driverPath := earlierOf(stateDir)[0], earlierOf(stateDir)[1]
	l := lasting{Stopped: map[string]bool{}, Started: map[string]bool{}}
	if data, err := os.ReadFile(driverPath); err == nil {
		if name := strings.TrimSpace(string(data)); name == driverDocker || name == driverNative {
			l.Driver = name
		}
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	var r resurrectJSON
	if err == nil {
		err = readVersioned(data, &r)
	}
	if err != nil {
		return l, fmt.Errorf("cannot use %s: %w", path, err)
	}
	for _, name := range r.Stopped {
		l.Stopped[name] = true
	}
	for _, name := range r.Started {
		l.Started[name] = true
	}
	l.SavedAt, l.Instances = r.SavedAt, r.Instances
	return l, nil
}
