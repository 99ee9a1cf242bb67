package native

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"devstack/infra"
	"devstack/procs/keeper"
)

// States of a record, in Docker's words, beside "starting": a launch is under way, or whoever wanted to launch has died.
const (
	created  = "created"
	starting = "starting"
	running  = "running"
	exited   = "exited"
)

// record is a "container": what is known about one server, on disk.
type record struct {
	ID         string
	Name       string
	Project    string
	Service    string
	Image      string
	Labels     map[string]string
	Created    time.Time
	Definition definition
	Port       int // that it listens on; 0: not chosen yet

	State      string
	Program    program
	Generation int64
	Pid        int
	Start      uint64 // the process's start time
	StartedAt  time.Time
	FinishedAt time.Time
	ExitCode   int  // -1: nobody knows
	Asked      bool // it ended because somebody else than this driver asked it to
	Stopped    bool // this driver has stopped it
}

func (r record) key() keeper.Key {
	return keeper.Key{App: r.Service, Instance: serverInstance, Generation: r.Generation}
}

func newID() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func (l layout) recordPath(project, id string) string {
	return filepath.Join(l.records(project), id+".json")
}

// save replaces the record on disk in one step.
func (l layout) save(r record) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.records(r.Project), 0o700); err != nil {
		return fmt.Errorf("cannot record service %s: %w", r.Service, err)
	}
	f, err := os.CreateTemp(l.records(r.Project), ".new-")
	if err != nil {
		return fmt.Errorf("cannot record service %s: %w", r.Service, err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), l.recordPath(r.Project, r.ID))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("cannot record service %s: %w", r.Service, err)
	}
	return nil
}

// load reads one container's record, of whichever project, or returns infra.ErrNotFound.
func (l layout) load(id string) (record, error) {
	paths, err := filepath.Glob(filepath.Join(l.data, l.id, "*", "records", id+".json"))
	if err != nil || len(paths) == 0 {
		return record{}, infra.ErrNotFound
	}
	return readRecord(paths[0])
}

// all are the records of a project, oldest first.
func (l layout) all(project string) ([]record, error) {
	paths, err := filepath.Glob(filepath.Join(l.records(project), "*.json"))
	if err != nil {
		return nil, err
	}
	var out []record
	for _, path := range paths {
		r, err := readRecord(path)
		if errors.Is(err, infra.ErrNotFound) {
			continue // removed since
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b record) int { return a.Created.Compare(b.Created) })
	return out, nil
}

func readRecord(path string) (record, error) {
	var r record
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, infra.ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return r, fmt.Errorf("cannot read what is recorded about a service: %s: %w", path, err)
	}
	return r, nil
}
