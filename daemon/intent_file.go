package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"devstack/procs/files"
)

// firstWritePause and lastWritePause bound the pauses before the file is tried again.
const (
	firstWritePause = time.Second
	lastWritePause  = 30 * time.Second
)

// intentFile keeps on disk what of the intent lasts. A write that fails is tried again until it works, and is said once.
type intentFile struct {
	stateDir string
	warn     func(message string)
	unusable bool // what is there cannot be used, and is moved aside before the first write

	changed *broadcast    // after every attempt
	wake    chan struct{} // capacity 1

	mu      sync.Mutex // guards what follows
	newest  lasting
	asked   int   // how often keep was called
	tried   int   // the asked that the last attempt was of
	written int   // the asked that is on disk
	err     error // of the last attempt
}

func newIntentFile(stateDir string, warn func(string)) *intentFile {
	return &intentFile{stateDir: stateDir, warn: warn, changed: newBroadcast(), wake: make(chan struct{}, 1)}
}

func intentPath(stateDir string) string { return filepath.Join(stateDir, "intent.json") }

// readIntent is what lasts of the last intent. A project that has none is as good as a new one. With an error, nothing is known.
func readIntent(stateDir string) (lasting, error) {
	path := intentPath(stateDir)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return readEarlier(stateDir)
	}
	var l lasting
	if err == nil {
		err = readVersioned(data, &l)
	}
	if err != nil {
		return lasting{}, fmt.Errorf("cannot use %s: %w", path, err)
	}
	return l, nil
}

// keep has l written soon. It waits for nothing.
func (f *intentFile) keep(l lasting) {
	f.mu.Lock()
	f.newest = l
	f.asked++
	f.mu.Unlock()
	f.nudge()
}

func (f *intentFile) nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// kept returns when what keep was given last is on disk, with the error if it could not be written; that is tried again.
func (f *intentFile) kept(ctx context.Context) error {
	for {
		changed := f.changed.next()
		f.mu.Lock()
		asked, tried, err := f.asked, f.tried, f.err
		f.mu.Unlock()
		if tried == asked {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// notes waits until the intent is on disk, so that an answer outlives a reboot, or says why it would not.
func (f *intentFile) notes(ctx context.Context) []string {
	if err := f.kept(ctx); err != nil && ctx.Err() == nil {
		return []string{"cannot save what is stopped and scaled, so a reboot would forget it: " + err.Error()}
	}
	return nil
}

// run writes until ctx ends, and then what is left once more.
func (f *intentFile) run(ctx context.Context) {
	pause := time.Duration(0)
	for {
		var again <-chan time.Time
		if pause > 0 {
			again = time.After(pause)
		}
		select {
		case <-f.wake:
		case <-again:
		case <-ctx.Done():
			_ = f.write() // said before, if it failed before
			return
		}
		switch err := f.write(); {
		case err == nil:
			pause = 0
		case pause == 0:
			pause = firstWritePause
			f.warn("cannot save what is stopped and scaled; devstack tries again: " + err.Error())
		default:
			pause = min(2*pause, lastWritePause)
		}
	}
}

// write is one attempt, if there is something to write.
func (f *intentFile) write() error {
	f.mu.Lock()
	l, asked, done := f.newest, f.asked, f.written == f.asked
	f.mu.Unlock()
	if done {
		return nil
	}
	err := f.replace(l)
	f.mu.Lock()
	f.tried, f.err = asked, err
	if err == nil {
		f.written = asked
	}
	f.mu.Unlock()
	f.changed.fire()
	return err
}

func (f *intentFile) replace(l lasting) error {
	path := intentPath(f.stateDir)
	if f.unusable {
		if err := os.Rename(path, path+".unusable"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f.unusable = false
	}
	l.Version = savedVersion
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	if err := files.Replace(path, append(data, '\n'), 0o600); err != nil {
		return err
	}
	for _, earlier := range earlierOf(f.stateDir) { // its content is in the new file now
		if err := os.Remove(earlier); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// forgetDriver takes the last driver, whose data is gone, out of the file of a project that no daemon runs.
func forgetDriver(stateDir string) error {
	l, err := readIntent(stateDir)
	if err != nil || l.Driver == "" {
		return nil // what cannot be used tells no driver, either
	}
	l.Driver, l.SavedAt = "", time.Now()
	return newIntentFile(stateDir, nil).replace(l)
}
