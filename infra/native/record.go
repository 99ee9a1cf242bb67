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
	"strings"
	"syscall"
	"time"

	"devstack/infra"
	osfiles "devstack/procs/files"
	keeper "devstack/procs/keeper/protocol"
	"devstack/procs/proc"
	"devstack/view"
)

// States of a record, in Docker's words, beside "starting": a launch is under way, or whoever began it has died.
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
	Stopped    bool // this driver has asked it to end, or has tried in vain to launch it
}

func newID() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// serverInstance is Key.Instance of a server's launch; those of processes begin with 0.
const serverInstance = -1

// Owns says whether a launch is a server of this driver, and not a process of the ecosystem file.
func Owns(k keeper.Key) bool { return k.Instance == serverInstance }

func (r record) key() keeper.Key {
	return keeper.Key{App: r.Service, Instance: serverInstance, Generation: r.Generation}
}

// mayRun says that no end of the last launch is recorded.
func (r record) mayRun() bool { return r.State == starting || r.State == running }

// began notes a launch.
func (r *record) began(l keeper.Launched) {
	r.State, r.Pid, r.Start, r.StartedAt = running, l.Pid, l.StartTime, l.At
	r.FinishedAt, r.ExitCode, r.Asked, r.Stopped = time.Time{}, 0, false, false
}

// ended notes an end; with nil, nobody knows how it came. A server that ends with 0 by itself was asked to: by redis-cli
// shutdown, pg_ctl stop or kill -TERM.
func (r *record) ended(e *keeper.Exit) {
	r.State, r.Pid = exited, 0
	r.FinishedAt, r.ExitCode = time.Now(), -1
	if e != nil {
		r.FinishedAt, r.ExitCode = e.At, e.Code
		if e.Signal != 0 {
			r.ExitCode = 128 + e.Signal
		}
	}
	r.Asked = !r.Stopped && r.ExitCode == 0
}

// history are the events of the last launch, as Docker would have told them.
func (r record) history() []infra.EngineEvent {
	event := infra.EngineEvent{At: r.FinishedAt, Container: r.ID, Service: r.Service, Action: "die", ExitCode: r.ExitCode}
	die, kill, stop := event, event, event
	kill.Action, kill.Signal, kill.ExitCode = "kill", "15", 0
	stop.Action, stop.ExitCode = "stop", 0
	switch {
	case r.State == running:
		return []infra.EngineEvent{{At: r.StartedAt, Container: r.ID, Service: r.Service, Action: "start"}}
	case r.State != exited:
		return nil
	case r.Stopped:
		return []infra.EngineEvent{kill, die, stop}
	case r.Asked:
		return []infra.EngineEvent{kill, die}
	}
	return []infra.EngineEvent{die}
}

// container is a record in the words of an engine.
func (r record) container(data string) infra.Container {
	def := r.Definition
	c := infra.Container{
		ID: r.ID, Name: r.Name, Service: r.Service, Labels: r.Labels, Image: r.Image, State: r.State,
		ExitCode: r.ExitCode, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt, EngineHealth: "none",
		Argv: def.Argv, Networks: def.Networks, Mounts: def.Mounts, Data: data,
		Ports: []view.PublishedPort{{HostIP: def.HostIP, HostPort: r.Port, ContainerPort: def.Login.Port, Protocol: "tcp"}},
	}
	if c.State == starting {
		c.State = created
	}
	for key, value := range def.Env {
		c.Env = append(c.Env, key+"="+value)
	}
	slices.Sort(c.Env)
	return c
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
	if err := osfiles.Replace(l.recordPath(r.Project, r.ID), b, 0o600); err != nil {
		return fmt.Errorf("cannot record service %s: %w", r.Service, err)
	}
	return nil
}

// alive says that the recorded process is the server still. Its lock tells it from another one after a reboot.
func (l layout) alive(r record) bool {
	return r.State == running && r.Pid != 0 && proc.Runs(r.Pid, r.Start) && l.of(r).locked()
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
	for _, name := range names {
		path := filepath.Join(l.records(project), name)
		if filepath.Ext(name) != ".json" {
			continue
		}
		switch r, err := readRecord(path); {
		case err == nil:
			out = append(out, r)
		case errors.Is(err, errDamaged):
			damaged = append(damaged, path)
		case !errors.Is(err, infra.ErrNotFound): // else it was removed since
			return nil, nil, err
		}
	}
	slices.SortFunc(out, func(a, b record) int { return a.Created.Compare(b.Created) })
	return out, damaged, err
}

func readRecord(path string) (r record, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // a stray file among the projects
		return r, infra.ErrNotFound
	}
	if err == nil {
		err = r.parse(b, strings.TrimSuffix(filepath.Base(path), ".json"))
	}
	if err != nil {
		return r, fmt.Errorf("cannot read the record of a service: %s: %w", path, err)
	}
	return r, nil
}

func (r *record) parse(b []byte, id string) error {
	if err := json.Unmarshal(b, r); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	if r.ID != id || r.Project == "" || r.Service == "" {
		return fmt.Errorf("%w: it names no service", errDamaged)
	}
	return nil
}
