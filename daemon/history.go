package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"devstack/procs/files"
)

// historyVersion is of the state file; a newer one is not read.
const historyVersion = 1

// history is the state file: what has happened, which the keeper's list does not tell. What is wanted is the intent's to say.
type history struct {
	Version   int             `json:"version"`
	Keeper    time.Time       `json:"keeper_since"` // a file of an earlier keeper's life tells nothing of this one
	At        time.Time       `json:"at"`           // until then the engine's events are accounted for
	Processes json.RawMessage `json:"processes"`    // counters, exits, generations

	// Stopped are the services that were stopped, and by whom, as a devstackd before intents wrote it.
	Stopped map[string]string `json:"stopped,omitempty"`
}

func (d *Daemon) historyPath() string { return filepath.Join(d.home.StateDir, "state.json") }

// saveHistory writes the state file. Without a stack there is nothing to save. The manager calls it after every change,
// also when an app has been removed, of which there is no notice.
func (d *Daemon) saveHistory() error {
	d.changed.fire()
	d.saving.Lock()
	defer d.saving.Unlock()
	d.mu.Lock()
	idle, engine := d.intent.Stack == nil, d.engine
	if engine != nil {
		d.watched = time.Now()
	}
	h := history{Version: historyVersion, Keeper: d.home.Since, At: d.watched}
	d.mu.Unlock()
	if idle {
		return nil
	}
	var err error
	if h.Processes, err = d.procs.Saved(); err != nil {
		return err
	}
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return files.Replace(d.historyPath(), data, 0o600)
}

// loadHistory reads the state file. One that cannot be used is moved aside and said; the keeper's list then has to do.
func (d *Daemon) loadHistory() history {
	data, err := os.ReadFile(d.historyPath())
	if errors.Is(err, fs.ErrNotExist) {
		return history{}
	}
	var h history
	if err == nil {
		h, err = parseHistory(data)
	}
	if err != nil {
		aside := d.historyPath() + ".unusable"
		d.log.Error("cannot use the state file: counters begin anew", "err", err, "moved_to", aside)
		d.warn("", fmt.Sprintf("the state file could not be used (%v) and is now %s: counters begin anew", err, aside))
		if err := os.Rename(d.historyPath(), aside); err != nil {
			d.log.Error("cannot move the state file aside", "err", err)
		}
		return history{}
	}
	if !h.Keeper.Equal(d.home.Since) {
		return history{}
	}
	return h
}

func parseHistory(data []byte) (history, error) {
	var h history
	if err := json.Unmarshal(data, &h); err != nil {
		return history{}, fmt.Errorf("it is damaged: %w", err)
	}
	if h.Version < 1 || h.Version > historyVersion {
		return history{}, fmt.Errorf("it has version %d, this devstackd knows %d", h.Version, historyVersion)
	}
	return h, nil
}

// forgetHistory removes the state file.
func (d *Daemon) forgetHistory() {
	d.saving.Lock()
	defer d.saving.Unlock()
	if err := os.Remove(d.historyPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("cannot remove the state file", "err", err)
	}
}
