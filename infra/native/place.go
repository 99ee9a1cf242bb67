package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	osfiles "devstack/procs/files"
	"devstack/procs/proc"
)

// layout says where things are:
//
//	<data>/<ID>/<project>/records/<container>.json   what a "container" is, mode 0600: it has passwords
//	<data>/<ID>/<project>/services/<service>/        outlives its containers: data/, lock, log, log.1, port, files/
//	<cache>/templates/<name>/                        data directories as initdb has made them
type layout struct {
	data  string
	cache string
	id    string
}

// newLayout follows the XDG base directories. Servers of root run as other users, to whom /root is closed: it has its own.
func newLayout(env map[string]string, id string) (layout, error) {
	data, cache, home := env["XDG_DATA_HOME"], env["XDG_CACHE_HOME"], env["HOME"]
	if data != "" && !filepath.IsAbs(data) || cache != "" && !filepath.IsAbs(cache) {
		return layout{}, fmt.Errorf("XDG_DATA_HOME and XDG_CACHE_HOME must be absolute paths: %q, %q", data, cache)
	}
	root := os.Getuid() == 0
	if (data == "" || cache == "") && !root && !filepath.IsAbs(home) {
		return layout{}, fmt.Errorf("cannot tell where the data and the cache of native services are: HOME is %q", home)
	}
	choose := func(set, ofRoot, ofUser string) string {
		switch {
		case set != "":
			return filepath.Join(set, "devstack")
		case root:
			return filepath.Join(ofRoot, "devstack")
		}
		return filepath.Join(home, ofUser, "devstack")
	}
	return layout{data: choose(data, "/var/lib", ".local/share"), cache: choose(cache, "/var/cache", ".cache"), id: id}, nil
}

func (l layout) project(name string) string { return filepath.Join(l.data, l.id, name) }

func (l layout) records(project string) string { return filepath.Join(l.project(project), "records") }

func (l layout) recordPath(project, id string) string {
	return filepath.Join(l.records(project), id+".json")
}

func (l layout) templates() string { return filepath.Join(l.cache, "templates") }

func (l layout) place(project, service string) place {
	return place(filepath.Join(l.project(project), "services", service))
}

func (l layout) of(r record) place { return l.place(r.Project, r.Service) }

// services are the places of a project's services.
func (l layout) services(project string) ([]place, error) {
	found, err := entries(filepath.Join(l.project(project), "services"))
	var places []place
	for _, name := range found {
		places = append(places, l.place(project, name))
	}
	return places, err
}

// entries are the names in a directory, none if it is not there. No name of it is taken for a pattern.
func entries(dir string) ([]string, error) {
	found, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	var names []string
	for _, e := range found {
		names = append(names, e.Name())
	}
	return names, err
}

// remove deletes the place of a service that no server uses. With a project's last one go the directories above, if nothing
// else is in them.
func (l layout) remove(p place) error {
	project := filepath.Dir(filepath.Dir(string(p)))
	if l.place(filepath.Base(project), filepath.Base(string(p))) != p {
		return fmt.Errorf("cannot delete %s: it is not the data directory of a service", p)
	}
	if p.locked() {
		return fmt.Errorf("cannot delete %s: a server still uses it", p)
	}
	if err := os.RemoveAll(string(p)); err != nil {
		return err
	}
	for _, dir := range []string{filepath.Dir(string(p)), filepath.Join(project, "records"), project, filepath.Dir(project)} {
		_ = os.Remove(dir)
	}
	return nil
}

// place is the directory of one service. The data in it belong to the server's user, the rest to who runs devstack.
type place string

func (p place) data() string  { return filepath.Join(string(p), "data") }
func (p place) lock() string  { return filepath.Join(string(p), "lock") }
func (p place) log() string   { return filepath.Join(string(p), "log") }
func (p place) port() string  { return filepath.Join(string(p), "port") }
func (p place) files() string { return filepath.Join(string(p), "files") }

// locked says whether any process of a server lives.
func (p place) locked() bool { return osfiles.PathTaken(p.lock()) }

const (
	leftoverTime = 2500 * time.Millisecond // for what a server has left behind to end, and then again to die
	lockAgain    = 20 * time.Millisecond
)

// waitUnlocked returns when no process of a server lives. A server that nobody knows of is asked to end, and has the time of
// one that is stopped. What a killed postmaster has left behind would have died with its container: it is killed sooner.
func (p place) waitUnlocked(ctx context.Context) error {
	if !p.locked() {
		return nil
	}
	patience := leftoverTime
	for _, family := range families {
		if pid, _ := p.pid(family); pid != 0 {
			proc.Process{Pid: pid, Start: proc.StartTime(pid)}.Signal(syscall.SIGINT) // both families end in order
			patience = defaultGrace
		}
	}
	kill, giveUp, again := time.NewTimer(patience), time.NewTimer(patience+leftoverTime), time.NewTicker(lockAgain)
	defer kill.Stop()
	defer giveUp.Stop()
	defer again.Stop()
	for p.locked() {
		select {
		case <-again.C:
		case <-kill.C:
			p.killAll(ctx)
		case <-giveUp.C:
			return fmt.Errorf("processes of an earlier server still use %s", p.data())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// pid is the process that the server's own file names, if it works in this data directory, and when that was written; 0: none
// does.
func (p place) pid(f family) (pid int, at time.Time) {
	return pidIn(filepath.Join(p.data(), f.pidFile))
}

// killAll kills what works in the data directory.
func (p place) killAll(ctx context.Context) {
	all, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return
	}
	for _, one := range all {
		if worksIn(one, p.data()) {
			_ = one.KillWithContext(ctx)
		}
	}
}
