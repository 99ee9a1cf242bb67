package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"devstack/infra"
	"devstack/procs/files"
)

// history is the state file: what has happened, which the keeper's list does not tell. What is wanted is the intent's to say.
type history struct {
	Version   int             `json:"version"`
	Keeper    time.Time       `json:"keeper_since"` // a file of an earlier keeper's life tells nothing of this one
	At        time.Time       `json:"at"`           // until then the engine's events are accounted for
	Processes json.RawMessage `json:"processes"`    // counters, exits, generations

	Services map[string]infra.Answer `json:"services"` // those that were ready, by what

	// Stopped are the services that were stopped, and by whom, as a devstackd before intents wrote it.
	Stopped map[string]string `json:"stopped,omitempty"`
}

// historyFile keeps the history on disk, for the next daemon of the same keeper.
type historyFile struct {
	path  string
	since time.Time // the keeper's
	log   *slog.Logger
	warn  func(message string)

	mu      sync.Mutex // one write at a time; guards what follows
	watched time.Time  // until then the engine's events are accounted for
}

// save writes what processes returns; nothing when that is nil, because there is no stack. engine is whose events are accounted
// for until now, and whose services are known; nil: nobody's.
func (f *historyFile) save(engine *infra.Infra, processes func() (json.RawMessage, error)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := history{Version: savedVersion, Keeper: f.since}
	if engine != nil {
		f.watched, h.Services = time.Now(), engine.Answers()
	}
	h.At = f.watched
	var err error
	if h.Processes, err = processes(); err != nil || h.Processes == nil {
		return err
	}
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return files.Replace(f.path, data, 0o600)
}

// load reads the state file. One that cannot be used is moved aside and said; the keeper's list then has to do.
func (f *historyFile) load() history {
	f.mu.Lock()
	defer f.mu.Unlock()
	data, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return history{}
	}
	var h history
	if err == nil {
		err = readVersioned(data, &h)
	}
	if err != nil {
		aside := f.path + ".unusable"
		f.log.Error("cannot use the state file: counters begin anew", "err", err, "moved_to", aside)
		f.warn(fmt.Sprintf("cannot use the state file (%v), which is now %s: counters begin anew", err, aside))
		if err := os.Rename(f.path, aside); err != nil {
			f.log.Error("cannot move the state file aside", "err", err)
		}
		return history{}
	}
	if !h.Keeper.Equal(f.since) {
		return history{}
	}
	f.watched = h.At
	return h
}

// forget removes the state file.
func (f *historyFile) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.log.Warn("cannot remove the state file", "err", err)
	}
}
