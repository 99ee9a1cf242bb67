package native

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"devstack/infra"
	keeper "devstack/procs/keeper/protocol"
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

// save replaces the record on disk in one step, and for good: a server without a record would be nobody's.
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
	if err == nil {
		err = f.Sync()
	}
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
	projects, err := entries(filepath.Join(l.data, l.id))
	if err != nil {
		return record{}, err
	}
	for _, project := range projects {
		r, err := readRecord(l.recordPath(project, id))
		if !errors.Is(err, infra.ErrNotFound) {
			return r, err
		}
	}
	return record{}, infra.ErrNotFound
}

// errDamaged is of a record that cannot be understood.
var errDamaged = errors.New("it is damaged")

// all are the records of a project, oldest first, and the paths of damaged ones.
func (l layout) all(project string) (out []record, damaged []string, err error) {
	names, err := entries(l.records(project))
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		if filepath.Ext(name) != ".json" {
			continue
		}
		path := filepath.Join(l.records(project), name)
		r, err := readRecord(path)
		if errors.Is(err, infra.ErrNotFound) {
			continue // removed since
		}
		if errors.Is(err, errDamaged) {
			damaged = append(damaged, path)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b record) int { return a.Created.Compare(b.Created) })
	return out, damaged, nil
}

// records are those of a project. A damaged one is moved aside, and the server of which it may have told is ended: it is
// made anew, on its data, by whoever wants it.
func (d *Driver) records(ctx context.Context, project string) ([]record, error) {
	all, damaged, err := d.layout.all(project)
	if err != nil || len(damaged) == 0 {
		return all, err
	}
	for _, path := range damaged {
		d.log.Error("cannot use what is recorded about a service: it is made anew", "err", errDamaged, "moved_to", path+".unusable")
		if err := os.Rename(path, path+".unusable"); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	var used []place
	places, err := d.layout.services(project)
	if err != nil {
		return nil, err
	}
	for _, at := range places {
		if locked(at.lock()) {
			used = append(used, at)
		}
	}
	if all, _, err = d.layout.all(project); err != nil { // again: a launch is recorded before it takes its lock
		return nil, err
	}
	for _, at := range used {
		named := slices.ContainsFunc(all, func(r record) bool { return d.layout.place(project, r.Service) == at })
		if named {
			continue
		}
		if err := d.waitUnlocked(ctx, at); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func readRecord(path string) (record, error) {
	var r record
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // a stray file among the projects
		return r, infra.ErrNotFound
	}
	if err == nil {
		err = r.parse(b, strings.TrimSuffix(filepath.Base(path), ".json"))
	}
	if err != nil {
		return r, fmt.Errorf("cannot read what is recorded about a service: %s: %w", path, err)
	}
	return r, nil
}

func (r *record) parse(b []byte, id string) error {
	if err := json.Unmarshal(b, r); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	if r.ID != id || r.Project == "" || r.Service == "" {
		return fmt.Errorf("%w: it is of no service", errDamaged)
	}
	return nil
}
