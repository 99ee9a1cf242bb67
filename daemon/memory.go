package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/stack"
)

// desired is what is to run and for whom. It contains environments, so the next daemon gets it through the keeper's
// memory and never from a disk.
type desired struct {
	Stack       *stack.Stack
	Files       api.Files
	Environment []string
	Services    []string // that some `up` has asked for
	NoInfra     bool
	Infra       string          // docker or native; empty while no service was ever wanted
	Loose       map[string]bool // apps started by `up --only`: they wait for nothing
	Scaled      map[string]bool // apps whose number of instances is devstack scale's, not the file's
	Will        will
}

// stash is desired on its way through the keeper.
type stash struct {
	Stack       json.RawMessage `json:"stack"`
	Files       api.Files       `json:"files"`
	Environment []string        `json:"environment"`
	Services    []string        `json:"services"`
	NoInfra     bool            `json:"no_infra"`
	Infra       string          `json:"infra"`
	Loose       map[string]bool `json:"loose"`
	Scaled      map[string]bool `json:"scaled"`
	Will        will            `json:"will"`
}

func (d *desired) encode() ([]byte, error) {
	st, err := d.Stack.Encode()
	if err != nil {
		return nil, err
	}
	return json.Marshal(stash{st, d.Files, d.Environment, d.Services, d.NoInfra, d.Infra, d.Loose, d.Scaled, d.Will})
}

// decodeDesired is nil for an empty blob: nothing was to run.
func decodeDesired(blob []byte) (*desired, error) {
	if len(blob) == 0 {
		return nil, nil
	}
	var s stash
	if err := json.Unmarshal(blob, &s); err != nil {
		return nil, err
	}
	st, err := stack.Decode(s.Stack)
	if err != nil {
		return nil, err
	}
	return &desired{st, s.Files, s.Environment, s.Services, s.NoInfra, s.Infra, s.Loose, s.Scaled, s.Will}, nil
}

// stateVersion is of the state file; a newer one is not read.
const stateVersion = 1

// savedState is the state file: what a daemon needs beside the keeper's list. It holds no environment.
type savedState struct {
	Version   int               `json:"version"`
	Keeper    time.Time         `json:"keeper_since"` // a file of an earlier keeper's life tells nothing of this one
	At        time.Time         `json:"at"`
	Processes json.RawMessage   `json:"processes"`
	Stopped   map[string]string `json:"stopped"` // service -> who stopped it
}

func (d *Daemon) statePath() string { return filepath.Join(d.home.StateDir, "state.json") }

// save writes the state file. Without a stack there is nothing to remember. The manager calls it after every change,
// also when an app has been removed, of which there is no notice.
func (d *Daemon) save() error {
	d.changed.fire()
	d.saving.Lock()
	defer d.saving.Unlock()
	d.mu.Lock()
	idle, before := d.desired == nil, d.before
	engine, _ := d.containers.(*infra.Infra)
	d.mu.Unlock()
	if idle {
		return nil
	}
	processes, err := d.procs.Saved()
	if err != nil {
		return err
	}
	s := savedState{Version: stateVersion, Keeper: d.home.Since, At: time.Now(), Processes: processes}
	if engine != nil {
		s.Stopped = engine.Stopped()
	} else if before.Stopped != nil { // the containers are not known yet: what was known stays true
		s.Stopped, s.At = before.Stopped, before.At
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return WriteFile(d.statePath(), data)
}

// loadState reads the state file. One that cannot be used is moved aside and said; the keeper's list then has to do.
func (d *Daemon) loadState() savedState {
	data, err := os.ReadFile(d.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return savedState{}
	}
	var s savedState
	if err == nil {
		s, err = parseState(data)
	}
	if err != nil {
		aside := d.statePath() + ".unusable"
		d.log.Error("cannot use the state file: counters begin anew", "err", err, "moved_to", aside)
		d.warn("", fmt.Sprintf("the state file could not be used (%v) and is now %s: counters begin anew", err, aside))
		if err := os.Rename(d.statePath(), aside); err != nil {
			d.log.Error("cannot move the state file aside", "err", err)
		}
		return savedState{}
	}
	if !s.Keeper.Equal(d.home.Since) {
		return savedState{}
	}
	return s
}

func parseState(data []byte) (savedState, error) {
	var s savedState
	if err := json.Unmarshal(data, &s); err != nil {
		return savedState{}, fmt.Errorf("it is damaged: %w", err)
	}
	if s.Version < 1 || s.Version > stateVersion {
		return savedState{}, fmt.Errorf("it has version %d, this devstackd knows %d", s.Version, stateVersion)
	}
	return s, nil
}

// WriteFile replaces a file, readable by its owner alone, so that every moment finds the old or the new content whole.
func WriteFile(path string, data []byte) (err error) {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp)
		}
	}()
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
